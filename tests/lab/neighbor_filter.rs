//! The neighbour filter against the kernel: a client asks who has an address.

use std::net::IpAddr;
use std::process::Command;
use std::time::Instant;

use steadfast::netlink::neighbor_filter::FilterSocket;
use steadfast::netlink::neighbor_filter_state::FilterFailure;

use crate::harness::namespace::Namespace;
use crate::harness::{AWAIT_TIMEOUT, readable, until};

/// The addresses that the router has.
const FOUR: &str = "192.0.2.1";
const SIX: &str = "2001:db8::1";
/// The table.
const NAME: &str = "steadfast_test";

/// A router with both addresses on `eth0`, and a client on the other end of the cable.
struct Lab {
    router: Namespace,
    client: Namespace,
}

impl Lab {
    fn new() -> Self {
        let (router, client) = (Namespace::new(), Namespace::new());
        router.ip(&format!("link add eth0 type veth peer name eth0 netns {}", client.path()));
        client.ip("address add 192.0.2.2/24 dev eth0");
        // An address that is not known to be unique cannot ask.
        client.ip("link set eth0 addrgenmode none");
        client.ip("address add fe80::2/64 dev eth0 nodad");
        client.ip("address add 2001:db8::2/64 dev eth0 nodad");
        // Three questions 50 ms apart, instead of a second.
        client.ip("ntable change name arp_cache dev eth0 retrans 50");
        client.ip("ntable change name ndisc_cache dev eth0 retrans 50");
        client.ip("link set eth0 up");
        router.ip(&format!("address add {FOUR}/24 dev eth0"));
        router.ip(&format!("address add {SIX}/64 dev eth0 nodad"));
        router.ip("link set eth0 up");
        let lab = Self { router, client };
        // IPv6 waits for the carrier.
        until("both addresses are answered for", || (lab.answers() == [true, true]).then_some(()));
        lab
    }

    fn filter(&self) -> FilterSocket {
        let mut filter = self.router.run(|| FilterSocket::open(NAME)).unwrap();
        assert_eq!(settle(&mut filter), []);
        filter
    }

    /// What `nft` says.
    #[track_caller]
    fn nft(&self, words: &str) -> String {
        let mut command = Command::new("nft");
        command.args(words.split_whitespace());
        let output = self.router.output(&mut command);
        let output = output.expect("nft; install it with: apt-get install nftables");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nft {words}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether each of both addresses is answered for: forgets what the client knows, asks, and
    /// waits for how it ends.
    fn answers(&self) -> [bool; 2] {
        [FOUR, SIX].map(|address| {
            self.client.ip("neighbour flush dev eth0");
            self.client.ip(&format!("neighbour replace {address} dev eth0 nud none"));
            self.client.ip(&format!("neighbour replace {address} dev eth0 use nud none"));
            until("an answer, or none", || {
                let known = self.client.try_ip(&format!("neighbour show to {address}")).unwrap();
                if known.contains("lladdr") {
                    Some(true)
                } else {
                    known.contains("FAILED").then_some(false)
                }
            })
        })
    }
}

/// Sends what is wanted until the kernel has it; gives what does not work.
#[track_caller]
fn settle(filter: &mut FilterSocket) -> Vec<FilterFailure> {
    let mut failures = Vec::new();
    filter.send().unwrap();
    while !filter.is_settled() {
        assert!(readable(filter, Instant::now() + AWAIT_TIMEOUT), "the kernel does not answer");
        filter.read(&mut failures).unwrap();
        filter.send().unwrap();
    }
    failures
}

#[test]
fn a_blocked_address_is_not_answered_for() {
    let lab = Lab::new();
    let mut filter = lab.filter();
    assert_eq!(lab.nft("list tables"), "", "nothing before it is needed");
    assert_eq!(lab.answers(), [true, true]);

    let both = [FOUR, SIX].map(|address| address.parse().unwrap());
    filter.block(&both);
    assert_eq!(settle(&mut filter), []);
    assert_eq!(lab.answers(), [false, false], "{}", lab.nft("list ruleset"));

    // Another one comes and goes.
    filter.block(&["192.0.2.9".parse().unwrap()]);
    assert_eq!(settle(&mut filter), []);
    assert!(lab.nft("list table arp steadfast_test").contains("192.0.2.9"));
    filter.unblock(&both[1..]);
    assert_eq!(settle(&mut filter), []);
    assert_eq!(lab.answers(), [false, true]);
    assert_eq!(lab.nft("list tables"), "table arp steadfast_test\n");

    filter.unblock(&both);
    filter.unblock(&["192.0.2.9".parse().unwrap()]);
    assert_eq!(settle(&mut filter), []);
    assert_eq!(lab.answers(), [true, true]);
    assert_eq!(lab.nft("list tables"), "");
}

/// The kernel removes it, however the process ends.
#[test]
fn no_table_is_left_behind() {
    let lab = Lab::new();
    let mut filter = lab.filter();
    filter.block(&[FOUR.parse().unwrap(), SIX.parse().unwrap()]);
    assert_eq!(settle(&mut filter), []);
    assert_eq!(lab.answers(), [false, false]);
    drop(filter);
    // A process that another test starts has the socket too, until it runs its program.
    until("the tables are gone", || lab.nft("list tables").is_empty().then_some(()));
    assert_eq!(lab.answers(), [true, true]);
}

/// On kernels without owned tables, the dead leave theirs.
#[test]
fn a_table_left_by_a_dead_process_is_removed_at_the_start() {
    let lab = Lab::new();
    for family in ["arp", "ip6"] {
        lab.nft(&format!("add table {family} steadfast_test"));
        lab.nft(&format!("add chain {family} steadfast_test out"));
    }
    drop(lab.filter());
    assert_eq!(lab.nft("list tables"), "");
}

/// A filter script may flush everything at any time: the silence goes on.
#[test]
fn a_flush_of_the_ruleset_ends_no_silence() {
    let lab = Lab::new();
    let mut filter = lab.filter();
    filter.block(&[FOUR.parse().unwrap()]);
    assert_eq!(settle(&mut filter), []);
    lab.nft("flush ruleset");
    assert_eq!(lab.answers(), [false, true]);
}

/// Thousands of addresses take more than one batch.
#[test]
fn many_addresses_are_blocked_and_unblocked() {
    let lab = Lab::new();
    let mut filter = lab.filter();
    let many: Vec<_> = (0..3_500_u16)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            IpAddr::from([10, 1, high, low])
        })
        .collect();
    filter.block(&many);
    assert_eq!(settle(&mut filter), []);
    let listed = lab.nft("list set arp steadfast_test blocked");
    assert_eq!(listed.matches("10.1.").count(), many.len());
    let (few, most) = many.split_at(5);
    filter.unblock(most);
    assert_eq!(settle(&mut filter), []);
    let listed = lab.nft("list set arp steadfast_test blocked");
    assert_eq!(listed.matches("10.1.").count(), few.len());
}
