//! The harness sees what it should: without this, an empty capture would show that all is well.

use std::process::Command;
use std::time::Duration;

use crate::harness::capture::Capture;
use crate::harness::guard;
use crate::harness::lan::{Host, Lan};
use crate::harness::namespace::Namespace;
use crate::harness::packet::What;
use crate::harness::ping::Pinger;
use crate::harness::process::Process;
use crate::harness::router::program;
use crate::harness::scratch::Scratch;
use crate::harness::wall_clock;
use crate::harness::watch::Watch;

fn two_hosts() -> (Lan, Host, Host) {
    let lan = Lan::new();
    let (one, two) = (Host::new("one"), Host::new("two"));
    lan.attach(&one, "eth0", &["192.0.2.2/24", "2001:db8::2/64"]);
    lan.attach(&two, "eth0", &["192.0.2.3/24", "2001:db8::3/64"]);
    (lan, one, two)
}

#[test]
fn a_capture_sees_each_frame_once_with_its_sender() {
    let (lan, one, two) = two_hosts();
    let mut capture = Capture::start(&lan);
    let from = wall_clock();
    let ping = Pinger::start(&one.net, "192.0.2.3", Duration::from_millis(2));
    ping.until_answered();
    drop(ping);
    let is_arp = |host: &'static str| {
        move |p: &crate::harness::packet::Packet| p.host == host && matches!(p.what, What::Arp(_))
    };
    let question = capture.wait_for("the question", is_arp("one"));
    let answer = capture.wait_for("the answer", is_arp("two"));
    assert!(from < question.at && question.at < answer.at && answer.at < wall_clock());
    assert_eq!(question.mac.to_string(), "02:00:00:00:00:01");
    // The kernel may ask again, after a second.
    let asked: Vec<_> =
        capture.packets().iter().filter(|p| is_arp("one")(p)).map(|p| p.at).collect();
    let again = asked.windows(2).all(|two| two[1] - two[0] > Duration::from_millis(500));
    assert!(again, "seen by one port only: {asked:?}");
    drop(two);
}

#[test]
fn a_pinger_tells_what_was_lost_and_when() {
    let (lan, one, two) = two_hosts();
    for address in ["192.0.2.3", "2001:db8::3"] {
        let ping = Pinger::start(&one.net, address, Duration::from_millis(2));
        ping.until_answered();
        let good = wall_clock();
        lan.cable(&two, false);
        let cut = wall_clock();
        std::thread::sleep(Duration::from_millis(100));
        let loss = ping.loss(cut, wall_clock());
        assert!(loss.sent > 10 && loss.lost == loss.sent, "{address}: {loss:?}");
        assert!(loss.first.unwrap() >= cut && loss.last > loss.first);
        lan.cable(&two, true);
        ping.until_answered();
        let back = wall_clock();
        ping.until_answered();
        assert_eq!(ping.loss(back, wall_clock()).lost, 0, "{address}");
        assert!(ping.loss(good, back).lost >= loss.lost);
    }
}

#[test]
fn a_watch_sees_addresses_come_and_go() {
    let (_lan, one, _two) = two_hosts();
    let mut watch = Watch::start(&one.net);
    assert!(watch.has("eth0", "192.0.2.2") && !watch.has("eth0", "192.0.2.9"));
    one.net.ip("address add 192.0.2.9/24 dev eth0");
    watch.until_address("eth0", "192.0.2.9", true);
    one.net.ip("address del 192.0.2.9/24 dev eth0");
    watch.until_address("eth0", "192.0.2.9", false);
    assert_eq!(watch.removed(), ["192.0.2.9".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn programs_and_what_they_start_end_with_the_test() {
    let scratch = Scratch::new();
    let host = Host::new("one");
    let script = "echo begun; sleep 1000 & wait";
    let mut shell = Process::start(&host.net, "shell", "sh", ["-c", script], scratch.path());
    let children = crate::harness::until("the child", || {
        let children = shell.offspring();
        (!children.is_empty() && shell.words() == "begun\n").then_some(children)
    });
    let child = children.first().unwrap();
    assert_eq!(shell.ended(), None);
    shell.kill_all();
    assert!(!shell.ended().unwrap().success());
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");

    // Its namespace takes a program with it.
    let mut sleep = Process::start(&host.net, "sleep", "sleep", ["1000"], scratch.path());
    crate::harness::until("it runs", || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", sleep.id())).unwrap();
        (name == "sleep\n").then_some(())
    });
    drop(host);
    sleep.wait();
}

/// A router once ran on a real link for ten minutes.
#[test]
fn no_program_starts_in_the_network_of_this_machine() {
    // Should the guard not work, this only prints a version.
    let version = || {
        let mut command = Command::new(program());
        command.arg("--version");
        command
    };
    for refused in [
        guard::output(&mut version()).map(drop),
        guard::spawn(&mut version()).map(drop),
        guard::tool(&mut version()).map(drop),
    ] {
        let words = refused.expect_err("it is refused").to_string();
        assert!(words.contains("refused: ") || words.contains(" is no tool"), "{words}");
    }
    let inside = Namespace::new();
    assert!(inside.output(&mut version()).expect("the program").status.success());
    assert!(inside.spawn(version()).expect("the program").wait().expect("its end").success());
}
