//! The monitor and the command socket against the kernel.

use std::fmt::Write;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use steadfast::net::{Broadcast, VirtualAddress};
use steadfast::netlink::address::can_replace;
use steadfast::netlink::batch::{Answer, NotTaken, Outcome, Request};
use steadfast::netlink::cache::{Cache, Change, Origin, What};
use steadfast::netlink::command::Commands;
use steadfast::netlink::link::LinkIndex;
use steadfast::netlink::monitor::{self, Left, Monitor};

use crate::harness::namespace::Namespace;

/// Milliseconds to wait for what the kernel should say; only a failure takes that long.
const AWAIT_TIMEOUT_MS: u16 = 20_000;

/// A namespace with the interface `eth0`, up, one end of a veth pair with `peer0`; and the two
/// sockets.
pub struct Lab {
    pub namespace: Namespace,
    commands: Commands<usize>,
    pub monitor: Monitor,
    pub changes: Vec<Change>,
}

impl Lab {
    pub fn new() -> Self {
        Self::with_room(monitor::RECEIVE_BUFFER_OCTETS)
    }

    pub fn with_room(room: usize) -> Self {
        let namespace = Namespace::new();
        namespace.ip("link add eth0 type veth peer name peer0");
        namespace.ip("link set peer0 up");
        namespace.ip("link set eth0 up");
        let commands = namespace.run(|| Commands::open().unwrap());
        let monitor = namespace.run(|| Monitor::open(Some(commands.port()), room).unwrap());
        let mut lab = Self { namespace, commands, monitor, changes: Vec::new() };
        // The kernel gives each its link-local address a little later.
        lab.until("both ends are up", |cache| {
            ["eth0", "peer0"].into_iter().all(|name| {
                let link = cache.link_named(name).filter(|link| link.flags.up());
                link.is_some_and(|link| cache.addresses(link.index).next().is_some())
            })
        });
        lab.changes.clear();
        lab
    }

    /// Reads until everything is known and `what` is true of it.
    #[track_caller]
    fn until(&mut self, what: &str, is_so: impl Fn(&Cache) -> bool) {
        self.until_known(what, |monitor| is_so(monitor.cache()));
    }

    /// The same, of what is watched, too.
    #[track_caller]
    pub fn until_known(&mut self, what: &str, is_so: impl Fn(&Monitor) -> bool) {
        loop {
            while self.monitor.read(&mut self.changes).unwrap() == Left::More {}
            if self.monitor.is_current() && is_so(&self.monitor) {
                return;
            }
            wait(&self.monitor, what);
        }
    }

    /// Sends the requests, each with its place as token, and waits for all answers.
    #[track_caller]
    pub fn run(&mut self, requests: &[Request<'_>]) -> Vec<Answer<usize>> {
        let mut answers = Vec::new();
        let mut next = 0;
        while answers.len() < requests.len() {
            while let Some(request) = requests.get(next) {
                match self.commands.push(*request, next) {
                    Ok(()) => next += 1,
                    Err(NotTaken::Full) => break,
                    Err(NotTaken::Unencodable) => panic!("{request:?}"),
                }
            }
            self.commands.send().unwrap();
            wait(&self.commands, "an answer");
            while self.commands.read(&mut answers).unwrap() == Left::More {}
        }
        answers
    }

    /// The outcome of one request.
    #[track_caller]
    pub fn one(&mut self, request: Request<'_>) -> Outcome {
        self.run(&[request]).remove(0).outcome
    }

    pub fn index(&self, name: &str) -> LinkIndex {
        self.monitor.cache().link_named(name).expect("the link").index
    }
}

/// The addresses of a link, without the link-local ones.
fn addresses(cache: &Cache, name: &str) -> Vec<IpAddr> {
    let is_own = |address: IpAddr| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(own) => !own.is_unicast_link_local(),
    };
    let index = cache.link_named(name).expect("the link").index;
    cache.addresses(index).map(|a| a.address).filter(|a| is_own(*a)).collect()
}

/// The kernel lists secondary addresses last, events come in the order of what happened.
fn sorted(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort();
    addresses
}

#[track_caller]
fn wait(socket: &impl AsFd, what: &str) {
    let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    assert_ne!(
        poll(&mut sockets, PollTimeout::from(AWAIT_TIMEOUT_MS)).unwrap(),
        0,
        "the kernel said nothing more: {what}"
    );
}

pub fn address(text: &str, prefix_len: u8) -> VirtualAddress {
    VirtualAddress::new(text.parse().unwrap(), prefix_len)
}

/// 10.1.0.0/32 and so on, and as many of IPv6.
fn many(count: u16) -> Vec<VirtualAddress> {
    (0..count)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            if n % 2 == 0 {
                VirtualAddress::new([10, 1, high, low].into(), 32)
            } else {
                address(&format!("2001:db8::{n:x}"), 128)
            }
        })
        .collect()
}

/// netlink:N-11, netlink:N-46
#[test]
fn what_there_is_at_the_start_is_known() {
    let mut lab = Lab::new();
    lab.namespace.ip("link add br0 type bridge");
    lab.namespace.ip("link set peer0 master br0");
    lab.namespace.ip("link set eth0 address 02:00:00:00:00:01 mtu 1400");
    lab.namespace.ip("address add 192.0.2.1/24 broadcast + dev eth0 label eth0:x");
    lab.namespace.ip("address add 192.0.2.2/24 dev eth0");
    lab.namespace.ip("address add 10.9.0.1 peer 10.9.0.2/32 dev eth0");

    // A new monitor has to hear it from its dump, the old one by events: both know the same.
    let mut changes = Vec::new();
    let mut late =
        lab.namespace.run(|| Monitor::open(None, monitor::RECEIVE_BUFFER_OCTETS).unwrap());
    while !late.is_current() {
        wait(&late, "the dump");
        while late.read(&mut changes).unwrap() == Left::More {}
    }
    lab.until("both know the same", |cache| {
        cache.links().eq(late.cache().links())
            && sorted(addresses(cache, "eth0")) == sorted(addresses(late.cache(), "eth0"))
    });

    let cache = late.cache();
    let eth0 = cache.link_named("eth0").unwrap();
    assert_eq!(eth0.mac.unwrap().to_string(), "02:00:00:00:00:01");
    assert_eq!(eth0.mtu, Some(1400));
    assert_eq!(eth0.kind.as_deref(), Some("veth"));
    assert_eq!(eth0.master, None);
    let bridge = cache.link_named("br0").unwrap();
    assert_eq!(bridge.kind.as_deref(), Some("bridge"));
    assert_eq!(cache.link_named("peer0").unwrap().master, Some(bridge.index));

    let find = |text: &str| {
        let address: IpAddr = text.parse().unwrap();
        cache.addresses(eth0.index).find(|a| a.address == address).unwrap()
    };
    let first = find("192.0.2.1");
    assert_eq!(first.label.as_deref(), Some("eth0:x"));
    assert_eq!(first.broadcast, Some([192, 0, 2, 255].into()));
    assert_eq!((first.prefix_len, first.peer), (24, None));
    assert!(!first.flags.secondary() && find("192.0.2.2").flags.secondary());
    assert_eq!(find("10.9.0.1").peer, Some([10, 9, 0, 2].into()));
    let interface = cache.interface("eth0", |_| false).unwrap();
    assert_eq!(interface.ipv4, Some([192, 0, 2, 1].into()));
}

#[test]
fn a_thousand_addresses_are_added_and_removed_in_batches() {
    let mut lab = Lab::new();
    let link = lab.index("eth0");
    let all = many(1_000);
    let add: Vec<_> = all.iter().map(|address| Request::Add(link, address)).collect();
    let answers = lab.run(&add);
    assert!(answers.iter().map(|answer| answer.token).eq(0..all.len()), "each in its turn");
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Done(None)));
    lab.until("all are there", |cache| addresses(cache, "eth0").len() == 1_000);
    let wanted: Vec<IpAddr> = all.iter().map(|address| address.address).collect();
    assert_eq!(sorted(addresses(lab.monitor.cache(), "eth0")), sorted(wanted));
    // netlink:N-47: the kernel says who caused it for IPv4 only.
    for (origin, is_v4) in [(Origin::Own, true), (Origin::Other, false)] {
        let news = lab.changes.iter().filter(|change| {
            matches!(&change.what, What::Address { after: Some(after), .. }
                if after.address.is_ipv4() == is_v4)
        });
        assert!(news.clone().count() >= 500);
        assert!(news.into_iter().all(|change| change.origin == origin), "IPv4: {is_v4}");
    }

    let delete: Vec<_> = all.iter().map(|address| Request::Delete(link, address)).collect();
    let answers = lab.run(&delete);
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Done(None)));
    lab.until("none is there", |cache| addresses(cache, "eth0").is_empty());
}

// netlink:N-40, netlink:N-41
#[test]
fn options_of_an_address_are_what_the_kernel_has() {
    let mut lab = Lab::new();
    let link = lab.index("eth0");
    let four = VirtualAddress {
        label: Some("eth0:v".into()),
        broadcast: Some(Broadcast::Ones),
        no_prefix_route: true,
        ..address("192.0.2.100", 24)
    };
    let peer = VirtualAddress { peer: Some([10, 9, 0, 2].into()), ..address("10.9.0.1", 32) };
    let six = VirtualAddress { home: true, ..address("2001:db8::100", 128) };
    for wanted in [&four, &peer, &six] {
        assert_eq!(lab.one(Request::Add(link, wanted)), Outcome::Done(None), "{wanted:?}");
    }
    lab.until("three are there", |cache| addresses(cache, "eth0").len() == 3);
    let known = lab.monitor.cache().addresses(link).cloned().collect::<Vec<_>>();
    let find = |wanted: &VirtualAddress| {
        known.iter().find(|a| a.address == wanted.address).unwrap().clone()
    };
    let found = find(&four);
    assert_eq!(found.label.as_deref(), Some("eth0:v"));
    assert_eq!(found.broadcast, Some([192, 0, 2, 255].into()));
    assert_eq!(found.flags.0 & 0x200, 0x200, "no prefix route");
    assert_eq!(find(&peer).peer, peer.peer);
    // No duplicate detection, home address, deprecated as a source, permanent.
    let flags = find(&six).flags;
    assert_eq!(flags.0 & 0xff, 0x02 | 0x10 | 0x20 | 0x80);
    assert!(flags.usable());
    for wanted in [&four, &peer, &six] {
        assert_eq!(lab.one(Request::Delete(link, wanted)), Outcome::Done(None), "{wanted:?}");
    }
    lab.until("none is there", |cache| addresses(cache, "eth0").is_empty());
}

/// netlink:N-3, netlink:N-6, netlink:N-43, netlink:N-44
#[test]
fn what_is_as_it_should_be_is_no_error_and_refusals_have_words() {
    let mut lab = Lab::new();
    let link = lab.index("eth0");
    let missing = LinkIndex(link.0 + 1_000);
    let (four, six) = (address("192.0.2.100", 24), address("2001:db8::100", 64));
    for wanted in [&four, &six] {
        assert_eq!(lab.one(Request::Add(link, wanted)), Outcome::Done(None));
        assert_eq!(lab.one(Request::Add(link, wanted)), Outcome::Unchanged);
        assert_eq!(lab.one(Request::Delete(link, wanted)), Outcome::Done(None));
        assert_eq!(lab.one(Request::Delete(link, wanted)), Outcome::Unchanged);
        assert_eq!(lab.one(Request::Delete(missing, wanted)), Outcome::Unchanged);
        let Outcome::Refused(error) = lab.one(Request::Add(missing, wanted)) else {
            panic!("added to nothing")
        };
        assert_eq!(error.errno, nix::errno::Errno::ENODEV);
    }
    // In the middle of a batch, a refusal stops nothing.
    let bad = VirtualAddress { prefix_len: 33, ..four.clone() };
    let requests = [Request::Add(link, &four), Request::Add(link, &bad), Request::Add(link, &six)];
    let answers = lab.run(&requests);
    let outcomes: Vec<_> = answers.into_iter().map(|answer| answer.outcome).collect();
    let [Outcome::Done(None), Outcome::Refused(error), Outcome::Done(None)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(error.to_string(), "Invalid argument (ipv4: Invalid prefix length)");
}

/// netlink:N-43: IPv6 changes an address in place; IPv4 wants it to be deleted first, and one
/// batch does both.
#[test]
fn options_of_an_address_are_changed() {
    let mut lab = Lab::new();
    let link = lab.index("eth0");
    let old = address("2001:db8::100", 64);
    let new = VirtualAddress { preferred_lifetime: Some(0), home: true, ..old.clone() };
    assert!(can_replace(&old, &new));
    assert_eq!(lab.one(Request::Add(link, &old)), Outcome::Done(None));
    lab.until("it is there", |cache| addresses(cache, "eth0").len() == 1);
    lab.changes.clear();
    assert_eq!(lab.one(Request::Replace(link, &new)), Outcome::Done(None));
    let flags = |cache: &Cache, wanted: IpAddr| {
        let all = cache.addresses(link);
        all.filter(|a| a.address == wanted).map(|a| a.flags.0).collect::<Vec<_>>()
    };
    // No duplicate detection, home address, deprecated, permanent.
    lab.until("changed", |cache| flags(cache, new.address) == [0xb2]);
    let gone = |change: &Change| matches!(change.what, What::Address { after: None, .. });
    assert!(!lab.changes.iter().any(gone), "it was there all the time");

    let old = VirtualAddress { label: Some("eth0:a".into()), ..address("192.0.2.100", 24) };
    let new = VirtualAddress { label: Some("eth0:b".into()), ..old.clone() };
    assert!(!can_replace(&old, &new));
    assert_eq!(lab.one(Request::Add(link, &old)), Outcome::Done(None));
    let answers = lab.run(&[Request::Delete(link, &old), Request::Add(link, &new)]);
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Done(None)));
    lab.until("changed", |cache| {
        let mut labels = cache.addresses(link).filter_map(|a| a.label.as_deref());
        labels.next() == Some("eth0:b") && labels.next().is_none()
    });
}

#[test]
fn foreign_removal_is_heard() {
    let mut lab = Lab::new();
    let link = lab.index("eth0");
    let (four, six) = (address("192.0.2.100", 24), address("2001:db8::100", 64));
    lab.run(&[Request::Add(link, &four), Request::Add(link, &six)]);
    lab.until("both are there", |cache| addresses(cache, "eth0").len() == 2);
    lab.changes.clear();
    lab.namespace.ip("address flush dev eth0 scope global");
    lab.until("both are gone", |cache| addresses(cache, "eth0").is_empty());
    for wanted in [four, six] {
        assert!(lab.changes.iter().any(|change| {
            change.origin == Origin::Other
                && matches!(&change.what, What::Address { before: Some(before), after: None }
                    if before.address == wanted.address)
        }));
    }
}

// netlink:N-21, netlink:N-22, netlink:N-23
#[test]
fn a_link_goes_down_and_is_renamed_and_made_again() {
    let mut lab = Lab::new();
    let up = |cache: &Cache, name: &str| cache.link_named(name).is_some_and(|l| l.flags.up());
    lab.namespace.ip("link set peer0 down");
    lab.until("no carrier", |cache| !up(cache, "eth0"));
    lab.namespace.ip("link set peer0 up");
    lab.until("a carrier", |cache| up(cache, "eth0"));
    lab.namespace.ip("link set eth0 down");
    lab.until("down", |cache| !up(cache, "eth0"));

    let first = lab.index("eth0");
    lab.namespace.ip("link set eth0 name wan0");
    lab.until("renamed", |cache| cache.link_named("wan0").is_some());
    assert_eq!(lab.index("wan0"), first);
    assert_eq!(lab.monitor.cache().link_named("eth0"), None);
    lab.namespace.ip("link set wan0 name eth0");
    lab.namespace.ip("link set eth0 up");
    lab.namespace.ip("address add 192.0.2.1/24 dev eth0");
    lab.until("an address", |cache| {
        cache.link_named("eth0").is_some() && !addresses(cache, "eth0").is_empty()
    });

    lab.namespace.ip("link delete eth0");
    lab.until("deleted", |cache| cache.link_named("eth0").is_none());
    assert_eq!(lab.monitor.cache().addresses(first).count(), 0);
    lab.namespace.ip("link add eth0 type veth peer name peer0");
    lab.until("made again", |cache| cache.link_named("eth0").is_some());
    assert_ne!(lab.index("eth0"), first);
}

/// The kernel acknowledges an IPv6 address before it takes packets to it; in the end it does.
#[test]
fn an_ipv6_address_opens_after_it_was_added() {
    let mut lab = Lab::new();
    let index = lab.index("eth0");
    let (here, elsewhere) = (address("2001:db8::1", 64), "2001:db8::2".parse().unwrap());
    let ask = |address| Request::CheckLocal(index, address);
    let own = "2001:db8::1".parse().unwrap();
    assert!(matches!(lab.one(ask(own)), Outcome::Refused(_)), "there is no route at all");
    assert!(matches!(lab.one(Request::Add(index, &here)), Outcome::Done(_)));
    let deadline = Instant::now() + Duration::from_millis(AWAIT_TIMEOUT_MS.into());
    while lab.one(ask(own)) != Outcome::Done(None) {
        assert!(Instant::now() < deadline, "it never opens");
    }
    assert!(matches!(lab.one(ask(elsewhere)), Outcome::Refused(_)), "that is a neighbour");
    // Another request's answer is not taken for this one's.
    let answers = lab.run(&[ask(elsewhere), Request::Delete(index, &here), ask(own)]);
    let refused: Vec<bool> =
        answers.iter().map(|answer| matches!(answer.outcome, Outcome::Refused(_))).collect();
    assert_eq!(refused, [true, false, true]);
}

// netlink:N-24
#[test]
fn leaving_a_bridge_is_not_the_end() {
    let mut lab = Lab::new();
    lab.namespace.ip("link add br0 type bridge");
    lab.namespace.ip("link set eth0 master br0");
    let master = |cache: &Cache| cache.link_named("eth0").is_some_and(|l| l.master.is_some());
    lab.until("a port", master);
    lab.changes.clear();
    lab.namespace.ip("link set eth0 nomaster");
    lab.until("no port", |cache| !master(cache));
    let index = lab.index("eth0");
    assert!(!lab.changes.iter().any(|change| {
        matches!(&change.what, What::Link { before: Some(before), after: None }
            if before.index == index)
    }));
}

// netlink:N-10
#[test]
fn after_an_overrun_the_state_is_right_again() {
    let mut lab = Lab::with_room(2_048);
    lab.namespace.ip("address add 192.0.2.1/24 dev eth0");
    lab.until("it is there", |cache| addresses(cache, "eth0").len() == 1);
    lab.changes.clear();
    // Two thousand events that nobody reads, most of which do not fit: 192.0.2.1 goes unheard.
    let mut lines = String::new();
    for n in 0..1_000 {
        let address = format!("10.1.{}.{}/32 dev eth0", n / 250, n % 250);
        writeln!(lines, "address add {address}").unwrap();
        if n % 100 != 0 {
            writeln!(lines, "address del {address}").unwrap();
        }
    }
    lines.push_str("address del 192.0.2.1/24 dev eth0\n");
    lines.push_str("link set eth0 mtu 1300\nlink set peer0 name peer1\n");
    lab.namespace.ip_batch(&lines);
    lab.until("all is as it is", |cache| {
        addresses(cache, "eth0").len() == 10 && cache.link_named("peer1").is_some()
    });
    assert_eq!(lab.monitor.cache().link_named("eth0").unwrap().mtu, Some(1300));
    assert_eq!(lab.monitor.cache().link_named("peer0"), None);
    let heard = lab.changes.iter().filter(|c| matches!(c.what, What::Address { .. })).count();
    assert!(heard < 1_900, "there was no overrun: {heard} changes");
    assert!(lab.changes.iter().any(|change| {
        matches!(&change.what, What::Address { before: Some(before), after: None }
            if before.address == IpAddr::from([192, 0, 2, 1]))
    }));
}

/// netlink:N-1: what the monitor misses costs no answer.
#[test]
fn a_flood_of_events_loses_no_answer() {
    let mut lab = Lab::with_room(2_048);
    let link = lab.index("eth0");
    let all = many(1_000);
    let add: Vec<_> = all.iter().map(|address| Request::Add(link, address)).collect();
    // Nobody reads the monitor meanwhile.
    let answers = lab.run(&add);
    assert!(answers.iter().map(|answer| answer.token).eq(0..all.len()));
    assert!(answers.iter().all(|answer| answer.outcome == Outcome::Done(None)));
    lab.until("all are there", |cache| addresses(cache, "eth0").len() == all.len());
    let other = lab.changes.iter().filter(|change| change.origin == Origin::Other);
    assert!(other.count() > 500, "there was no overrun: what a dump tells has no origin");
}
