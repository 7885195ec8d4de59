//! FRRouting: vrrpd, and the zebra that it cannot do without. Seen with 8.4.4 of Debian 12.
//!
//! It wants a macvlan with the virtual MAC and the virtual addresses for each family, made by
//! the administrator; the one of a backup it keeps down. It sends from there. Its adverts over
//! IPv4 have "don't fragment" set, and those over IPv6 come from the first link-local address of
//! the macvlan, be it a virtual one.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Group, User, chown};
use serde_json::Value;
use steadfast::units::Family;

use super::{program_in, start};
use crate::harness::guard;
use crate::harness::lan::Host;
use crate::harness::process::Process;
use crate::harness::scratch::Scratch;
use crate::harness::until;
use crate::settings::{self, INTERFACE, Instance};
use crate::speaker::{Master, Role, Speaker};

const ZEBRA: &str = "/usr/lib/frr/zebra";
const VRRPD: &str = "/usr/lib/frr/vrrpd";
/// Comes with them.
const VTYSH: &str = "/usr/bin/vtysh";

/// FRR on a host.
#[derive(Debug)]
pub struct Frr {
    vrrpd: Option<Process>,
    zebra: Option<Process>,
    files: Scratch,
    host: Host,
}

impl Frr {
    /// Ready to be started; `link_local` is where its adverts over IPv6 come from.
    pub fn new(host: Host, instances: &[Instance], link_local: &str) -> Self {
        let files = Scratch::new();
        let directory = files.path();
        for instance in instances {
            macvlan(&host, instance, link_local);
        }
        fs::write(directory.join("vrrpd.conf"), settings::frr(instances)).expect("a file");
        fs::write(directory.join("zebra.conf"), "").expect("a file");
        fs::write(directory.join("vtysh.conf"), "").expect("a file");
        own(directory);
        Self { vrrpd: None, zebra: None, files, host }
    }

    fn start_one(&self, program: &str) -> Process {
        let name = Path::new(program).file_name().and_then(|name| name.to_str()).expect("a name");
        let arguments = [
            "--vty_socket=/tmp",
            "--socket=/tmp/zserv.api",
            &format!("--pid_file=/tmp/{name}.pid"),
            &format!("--config_file=/tmp/{name}.conf"),
            "--log=stdout",
            "--vty_port=0",
        ];
        start(&self.host.net, self.files.path(), program, "frr", &arguments)
    }

    /// What `show vrrp` says about one virtual router.
    fn show(&self, instance: &Instance) -> Option<Value> {
        let directory = self.files.path().to_str().expect("a path");
        let mut vtysh = Command::new("timeout");
        vtysh.args(["5", VTYSH, "--vty_socket", directory, "--config_dir", directory]);
        vtysh.args(["-d", "vrrpd", "-c", "show vrrp json"]).env("HOME", directory);
        let output = guard::tool(&mut vtysh).expect("timeout of coreutils");
        let all: Vec<Value> = serde_json::from_slice(&output.stdout).ok()?;
        let mut one = all.into_iter().find(|one| one["vrid"] == instance.vrid)?;
        let family = match instance.profile.family() {
            Family::V4 => "v4",
            Family::V6 => "v6",
        };
        Some(one[family].take())
    }
}

/// The device of one virtual router.
fn macvlan(host: &Host, instance: &Instance, link_local: &str) {
    let family = instance.profile.family();
    let number = match family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    let vrid = instance.vrid;
    let device = format!("vrrp{number}-{vrid}");
    let mut lines = format!(
        "link add {device} link {INTERFACE} address 00:00:5e:00:0{number}:{vrid:02x} \
         type macvlan mode bridge\n\
         link set {device} addrgenmode none\n"
    );
    let virtual_ones = instance.addresses.iter().map(String::as_str);
    // The kernel puts the newest one first.
    let own = (family == Family::V6).then_some(link_local);
    for address in virtual_ones.chain(own) {
        lines.push_str(&format!("address add {address} dev {device}\n"));
    }
    lines.push_str(&format!("link set {device} up\n"));
    host.net.ip_batch(&lines);
    // The addresses exist all the time, but the kernel must not answer for them on eth0.
    host.net.sysctl("net/ipv4/conf/all/arp_ignore", "1");
}

/// Gives the files to the user that the daemons run as.
fn own(directory: &Path) {
    let help = "; install it with: apt-get install frr";
    let user = User::from_name("frr").ok().flatten();
    let user = user.unwrap_or_else(|| panic!("there is no user frr{help}"));
    let group = Group::from_name("frrvty").ok().flatten();
    let group = group.unwrap_or_else(|| panic!("there is no group frrvty{help}"));
    assert!(group.mem.contains(&user.name), "the user frr is not in the group frrvty{help}");
    let files = fs::read_dir(directory).expect("its files");
    for path in files.flatten().map(|file| file.path()).chain([directory.to_owned()]) {
        chown(&path, Some(user.uid), Some(user.gid)).expect("root may");
    }
}

impl Speaker for Frr {
    fn host(&self) -> &Host {
        &self.host
    }

    fn start(&mut self) {
        assert!(self.vrrpd.is_none(), "it runs");
        for left in ["zserv.api", "zebra.vty", "vrrpd.vty"] {
            let _ = fs::remove_file(self.files.path().join(left));
        }
        self.zebra = Some(self.start_one(ZEBRA));
        until("the socket of zebra", || self.files.path().join("zserv.api").exists().then_some(()));
        self.vrrpd = Some(self.start_one(VRRPD));
    }

    fn kill(&mut self) {
        self.vrrpd.take().expect("it runs").kill_all();
        self.zebra.take().expect("it runs").kill_all();
    }

    fn stop(&mut self) {
        let mut vrrpd = self.vrrpd.take().expect("it runs");
        kill(program_in(&vrrpd, "vrrpd").expect("it runs"), Signal::SIGTERM).expect("it runs");
        vrrpd.wait();
        self.zebra.take().expect("it runs").kill_all();
    }

    fn role(&self, instance: &Instance) -> Role {
        let shown = self.show(instance);
        match shown.as_ref().and_then(|shown| shown["status"].as_str()) {
            Some("Master") => Role::Master,
            Some("Backup") => Role::Backup,
            _ => Role::Neither,
        }
    }

    fn follows(&self, instance: &Instance, master: &Master) -> bool {
        // It does not say whom it follows, only that it heard somebody.
        self.show(instance).is_some_and(|shown| {
            let learned = shown["masterAdverInterval"].as_u64().map(u128::from);
            shown["status"] == "Backup"
                && shown["stats"]["adverRx"].as_u64() > Some(0)
                && learned == Some(master.interval.as_millis())
        })
    }
}
