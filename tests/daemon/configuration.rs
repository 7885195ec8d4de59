//! Configurations, good and bad, at the start and later.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use steadfast::control::status::State;

use crate::harness::config::Instance;
use crate::harness::router::{find, program, vrrp};
use crate::scene::{Alone, VIRTUAL, error, said, until_said};

const BAD: &str = "[vrrp.instance.lan]\ninterface = \"eth0\"\nprioritty = 7\n";

#[test]
fn errors_are_shown_as_check_shows_them_and_nothing_starts() {
    let alone = Alone::new();
    alone.router.configure(BAD);
    let state = alone.router.state();
    let ran = alone.run(&state, &[]);
    assert_eq!(ran.status.code(), Some(2), "{}", said(&ran));
    let mut check = Command::new(program());
    check.arg("check").arg("-c").arg(alone.router.file());
    let checked = alone.router.host.net.output(&mut check).unwrap();
    assert_eq!(checked.status.code(), Some(2));
    assert_eq!(said(&ran), said(&checked));
    assert!(said(&ran).contains("did you mean"), "{}", said(&ran));
    assert!(!state.exists());
    for more in [&["--daemon"][..], &["--syslog"]] {
        let ran = alone.run(&state, more);
        assert_eq!((ran.status.code(), said(&ran)), (Some(2), said(&checked)), "{more:?}");
    }
    fs::remove_file(alone.router.file()).unwrap();
    let ran = alone.run(&state, &[]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(said(&ran).contains("there is no such file"), "{}", said(&ran));
}

#[test]
fn a_bad_file_changes_nothing_and_is_remembered() {
    let mut alone = Alone::master();
    let good = fs::read_to_string(alone.router.file()).unwrap();
    alone.router.configure(BAD);
    alone.router.daemon().signal(Signal::SIGHUP);
    let document = alone
        .router
        .until("it is refused", |document| document.daemon.configuration.refused.is_some());
    assert_eq!(document.daemon.configuration.generation, 1);
    assert_eq!(find(&document, "lan").unwrap().state, State::Master);
    let reason = document.daemon.configuration.refused.unwrap().reason;
    let place = format!("{}:6:1: error: ", alone.router.file().display());
    assert!(reason.contains(&place) && reason.contains("prioritty"), "{reason}");
    until_said(alone.router.daemon(), &place);

    let told = alone.client().ask(r#"{"method":"reload"}"#);
    assert!(error(&told).contains("6 | prioritty = 7"), "all of it, with the line: {told}");

    fs::write(alone.router.file(), good).unwrap();
    let told = alone.client().ask(r#"{"method":"reload"}"#);
    assert!(told["ok"].as_str().unwrap().contains("nothing changes"), "{told}");
    let document = alone.router.status().unwrap();
    assert_eq!(document.daemon.configuration.refused, None);
    assert_eq!(document.daemon.configuration.generation, 1);
}

#[test]
fn a_good_file_is_in_effect_when_the_answer_comes() {
    let mut alone = Alone::master();
    let events = alone.client();
    let mut events = events;
    assert!(events.send(b"{\"method\":\"events\"}\n"));
    alone.configure(&Instance::lan(170, &[VIRTUAL, "192.0.2.9/24"]));
    let told = alone.client().ask(r#"{"method":"reload"}"#);
    assert_eq!(told["ok"], "instance lan changed: virtual_addresses, priority\n");
    let document = alone.router.status().unwrap();
    let lan = find(&document, "lan").unwrap();
    assert_eq!((lan.base_priority, lan.state), (170, State::Master));
    assert_eq!(document.daemon.configuration.generation, 2);
    loop {
        let event = events.answer();
        if event["ok"]["text"].as_str().unwrap().starts_with("instance lan changed") {
            assert_eq!(event["ok"]["kind"], "configuration");
            break;
        }
    }
    // A child that is started later has it as well.
    alone.signal_child(Signal::SIGKILL);
    alone.router.until("the new child has it", |document| {
        find(document, "lan").is_some_and(|lan| lan.base_priority == 170)
            && vrrp(document).restarts == 1
    });
}

#[test]
fn an_instance_keeps_its_name_until_its_last_word() {
    let mut alone = Alone::master();
    alone.configure(&Instance::lan(150, &[VIRTUAL]).named("lon", 51));
    let told = alone.client().ask(r#"{"method":"reload"}"#);
    assert_eq!(told["ok"], "instance lan removed\ninstance lon added\n");
    until_said(alone.router.daemon(), "lan: nobody took over");
    until_said(alone.router.daemon(), "lan: MASTER to INIT");
    alone.router.until_state("lon", State::Master);
    assert!(alone.holds_address());
}

#[test]
fn a_change_is_named_as_the_file_names_it() {
    let mut alone = Alone::master();
    let lan = Instance::lan(150, &[VIRTUAL]);
    alone.configure(&lan.with("track_interfaces = [\"far\"]").with("garp_master_repeat = 2"));
    let told = alone.client().ask(r#"{"method":"reload"}"#);
    assert_eq!(told["ok"], "instance lan changed: garp_master_repeat, track_interfaces\n");
}

/// Two that only differ in their table have to be told apart.
#[test]
fn a_route_is_shown_with_its_metric_and_table() {
    let mut alone = Alone::new();
    let route = "virtual_routes = [\"blackhole 10.66.0.0/16 metric 7 table 100\"]";
    alone.configure(&Instance::lan(150, &[VIRTUAL]).with(route));
    alone.router.start();
    alone.router.until_state("lan", State::Master);
    let shown = String::from_utf8(alone.router.command(&["status", "lan"]).stdout).unwrap();
    assert!(shown.contains("route blackhole 10.66.0.0/16 metric 7 table 100"), "{shown}");
}
