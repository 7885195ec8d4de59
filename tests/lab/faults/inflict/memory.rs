//! Memory that is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::Patient;
use crate::harness::guard;
use crate::harness::process::is_alive;
use crate::scene::{run, send};

/// Addresses for which a process needs memory that it has not got yet.
const MANY: usize = 1_000;
/// Room for the daemon and those that take the rest.
const GROUP_OCTETS: u64 = 48 * 1024 * 1024;

impl Patient<'_> {
    pub fn oom(&mut self) {
        let child = self.scene.child(self.side);
        match Cgroup::new(4096) {
            Ok(group) => {
                group.take(child);
                self.run_out(child);
            }
            Err(why) => {
                say_once(&why);
                self.no_memory();
            }
        }
    }

    pub fn no_memory(&mut self) {
        let child = self.scene.child(self.side);
        let pages = fs::read_to_string(format!("/proc/{child}/statm")).unwrap_or_default();
        let pages = pages.split(' ').next().and_then(|text| text.parse::<u64>().ok());
        let octets = pages.expect("its size") * 4096;
        run("prlimit", &["--pid", &child.to_string(), &format!("--as={octets}:{octets}")]);
        self.run_out(child);
    }

    /// Makes a process need more than it can have.
    fn run_out(&mut self, child: Pid) {
        self.done.to_end.push(child);
        self.load_many(MANY);
        let limit = Instant::now() + Duration::from_secs(2);
        while is_alive(child) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
        }
        // Some need no more; they would at some time.
        if is_alive(child) {
            self.done.notes.push("it had enough all the same; SIGKILL");
            send(child, Signal::SIGKILL);
        }
        self.scene.next_child(self.side, &[child]);
        self.restore_configuration();
        self.until_few();
        self.lift();
    }

    pub fn memory(&mut self) {
        let group = match Cgroup::new(GROUP_OCTETS) {
            Ok(group) => group,
            Err(why) => {
                say_once(&why);
                self.lift();
                return;
            }
        };
        group.take(self.scene.sides[self.side].ours().daemon().id());
        group.take(self.scene.child(self.side));
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            // The last one keeps all that it reads, until it is killed for that.
            let take = format!(
                "echo $$ >{}/cgroup.procs; head -c {} /dev/zero | tail",
                group.path.display(),
                4 * GROUP_OCTETS
            );
            let mut command = Command::new("sh");
            command.args(["-c", &take]).stdout(Stdio::null()).stderr(Stdio::null());
            guard::tool(&mut command).expect("a shell");
        }
        self.lift();
    }
}

fn say_once(why: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        eprintln!(
            "faults: no memory cgroup can be made here ({why}): oom is done by RLIMIT_AS, and \
             memory is left out"
        );
    });
}

/// A memory cgroup; what is still in it goes back to ours when it is dropped.
struct Cgroup {
    path: PathBuf,
    ours: PathBuf,
}

impl Cgroup {
    /// One with so many octets.
    fn new(octets: u64) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let first = Path::new("/sys/fs/cgroup/memory");
        let (root, limit) = match first.exists() {
            true => (first, "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max"),
        };
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos());
        let path = root.join(format!("steadfast-faults-{seed}-{number}"));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let line = own.lines().find(|line| line.contains(":memory:") || line.starts_with("0::/"));
        let name = line.and_then(|line| line.splitn(3, ':').nth(2)).unwrap_or("/");
        let ours = root.join(name.trim_start_matches('/'));
        let ours = if ours.exists() { ours } else { root.to_owned() };
        let group = Self { path, ours };
        let file = group.path.join(limit);
        fs::write(&file, octets.to_string())
            .map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(group)
    }

    fn take(&self, id: Pid) {
        let _ = fs::write(self.path.join("cgroup.procs"), id.to_string());
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let left = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        for id in left.lines() {
            let _ = fs::write(self.ours.join("cgroup.procs"), id);
        }
        // A process that was killed is in it for a moment longer.
        for _ in 0..100 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
