//! keepalived. Seen with 2.2.7 of Debian 12.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use super::start;
use crate::harness::lan::Host;
use crate::harness::process::Process;
use crate::harness::scratch::Scratch;
use crate::harness::until;
use crate::settings::{self, Instance, Profile};
use crate::speaker::{Master, Role, Speaker};

const PROGRAM: &str = "/usr/sbin/keepalived";

/// keepalived on a host.
#[derive(Debug)]
pub struct Keepalived {
    process: Option<Process>,
    said: RefCell<Said>,
    files: Scratch,
    host: Host,
}

/// What it wrote to its FIFO.
#[derive(Debug)]
struct Said {
    fifo: File,
    rest: String,
    roles: BTreeMap<String, Role>,
}

impl Keepalived {
    /// Ready to be started.
    pub fn new(host: Host, instances: &[Instance]) -> Self {
        Self::with(host, instances, "")
    }

    /// The same with further lines in the last instance.
    pub fn with(host: Host, instances: &[Instance], lines: &str) -> Self {
        let files = Scratch::new();
        let fifo = files.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
        // Also open for writing, so that it has no end between two runs.
        let mut options = File::options();
        options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let fifo = options.open(fifo).expect("the FIFO");
        let text = settings::keepalived(instances, &host.name, "/tmp/fifo");
        let text = text.strip_suffix("}\n").map(|text| format!("{text}{lines}\n}}\n"));
        let text = text.expect("an instance at the end");
        fs::write(files.path().join("keepalived.conf"), text).expect("its configuration");
        let said = Said { fifo, rest: String::new(), roles: BTreeMap::new() };
        Self { process: None, said: RefCell::new(said), files, host }
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// The process of that name in its pid file.
    fn parent(&self) -> Pid {
        super::program_in(self.running(), "keepalived").expect("it runs")
    }

    /// What it said does not hold any more.
    fn forget(&mut self) {
        let said = self.said.get_mut();
        said.read();
        said.roles.clear();
    }

    /// All that it wrote to its log.
    pub fn words(&mut self) -> String {
        self.process.as_mut().expect("it runs").words()
    }

    /// What it dumps about itself. It has no other way to tell what it learned.
    fn dump(&self) -> String {
        let file = self.files.path().join("keepalived.data");
        let _ = fs::remove_file(&file);
        kill(self.parent(), Signal::SIGUSR1).expect("it runs");
        // The interfaces come last.
        until("a dump of keepalived", || {
            let text = fs::read_to_string(&file).ok()?;
            text.contains("------< Interfaces >------").then_some(text)
        })
    }
}

impl Said {
    fn read(&mut self) {
        let mut octets = [0; 4096];
        loop {
            match self.fifo.read(&mut octets) {
                Ok(0) => break,
                Ok(count) => self.rest.push_str(&String::from_utf8_lossy(&octets[..count])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot read the FIFO of keepalived: {error}"),
            }
        }
        // INSTANCE "lan" MASTER 100
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        for line in self.rest.drain(..whole).collect::<String>().lines() {
            let mut words = line.split_whitespace();
            if let (Some("INSTANCE"), Some(name), Some(state)) =
                (words.next(), words.next(), words.next())
            {
                let role = match state {
                    "MASTER" => Role::Master,
                    "BACKUP" => Role::Backup,
                    "FAULT" | "STOP" => Role::Neither,
                    // Events of one that stays what it is: MASTER_RX_LOWER_PRI and others.
                    _ => continue,
                };
                self.roles.insert(name.trim_matches('"').to_owned(), role);
            }
        }
    }
}

impl Speaker for Keepalived {
    fn host(&self) -> &Host {
        &self.host
    }

    fn start(&mut self) {
        let arguments = [
            "--vrrp",
            "--dont-fork",
            "--log-console",
            "--log-detail",
            "--no-syslog",
            "--use-file=/tmp/keepalived.conf",
            "--pid=/tmp/keepalived.pid",
            "--vrrp_pid=/tmp/vrrp.pid",
            "--checkers_pid=/tmp/checkers.pid",
        ];
        assert!(self.process.is_none(), "it runs");
        // A dead one left them, and every one is process 1.
        for left in ["keepalived.pid", "vrrp.pid"] {
            let _ = fs::remove_file(self.files.path().join(left));
        }
        let net = &self.host.net;
        self.process = Some(start(net, self.files.path(), PROGRAM, "keepalived", &arguments));
    }

    fn kill(&mut self) {
        self.process.take().expect("it runs").kill_all();
        self.forget();
    }

    fn stop(&mut self) {
        kill(self.parent(), Signal::SIGTERM).expect("it runs");
        let mut process = self.process.take().expect("it runs");
        process.wait();
        self.forget();
    }

    fn role(&self, instance: &Instance) -> Role {
        let mut said = self.said.borrow_mut();
        said.read();
        said.roles.get(&instance.name).copied().unwrap_or(Role::Neither)
    }

    fn follows(&self, instance: &Instance, master: &Master) -> bool {
        if self.role(instance) != Role::Backup {
            return false;
        }
        let dump = self.dump();
        let said = dump.split(" VRRP Instance = ").find(|part| part.starts_with(&instance.name));
        let Some(said) = said else { return false };
        let mut wanted = vec![
            format!("Master router = {}\n", master.address),
            format!("Master priority = {}\n", master.priority),
        ];
        if instance.profile != Profile::V2 {
            let interval = master.interval.as_millis();
            wanted.push(format!("Master advert interval = {interval} milli-sec\n"));
        }
        wanted.iter().all(|line| said.contains(line))
    }
}
