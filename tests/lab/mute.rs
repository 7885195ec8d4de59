//! The firewall against the kernel: a client asks who has an address.

use std::os::fd::AsFd;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::gettid;
use steadfast::netlink::firewall::Firewall;
use steadfast::netlink::mute::CannotMute;

use crate::namespace::Namespace;

/// Milliseconds to wait for what the kernel should say; only a failure takes that long.
const PATIENCE_MS: u16 = 20_000;
/// The addresses that the router has.
const FOUR: &str = "192.0.2.1";
const SIX: &str = "2001:db8::1";

/// What `nft` says.
#[track_caller]
fn nft(words: &str) -> String {
    let output = Command::new("nft").args(words.split_whitespace()).output();
    let output = output.expect("nft; install it with: apt-get install nftables");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nft {words}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A host on the other end of the cable: a thread in a namespace of its own.
struct Client {
    ask: Sender<String>,
    answer: Receiver<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// The interface `peer0` of this namespace becomes that of the client.
    fn new(router: &Namespace) -> Self {
        let (ask, questions) = channel::<String>();
        let (answers, answer) = channel();
        let (say_id, id) = channel();
        let thread = thread::spawn(move || {
            let namespace = Namespace::enter();
            say_id.send(gettid()).unwrap();
            // The first question means that the interface is here.
            questions.recv().unwrap();
            // An address that is not known to be unique cannot ask.
            namespace.ip("link set peer0 addrgenmode none");
            namespace.ip("address add fe80::2/64 dev peer0 nodad");
            namespace.ip("address add 192.0.2.2/24 dev peer0");
            namespace.ip("address add 2001:db8::2/64 dev peer0 nodad");
            namespace.ip("link set peer0 up");
            for table in ["arp_cache", "ndisc_cache"] {
                namespace.ip(&format!("ntable change name {table} dev peer0 retrans 50"));
            }
            answers.send(true).unwrap();
            while let Ok(address) = questions.recv() {
                answers.send(has_neighbour(&namespace, &address)).unwrap();
            }
        });
        router.ip(&format!("link set peer0 netns {}", id.recv().unwrap()));
        let client = Self { ask, answer, thread: Some(thread) };
        assert!(client.asks(""));
        client
    }

    /// Whether anybody answers for an address.
    fn asks(&self, address: &str) -> bool {
        self.ask.send(address.to_owned()).unwrap();
        self.answer.recv().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ask = channel().0;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Forgets what is known of an address, asks, and waits for how it ends.
fn has_neighbour(namespace: &Namespace, address: &str) -> bool {
    let words = ["-j", "neighbour", "show", "dev", "peer0", "to", address];
    namespace.ip("neighbour flush dev peer0");
    namespace.ip(&format!("neighbour replace {address} dev peer0 nud none"));
    namespace.ip(&format!("neighbour replace {address} dev peer0 use nud none"));
    loop {
        let said = Command::new("ip").args(words).output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap();
        if said.contains("lladdr") {
            return true;
        }
        if said.contains("FAILED") {
            return false;
        }
    }
}

/// The router with both addresses on `eth0`, and its client.
struct Lab {
    _namespace: Namespace,
    client: Client,
}

impl Lab {
    fn new() -> Self {
        let namespace = Namespace::enter();
        namespace.ip("link add eth0 type veth peer name peer0");
        let client = Client::new(&namespace);
        namespace.ip(&format!("address add {FOUR}/24 dev eth0"));
        namespace.ip(&format!("address add {SIX}/64 dev eth0 nodad"));
        namespace.ip("link set eth0 up");
        Self { _namespace: namespace, client }
    }

    /// Whether both addresses are answered for.
    fn answers(&self) -> [bool; 2] {
        [FOUR, SIX].map(|address| self.client.asks(address))
    }
}

/// Sends what is wanted until the kernel has it; gives what does not work.
#[track_caller]
fn settle(firewall: &mut Firewall) -> Vec<CannotMute> {
    let mut failures = Vec::new();
    firewall.send().unwrap();
    while !firewall.is_settled() {
        let mut sockets = [PollFd::new(firewall.as_fd(), PollFlags::POLLIN)];
        assert_ne!(poll(&mut sockets, PollTimeout::from(PATIENCE_MS)).unwrap(), 0, "no answer");
        firewall.read(&mut failures).unwrap();
        firewall.send().unwrap();
    }
    failures
}

#[test]
fn a_muted_address_is_not_answered_for() {
    let lab = Lab::new();
    let mut firewall = Firewall::open("steadfast_test").unwrap();
    assert_eq!(settle(&mut firewall), []);
    assert_eq!(nft("list tables"), "", "nothing before it is needed");
    assert_eq!(lab.answers(), [true, true]);

    let both = [FOUR, SIX].map(|address| address.parse().unwrap());
    firewall.mute(&both);
    assert_eq!(settle(&mut firewall), []);
    assert_eq!(lab.answers(), [false, false], "{}", nft("list ruleset"));

    // Another one comes and goes.
    firewall.mute(&["192.0.2.9".parse().unwrap()]);
    assert_eq!(settle(&mut firewall), []);
    assert!(nft("list table arp steadfast_test").contains("192.0.2.9"));
    firewall.unmute(&both[1..]);
    assert_eq!(settle(&mut firewall), []);
    assert_eq!(lab.answers(), [false, true]);
    assert_eq!(nft("list tables"), "table arp steadfast_test\n");

    firewall.unmute(&both);
    firewall.unmute(&["192.0.2.9".parse().unwrap()]);
    assert_eq!(settle(&mut firewall), []);
    assert_eq!(lab.answers(), [true, true]);
    assert_eq!(nft("list tables"), "");
}

/// The kernel removes it, however the process ends.
#[test]
fn no_table_is_left_behind() {
    let lab = Lab::new();
    let mut firewall = Firewall::open("steadfast_test").unwrap();
    firewall.mute(&[FOUR.parse().unwrap(), SIX.parse().unwrap()]);
    assert_eq!(settle(&mut firewall), []);
    assert_eq!(lab.answers(), [false, false]);
    drop(firewall);
    assert_eq!(nft("list tables"), "");
    assert_eq!(lab.answers(), [true, true]);
}

/// On kernels without owned tables, the dead leave theirs.
#[test]
fn a_table_left_by_a_dead_process_is_removed_at_the_start() {
    let _namespace = Namespace::enter();
    for family in ["arp", "ip6"] {
        nft(&format!("add table {family} steadfast_test"));
        nft(&format!("add chain {family} steadfast_test out"));
    }
    let mut firewall = Firewall::open("steadfast_test").unwrap();
    assert_eq!(settle(&mut firewall), []);
    assert_eq!(nft("list tables"), "");
}

/// A firewall script may flush everything at any time: the silence goes on.
#[test]
fn a_flush_of_the_ruleset_ends_no_silence() {
    let lab = Lab::new();
    let mut firewall = Firewall::open("steadfast_test").unwrap();
    firewall.mute(&[FOUR.parse().unwrap()]);
    assert_eq!(settle(&mut firewall), []);
    nft("flush ruleset");
    assert_eq!(lab.answers(), [false, true]);
}

/// Thousands of addresses take more than one batch.
#[test]
fn many_addresses_are_muted_and_unmuted() {
    let _namespace = Namespace::enter();
    let mut firewall = Firewall::open("steadfast_test").unwrap();
    let many: Vec<_> = (0..3_500_u16)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            std::net::IpAddr::from([10, 1, high, low])
        })
        .collect();
    firewall.mute(&many);
    assert_eq!(settle(&mut firewall), []);
    let listed = nft("list set arp steadfast_test muted");
    assert_eq!(listed.matches("10.1.").count(), many.len());
    let (few, most) = many.split_at(5);
    firewall.unmute(most);
    assert_eq!(settle(&mut firewall), []);
    let listed = nft("list set arp steadfast_test muted");
    assert_eq!(listed.matches("10.1.").count(), few.len());
}
