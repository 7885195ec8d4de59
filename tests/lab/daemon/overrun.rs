//! The kernel tells more than the daemon can take.

use std::fmt::Write;

use nix::sys::signal::{Signal, kill};
use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL, VIRTUAL_4, VIRTUAL_6};
use crate::harness::router::{find, vrrp, vrrp_pid};

/// Pairs, so 2,000 links.
const PAIRS: u32 = 1_000;

// netlink:N-8, netlink:N-11
#[test]
fn what_was_lost_is_read_again() {
    // The supervisor would replace a process that stands still.
    let mut pair = Pair::running_with(|priority| {
        format!("hello_interval = \"1h\"\n{}", Instance::lan(priority, &VIRTUAL))
    });
    let document = pair.a.status().unwrap();
    let child = vrrp_pid(&document).expect("the process");

    // It stands still while far more happens than the kernel keeps for it.
    kill(child, Signal::SIGSTOP).unwrap();
    let mut lines = String::new();
    for n in 0..PAIRS {
        writeln!(lines, "link add x{n} type veth peer name y{n}").unwrap();
    }
    for n in 0..PAIRS {
        writeln!(lines, "link set x{n} up\nlink set y{n} up\nlink set x{n} down").unwrap();
    }
    pair.a.host.net.ip_batch(&lines);
    // And at the end that which counts.
    pair.a.host.net.ip_batch(
        "address del 192.0.2.1/24 dev eth0\nlink set eth0 down\nlink set eth0 name old0\n",
    );
    pair.b.until_state("lan", State::Master);
    kill(child, Signal::SIGCONT).unwrap();

    let document = pair.a.until("it saw that the interface is gone", |document| {
        find(document, "lan").is_some_and(|lan| {
            lan.fault.as_ref().is_some_and(|f| f.starts_with("interface \"eth0\" does not exist"))
        })
    });
    assert!(vrrp(&document).report.as_ref().expect("the process").counters["netlink_overruns"] > 0);
    let lan = find(&document, "lan").unwrap();
    assert_eq!(lan.state, State::Fault);

    // The other way round: what comes back is seen as well.
    kill(child, Signal::SIGSTOP).unwrap();
    let mut lines = String::new();
    for n in 0..PAIRS {
        writeln!(lines, "link del x{n}").unwrap();
    }
    lines.push_str("link set old0 name eth0\nlink set eth0 up\n");
    pair.a.host.net.ip_batch(&lines);
    kill(child, Signal::SIGCONT).unwrap();
    pair.settle();
    let mut watch = pair.watch_a();
    watch.until_address("eth0", VIRTUAL_4, true);
    watch.until_address("eth0", VIRTUAL_6, true);
    pair.watch_b().until_address("eth0", VIRTUAL_4, false);
}
