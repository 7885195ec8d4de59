//! Two routers and a client on a switch.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::ops::Range;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use steadfast::control::status::{Document, State, VerdictLevel, WarningKind};

use crate::harness::capture::Capture;
use crate::harness::config;
use crate::harness::guard;
use crate::harness::lan::{Host, Lan};
use crate::harness::packet::Packet;
use crate::harness::pair::{VIRTUAL, VIRTUAL_4};
use crate::harness::ping::Pinger;
use crate::harness::router::{Router, find, vrrp};
use crate::harness::scratch::Scratch;
use crate::harness::wall_clock;
use crate::holders::Holders;
use crate::peers::keepalived::Keepalived;
use crate::plan::{Fault, Routers};
use crate::settings::{self, Profile};
use crate::speaker::{Role, Speaker};
use crate::syslog::Syslog;

/// The interface of every router.
pub const INTERFACE: &str = "eth0";
/// Between two questions of the client.
pub const PING: Duration = Duration::from_millis(5);
/// Addresses of the two routers.
pub const OWN: [[&str; 2]; 2] =
    [["192.0.2.2/24", "2001:db8::2/64"], ["192.0.2.3/24", "2001:db8::3/64"]];
/// An address that is not advertised; ours alone have it.
const EXCLUDED: &str = "192.0.2.77/24";
/// The hosts of the two routers.
pub const NAMES: [&str; 2] = ["gw-a", "gw-b"];
const PRIORITIES: [u8; 2] = [150, 100];
const LAN: &str = "lan";
/// Pause between two looks at the state of things.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A router.
#[derive(Debug)]
pub enum Side {
    /// Ours.
    Ours(Router),
    /// keepalived.
    Theirs(Keepalived, settings::Instance),
}

impl Side {
    /// The host that it runs on.
    pub fn host(&self) -> &Host {
        match self {
            Self::Ours(router) => &router.host,
            Self::Theirs(keepalived, _) => keepalived.host(),
        }
    }

    /// The daemon, which is ours.
    #[track_caller]
    pub const fn ours(&mut self) -> &mut Router {
        match self {
            Self::Ours(router) => router,
            Self::Theirs(..) => panic!("this is no router of ours"),
        }
    }
}

/// The network of a fault.
#[derive(Debug)]
pub struct Scene {
    /// Everything on the wire; dropped first, so that a failed run shows it.
    pub wire: Capture,
    /// The client's questions.
    pub ping: Pinger,
    /// Who has the virtual address.
    pub holders: Holders,
    /// The routers: the master, and its backup.
    pub sides: [Side; 2],
    /// The client, and whoever sends bad packets.
    pub client: Host,
    /// The switch.
    pub lan: Lan,
    /// Between adverts.
    pub interval: Duration,
    /// Who reads the log of the system, where it is needed.
    pub syslog: Option<Syslog>,
    mounted: Option<String>,
    _scratch: Scratch,
}

impl Scene {
    /// Builds it and waits until all is whole.
    #[track_caller]
    pub fn start(fault: &Fault, target: usize) -> Self {
        let (scratch, lan) = (Scratch::new(), Lan::new());
        let interval = fault.interval;
        let mut sides = [0, 1].map(|n| {
            let theirs = match fault.routers {
                Routers::Ours => false,
                Routers::KeepalivedBackup => n == 1,
                Routers::KeepalivedMaster => n == 0,
            };
            let host_is_ready = |host: &Host| lan.attach(host, INTERFACE, &OWN[n]);
            if theirs {
                let host = Host::new(NAMES[n]);
                host_is_ready(&host);
                let instance = settings::Instance {
                    interval,
                    ..settings::Instance::new(Profile::V3Ipv4, PRIORITIES[n])
                };
                Side::Theirs(Keepalived::new(host, std::slice::from_ref(&instance)), instance)
            } else {
                let mut router = Router::new(&scratch, NAMES[n]);
                host_is_ready(&router.host);
                router.configure(&configuration(fault, n, &[]));
                if fault.kind.needs_syslog() {
                    router.set_options(&["--syslog"]);
                }
                Side::Ours(router)
            }
        });
        let mut mounted = None;
        if fault.kind.needs_state_mount() {
            let state = sides[target].ours().state();
            fs::create_dir(&state).expect("a directory");
            let path = state.to_str().expect("a path").to_owned();
            run("mount", &["-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", &path]);
            mounted = Some(path);
        }
        let client = Host::new("client");
        lan.attach(&client, INTERFACE, &["192.0.2.10/24", "2001:db8::10/64"]);
        let wire = Capture::start(&lan);
        let nets = sides.each_ref().map(|side| &side.host().net);
        let holders = Holders::start(nets, INTERFACE, VIRTUAL_4);
        let syslog = fault.kind.needs_syslog().then(Syslog::start);
        for side in &mut sides {
            match side {
                Side::Ours(router) => router.start(),
                Side::Theirs(keepalived, _) => keepalived.start(),
            }
        }
        let ping = Pinger::start(&client.net, VIRTUAL_4, PING);
        let mut scene = Self {
            wire,
            ping,
            holders,
            sides,
            client,
            lan,
            interval,
            syslog,
            mounted,
            _scratch: scratch,
        };
        if let Err(why) = scene.becomes_whole(fault) {
            panic!("at the start: {why}\n{}", scene.report());
        }
        scene.ping.until_answered();
        // A process that was started again resumes by the last advert: more than the first one.
        scene.wire.mark();
        scene.wire.wait_for_many(3, "adverts", |p| p.is_of_master(NAMES[0]));
        scene
    }

    /// The vrrp process of a router of ours.
    #[track_caller]
    pub fn child(&mut self, side: usize) -> Pid {
        crate::harness::until("there is a vrrp process", || self.child_now(side))
    }

    /// The vrrp process that there is now.
    pub fn child_now(&mut self, side: usize) -> Option<Pid> {
        let offspring = self.sides[side].ours().daemon().offspring();
        offspring.into_iter().find(|id| {
            let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains("vrrp")
        })
    }

    /// Waits for another vrrp process than these.
    #[track_caller]
    pub fn next_child(&mut self, side: usize, before: &[Pid]) -> Pid {
        crate::harness::until("there is a new vrrp process", || {
            self.child_now(side).filter(|id| !before.contains(id))
        })
    }

    /// Waits until all has been whole for as long as a backup waits for its master, so that what
    /// is to come has come. Gives that time, by the clock of the captures.
    ///
    /// At intervals that are only shown, a busy machine delays adverts by three of them now and
    /// then, and a backup that did not even come to add its address has sent one: the rest begins
    /// again then.
    ///
    /// # Errors
    /// What was not, when it took too long.
    pub fn becomes_whole(&mut self, fault: &Fault) -> Result<Range<Duration>, String> {
        let quiet = self.quiet();
        let deadline = Instant::now() + quiet + self.interval * 10 + Duration::from_secs(15);
        let mut since = None;
        loop {
            let begin = (Instant::now(), wall_clock());
            match self.whole(fault) {
                Ok(()) => {
                    let since: &mut (Instant, Duration) = since.get_or_insert(begin);
                    let rest = since.1..begin.1;
                    let is_new = self.holders.since(since.0).len() > 1
                        || fault.only_shown && self.sent_by(NAMES[1], &rest) > 0;
                    if is_new {
                        *since = begin;
                    } else if begin.0.duration_since(since.0) >= quiet {
                        return Ok(rest);
                    }
                    if begin.0 > deadline {
                        return Err("the second router takes over again and again".to_owned());
                    }
                }
                Err(why) if begin.0 > deadline => return Err(why),
                Err(_) => since = None,
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// How many adverts a router sent in a time by the clock of the captures.
    pub fn sent_by(&mut self, name: &str, time: &Range<Duration>) -> usize {
        let is_its = |packet: &&Packet| packet.host == name && packet.advert().is_some();
        let packets = self.wire.packets().iter();
        packets.filter(is_its).filter(|packet| time.contains(&packet.at)).count()
    }

    /// How long all has to be whole: longer than a backup waits for its master.
    pub fn quiet(&self) -> Duration {
        self.interval * 4 + Duration::from_millis(200)
    }

    /// Whether the first router is master, the second follows it, and each has the addresses of
    /// its role.
    fn whole(&mut self, fault: &Fault) -> Result<(), String> {
        if self.holders.now() != [true, false] {
            return Err(format!("the holders are {:?}", self.holders.now()));
        }
        let on_interface = self.holders.addresses();
        for (n, name) in NAMES.iter().enumerate() {
            let wanted = virtual_addresses(fault, n);
            let found: BTreeSet<IpAddr> =
                all_virtual().intersection(&on_interface[n]).copied().collect();
            let right = if n == 0 { wanted } else { BTreeSet::new() };
            if found != right {
                return Err(format!("{name} has {found:?} and should have {right:?}"));
            }
            match &mut self.sides[n] {
                Side::Ours(router) => {
                    if let Some(ended) = router.daemon().ended() {
                        return Err(format!("{name}: the daemon ended with {ended}"));
                    }
                    let document = router.status().map_err(|e| format!("{name}: {e}"))?;
                    is_well(&document, n == 0).map_err(|e| format!("{name}: {e}"))?;
                }
                Side::Theirs(keepalived, instance) => {
                    let wanted = if n == 0 { Role::Master } else { Role::Backup };
                    let role = keepalived.role(instance);
                    if role != wanted {
                        return Err(format!("{name}: keepalived is {role:?}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Echo replies that the kernels of the routers could not send for reasons of their own, such as
    /// the one socket that all namespaces share for them being full.
    pub fn unsent_replies(&self) -> usize {
        let hosts = self.sides.each_ref().map(Side::host);
        hosts.map(|host| host.net.run(unsent_replies)).into_iter().sum()
    }

    /// How often the vrrp process of a router was started again, and the supervisor's id.
    pub fn restarts(&mut self, side: usize) -> Option<(u32, u32)> {
        let document = self.sides[side].ours().status().ok()?;
        Some((vrrp(&document).restarts, document.daemon.pid))
    }

    /// All that may explain what went wrong.
    pub fn report(&mut self) -> String {
        let mut text = String::new();
        for (n, name) in NAMES.iter().enumerate() {
            let addresses = self.sides[n].host().net.try_ip("-o address").unwrap_or_default();
            writeln!(text, "== {name}: addresses\n{addresses}").unwrap();
            if let Side::Ours(router) = &mut self.sides[n] {
                let output = router.command(&["status"]);
                let (out, err) = (&output.stdout, &output.stderr);
                let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
                writeln!(text, "== {name}: status\n{out}{err}").unwrap();
                let words = match router.is_running() {
                    true => router.words(),
                    false => "it does not run".to_owned(),
                };
                writeln!(text, "== {name}: log\n{words}").unwrap();
            }
        }
        let hosts = self.sides.each_ref().map(Side::host);
        for host in hosts.into_iter().chain([&self.client]) {
            let links = host.net.try_ip("-s -s link show").unwrap_or_default();
            let files =
                ["snmp", "raw", "softnet_stat"].map(|name| format!("/proc/thread-self/net/{name}"));
            let counters =
                host.net.run(|| files.map(|f| fs::read_to_string(f).unwrap_or_default()));
            writeln!(text, "== {}: counters\n{links}{}", host.name, counters.join("\n")).unwrap();
        }
        writeln!(text, "== on the wire").unwrap();
        for packet in self.wire.packets() {
            writeln!(text, "{packet}").unwrap();
        }
        text
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for side in &mut self.sides {
            if let Side::Ours(router) = side
                && router.is_running()
            {
                router.kill();
            }
        }
        if let Some(path) = &self.mounted {
            run("umount", &["-l", path]);
        }
    }
}

/// The configuration of a router of ours, with these addresses beside the usual ones.
pub fn configuration(fault: &Fault, side: usize, more: &[String]) -> String {
    let interval = format!("{}ms", fault.interval.as_millis());
    let advertised: &[&str] = match fault.routers {
        Routers::Ours => &VIRTUAL,
        Routers::KeepalivedBackup | Routers::KeepalivedMaster => &["192.0.2.1/24"],
    };
    let excluded: Vec<&str> =
        std::iter::once(EXCLUDED).chain(more.iter().map(String::as_str)).collect();
    config::Instance::lan(PRIORITIES[side], advertised)
        .every(&interval)
        .with("backups = 1")
        .with(&format!("excluded_addresses = {excluded:?}"))
        .to_string()
}

/// The same without the address that is not advertised.
pub fn changed_configuration(fault: &Fault, side: usize) -> String {
    configuration(fault, side, &[]).replace(&format!("[{EXCLUDED:?}]"), "[]")
}

/// What a router has as master.
fn virtual_addresses(fault: &Fault, side: usize) -> BTreeSet<IpAddr> {
    let only_one = [address("192.0.2.1/24")].into_iter().collect();
    match (fault.routers, side) {
        (Routers::Ours, _) => all_virtual(),
        (Routers::KeepalivedBackup, 0) | (Routers::KeepalivedMaster, 1) => {
            [address("192.0.2.1/24"), address(EXCLUDED)].into_iter().collect()
        }
        (Routers::KeepalivedBackup | Routers::KeepalivedMaster, _) => only_one,
    }
}

/// Every address that is somebody's as master only.
fn all_virtual() -> BTreeSet<IpAddr> {
    VIRTUAL.iter().chain([&EXCLUDED]).map(|text| address(text)).collect()
}

fn address(text: &str) -> IpAddr {
    text.split_once('/').expect("a prefix").0.parse().expect("an address")
}

/// Whether a router says that it does its part. What it says about the last minutes does not count.
fn is_well(document: &Document, is_master: bool) -> Result<(), String> {
    let text = &document.verdict.text;
    if matches!(document.verdict.level, VerdictLevel::Dead | VerdictLevel::Split) {
        return Err(text.clone());
    }
    let lan = find(document, LAN).ok_or("it has no instance")?;
    let wanted = if is_master { State::Master } else { State::Backup };
    if lan.state != wanted || lan.handing_over {
        return Err(format!("{} and should be {wanted}: {}", lan.state, lan.cause));
    }
    if !is_master && lan.routers.iter().any(|router| router.master.is_none()) {
        return Err("it hears no master".to_owned());
    }
    if let Some(object) = lan.objects.iter().find(|o| o.present != is_master) {
        return Err(format!("{} {}: present is {}", object.kind, object.what, object.present));
    }
    let mut now = document.warnings.iter().filter(|warning| warning.ended_age.is_none());
    let wrong = now.find(|warning| {
        matches!(
            warning.kind,
            WarningKind::SplitBrain
                | WarningKind::NoMaster
                | WarningKind::Fault
                | WarningKind::AddressMissing
                | WarningKind::LeftBehind
        )
    });
    wrong.map_or(Ok(()), |warning| Err(format!("{warning:?}")))
}

/// `OutErrors` of ICMP in the current namespace.
fn unsent_replies() -> usize {
    let text = fs::read_to_string("/proc/thread-self/net/snmp").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Icmp: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let found = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "OutErrors");
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or_default()
}

/// Runs a program that has to succeed.
#[track_caller]
pub fn run(program: &str, words: &[&str]) {
    let output = guard::tool(Command::new(program).args(words));
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {}: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
}

/// Sends a signal; the process may be gone.
pub fn send(id: Pid, signal: Signal) {
    let _ = kill(id, signal);
}
