//! What has to be there before the first namespace: the tools, the right to make namespaces, and a
//! clean end whatever happens.

use std::fs;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Gid, Uid, getegid, geteuid};

use crate::harness::{router, scratch};
use crate::screen;

/// Does it all; to be called before any thread is there.
pub fn everything() -> Result<(), String> {
    let own = std::env::current_exe();
    router::set_program(own.map_err(|error| format!("cannot find this program: {error}"))?);
    need("ip", "iproute2")?;
    need("setpriv", "util-linux")?;
    become_root()?;
    end_on_signals()?;
    end_on_panic();
    Ok(())
}

fn need(tool: &str, package: &str) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|directory| directory.join(tool).exists()) {
        Ok(())
    } else {
        Err(format!("{tool} is missing\n  = help: install it with: apt-get install {package}"))
    }
}

/// An ordinary user is root in a user namespace of his own.
fn become_root() -> Result<(), String> {
    if geteuid().is_root() {
        return Ok(());
    }
    let (user, group) = (geteuid(), getegid());
    let forbidden = |error: String| {
        format!(
            "cannot make namespaces as an ordinary user: {error}\n  \
             = help: run it as root: sudo -E cargo run --release --example gateway-pair\n  \
             = help: or allow them, with the one of these that this system has:\n    \
             sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0\n    \
             sudo sysctl kernel.unprivileged_userns_clone=1\n    \
             sudo sysctl user.max_user_namespaces=10000"
        )
    };
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| forbidden(error.to_string()))?;
    map(user, group).map_err(|error| forbidden(error.to_string()))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| forbidden(error.to_string()))
}

fn map(user: Uid, group: Gid) -> std::io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Removes what the kernel does not: processes and namespaces end with us.
fn clean_up() {
    screen::clear();
    scratch::remove_all();
}

fn end_on_signals() -> Result<(), String> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().map_err(|error| error.to_string())?;
    let wait = move || {
        let signal = signals.wait();
        clean_up();
        eprintln!("gateway-pair: ended by {}", signal.map_or("a signal", Signal::as_str));
        std::process::exit(signal.map_or(1, |signal| 128 + signal as i32));
    };
    thread::Builder::new().spawn(wait).map(drop).map_err(|error| error.to_string())
}

fn end_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        screen::clear();
        for (name, words) in scratch::logs() {
            eprintln!("-- the end of {name}:\n{words}");
        }
        let payload = info.payload();
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let what = owned.or_else(|| payload.downcast_ref().copied()).unwrap_or("a panic");
        let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
        eprintln!("gateway-pair: failed: {what}{place}");
        clean_up();
        std::process::exit(1);
    }));
}
