//! The campaign's own processes, mounts and devices: whatever a fault stops, mounts or fills is
//! gone when the campaign is, however that ends.

use std::env;
use std::process::ExitCode;

use crate::harness::namespace::mortal;

/// Says that this process is inside.
const INSIDE: &str = "STEADFAST_FAULTS_INSIDE";

/// A file system for what the scenes write, and a `/dev` whose `log` is ours.
const SET_UP: &str = "\
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/dev /mnt/dev/pts /mnt/dev/shm
for device in null zero full random urandom; do
    touch /mnt/dev/$device
    mount --bind /dev/$device /mnt/dev/$device
done
ln -s /proc/self/fd /mnt/dev/fd
mount --rbind /mnt/dev /dev
set +e
\"$@\"
exit $?
";

/// Starts this program again inside, and waits for it: how it ended. `None`: we are inside.
#[allow(clippy::disallowed_methods, reason = "it is this program, and not a router")]
pub fn enter() -> Result<Option<ExitCode>, String> {
    if env::var_os(INSIDE).is_some() {
        return Ok(None);
    }
    if !nix::unistd::geteuid().is_root() {
        return Err("it needs root; run it with: sudo -E tests/run faults".to_owned());
    }
    let own = env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let mut command = mortal("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    // The shell stays as the first process of all, whose end is the end of all.
    command.args(["sh", "-c", SET_UP, "sh"]).arg(own).args(env::args_os().skip(1));
    command.env(INSIDE, "1").env("TMPDIR", "/mnt");
    let status = command.status().map_err(|error| {
        format!("cannot run setpriv and unshare: {error}\n  = help: apt-get install util-linux")
    })?;
    Ok(Some(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8))))
}
