//! The engine takes no memory while 1,000 instances send or receive adverts in steady state
//! (architecture.md, promises). Everything in this process is counted, so the measured part does nothing
//! but drive the engine.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a test program: what it did not expect has to stop it, and it prints its results"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use steadfast::vrrp::{Announcement, KernelRequest, Urgent};

use steadfast::net::VirtualAddress;
use steadfast::system::heap::{Counting, count};
use steadfast::units::{Centiseconds, Family, Instant, Priority, Version, Vrid};
use steadfast::vrrp::settings::{
    Announce, Authentication, Checksum, InstanceSettings, Object, OnForeignRemoval, Pacing,
    Preempt, Settings, SourceAddresses,
};
use steadfast::vrrp::{Action, Engine, Event, InterfaceState, Received, State};
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::vrrp::{self, Addresses, Format, Repr};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Instances in the process.
const INSTANCES: usize = 1000;
/// Instances on one interface: there are only 255 identifiers.
const PER_INTERFACE: usize = 250;
/// Intervals before the count begins.
const WARM_UP: u64 = 5;
/// Intervals that are counted.
const COUNTED: u64 = 20;
const SECOND: Duration = Duration::from_secs(1);

fn settings(priority: Priority) -> Settings {
    let instances = (0..INSTANCES).map(|n| instance(n, priority)).collect();
    Settings { instances, ..Settings::default() }
}

fn vrid(n: usize) -> Vrid {
    Vrid::new((n % PER_INTERFACE) as u8 + 1).expect("never 0")
}

fn addresses(n: usize) -> [IpAddr; 2] {
    let (interface, id) = ((n / PER_INTERFACE) as u8, vrid(n).get());
    [
        Ipv4Addr::new(10, interface, 1, id).into(),
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 1, interface.into(), id.into()).into(),
    ]
}

fn instance(n: usize, priority: Priority) -> InstanceSettings {
    InstanceSettings {
        name: format!("v{n}").into(),
        interface: format!("eth{}", n / PER_INTERFACE).into(),
        vrid: vrid(n),
        version: Version::V3,
        priority,
        interval: Centiseconds::SECOND,
        down_timer_adverts: 3,
        preempt: Preempt::On,
        preempt_delay: Duration::ZERO,
        source: SourceAddresses::NONE,
        objects: addresses(n).map(|a| Object::Address(VirtualAddress::new(a, 24))).into(),
        authentication: Authentication::None,
        checksum: Checksum::PseudoHeader,
        unicast_peers: Vec::new(),
        check_unicast_source: false,
        skip_check_adv_addr: false,
        announce: Announce {
            repeat: 5,
            delay: Duration::ZERO,
            refresh: Duration::from_secs(3),
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: Duration::ZERO,
            probe: Duration::from_secs(1),
        },
        pacing: Pacing { garp_interval: Duration::ZERO, gna_interval: Duration::ZERO },
        lower_prio_no_advert: false,
        higher_prio_send_advert: false,
        owner_ignore_adverts: false,
        strict: false,
        timer_expired_backup: None,
        on_foreign_removal: OnForeignRemoval::Restore,
        resume_within: None,
        backups: None,
        hand_over: true,
        dont_track_primary: false,
        track: Vec::new(),
    }
}

/// What the driver has seen.
#[derive(Default)]
struct Seen {
    adverts: u64,
    announcements: u64,
    probes: u64,
    masters: usize,
}

/// An engine and the address that its kernel gives it on each interface.
struct Driver {
    engine: Engine,
    now: Instant,
    seen: Seen,
}

impl Driver {
    fn new(priority: Priority, host: u8) -> Self {
        let settings = settings(priority);
        let mut engine = Engine::new(&settings);
        let now = Instant::ORIGIN + SECOND;
        for interface in 0..INSTANCES / PER_INTERFACE {
            let name = format!("eth{interface}");
            let state = InterfaceState {
                present: true,
                up: true,
                port: false,
                mac: None,
                ipv4: Some(Ipv4Addr::new(10, interface as u8, 0, host)),
                ipv6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host.into())),
            };
            let interface = engine.interface(&name).expect("it is configured");
            engine.handle(Event::Interface { interface, state }, now);
        }
        engine.handle(Event::Start, now);
        let mut driver = Self { engine, now, seen: Seen::default() };
        driver.work();
        driver
    }

    /// Does what the engine asks for; the kernel answers at once.
    fn work(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Urgent(Urgent::SendAdvert { .. }) => self.seen.adverts += 1,
                Action::Announcement(Announcement::Announce(_)) => self.seen.announcements += 1,
                Action::Kernel(KernelRequest::Install(object)) => self.done(object, true),
                Action::Kernel(KernelRequest::Remove(object)) => self.done(object, false),
                Action::Urgent(Urgent::DrainSockets) => {
                    self.engine.handle(Event::SocketsDrained, self.now)
                }
                Action::Announcement(Announcement::Probe(_)) => self.seen.probes += 1,
                Action::Kernel(KernelRequest::Mute(_) | KernelRequest::Unmute(_))
                | Action::Report(_) => {}
            }
        }
    }

    fn done(&mut self, object: steadfast::vrrp::ObjectId, present: bool) {
        let event = Event::Acknowledged { object, present, result: Ok(()) };
        self.engine.handle(event, self.now);
    }

    /// Runs all timers up to `end`.
    fn run_until(&mut self, end: Instant) {
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle(Event::Wake, self.now);
            self.work();
        }
        self.now = end;
    }

    fn count_masters(&mut self) {
        let engine = &self.engine;
        self.seen.masters =
            engine.instances().filter(|id| engine.state(*id) == Some(State::Master)).count();
    }
}

/// Adverts of another router for all instances, built beforehand.
struct Adverts(Vec<(usize, IpAddr, IpAddr, Vec<u8>)>);

impl Adverts {
    fn new(priority: Priority, host: u8) -> Self {
        let all = (0..INSTANCES).flat_map(|n| Family::ALL.map(|family| (n, family)));
        Self(all.map(|(n, family)| Self::advert(n, family, priority, host)).collect())
    }

    fn advert(
        n: usize,
        family: Family,
        priority: Priority,
        host: u8,
    ) -> (usize, IpAddr, IpAddr, Vec<u8>) {
        let interface = n / PER_INTERFACE;
        let source: IpAddr = match family {
            Family::V4 => Ipv4Addr::new(10, interface as u8, 0, host).into(),
            Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host.into()).into(),
        };
        let list = addresses(n);
        let repr = Repr {
            format: Format::V3,
            vrid: vrid(n),
            priority,
            interval: Centiseconds::SECOND,
            addresses: Addresses::of_family(family, &list),
        };
        let destination = vrrp::group(family);
        let mut message = vec![0; repr.buffer_len()];
        repr.emit(PseudoHeader::new(source, destination), &mut message).expect("it fits");
        (interface, source, destination, message)
    }

    fn hand_to(&self, driver: &mut Driver, ids: &[steadfast::vrrp::InterfaceId]) {
        for (interface, source, destination, message) in &self.0 {
            let header = if source.is_ipv4() { 20 } else { 0 };
            let received = Received {
                interface: ids[*interface],
                source: *source,
                destination: *destination,
                hop_limit: vrrp::HOP_LIMIT,
                ip_header_len: header,
                ip_total_len: header + message.len(),
                received_len: header + message.len(),
                authenticated: false,
                message,
            };
            driver.engine.handle(Event::Received(received), driver.now);
            driver.work();
        }
    }
}

fn interface_ids(driver: &Driver) -> Vec<steadfast::vrrp::InterfaceId> {
    let find = |n: usize| driver.engine.interface(&format!("eth{n}"));
    (0..INSTANCES / PER_INTERFACE).map(|n| find(n).expect("it is configured")).collect()
}

/// Allocations while something runs.
fn counted(run: impl FnOnce()) -> usize {
    let taken = || count().expect("the allocator counts").allocations;
    let before = taken();
    run();
    taken() - before
}

/// One line of the result; true when nothing was allocated.
fn report(what: &str, events: u64, allocations: usize) -> bool {
    println!("{what:<44} {events:>8} adverts, {allocations} allocations");
    allocations == 0
}

fn sending() -> bool {
    let mut driver = Driver::new(Priority(200), 1);
    driver.run_until(driver.now + SECOND * 4);
    driver.run_until(driver.now + SECOND * WARM_UP as u32);
    driver.count_masters();
    assert_eq!(driver.seen.masters, INSTANCES, "all instances are master");
    driver.seen = Seen::default();
    let allocations = counted(|| driver.run_until(driver.now + SECOND * COUNTED as u32));
    let expected = INSTANCES as u64 * 2 * COUNTED;
    assert_eq!(driver.seen.adverts, expected, "one advert per family, instance and interval");
    assert!(driver.seen.announcements > 0, "refreshes are part of the steady state");
    assert!(driver.seen.probes > 0, "so are probes");
    report("master of 1000 instances, both families", driver.seen.adverts, allocations)
}

fn receiving() -> bool {
    let mut driver = Driver::new(Priority(100), 2);
    let ids = interface_ids(&driver);
    let adverts = Adverts::new(Priority(200), 1);
    let round = |driver: &mut Driver| {
        adverts.hand_to(driver, &ids);
        driver.run_until(driver.now + SECOND);
    };
    (0..WARM_UP).for_each(|_| round(&mut driver));
    driver.seen = Seen::default();
    let allocations = counted(|| (0..COUNTED).for_each(|_| round(&mut driver)));
    driver.count_masters();
    assert_eq!((driver.seen.masters, driver.seen.adverts), (0, 0), "all instances are backup");
    let events = adverts.0.len() as u64 * COUNTED;
    report("backup of 1000 instances, both families", events, allocations)
}

/// As master, with another router that goes on sending lower adverts: each one is answered and
/// all addresses are announced again.
fn contested() -> bool {
    let mut driver = Driver::new(Priority(200), 1);
    let ids = interface_ids(&driver);
    driver.run_until(driver.now + SECOND * 4);
    let adverts = Adverts::new(Priority(50), 2);
    let round = |driver: &mut Driver| {
        adverts.hand_to(driver, &ids);
        driver.run_until(driver.now + SECOND);
    };
    (0..WARM_UP).for_each(|_| round(&mut driver));
    driver.seen = Seen::default();
    let allocations = counted(|| (0..COUNTED).for_each(|_| round(&mut driver)));
    let events = adverts.0.len() as u64 * COUNTED;
    assert!(driver.seen.adverts >= events, "each advert is answered");
    report("master of 1000 instances, lower adverts", events, allocations)
}

fn main() {
    let clean = [sending(), receiving(), contested()];
    let failed = clean.iter().filter(|clean| !**clean).count();
    println!("{} passed, {failed} failed", clean.len() - failed);
    assert_eq!(failed, 0, "the engine allocates in steady state");
}
