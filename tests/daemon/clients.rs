//! The control socket, and clients that are no good.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use steadfast::control::status::{SCHEMA, State};

use crate::harness::config::Instance;
use crate::harness::router::find;
use crate::harness::until;
use crate::scene::{Alone, Client, VIRTUAL, error, until_said};

const STATUS: &str = r#"{"method":"status"}"#;

#[test]
fn garbage_is_answered_with_what_there_is() {
    let alone = Alone::master();
    let mut client = alone.client();
    for garbage in ["GET / HTTP/1.1", "", "{}", r#"{"method":"stauts"}"#, "\u{1}\u{2}", "[[[["] {
        let told = client.ask(garbage);
        let text = error(&told);
        assert!(text.contains("the methods are: status, reload"), "{garbage:?}: {text}");
    }
    let told = client.ask(r#"{"method":"release","instance":"lna"}"#);
    assert!(error(&told).contains("there is no instance lna (have: lan)"), "{told}");
    assert_eq!((&told["kind"], &told["help"]), (&"instance".into(), &"did you mean lan?".into()));
    let told = client.ask(r#"{"method":"switchover","instance":"lan","for":-1}"#);
    assert!(error(&told).starts_with("for: "), "{told}");
    assert_eq!(client.ask(STATUS)["ok"]["schema"], SCHEMA, "the same client can go on");

    let mut client = alone.client();
    client.send(&[b'x'; 10_000]);
    assert!(error(&client.answer()).contains("at most 4096 bytes"));
    assert_eq!(client.line(), "", "and the end");
}

#[test]
fn a_request_without_an_end_is_answered_at_the_end() {
    let alone = Alone::master();
    let mut client = alone.client();
    assert!(client.send(STATUS.as_bytes()));
    client.half_close();
    assert_eq!(client.answer()["ok"]["schema"], SCHEMA);
    assert_eq!(client.line(), "");
}

#[test]
fn whoever_says_nothing_is_sent_away() {
    let alone = Alone::master();
    let (mut silent, mut half) = (alone.client(), alone.client());
    assert!(half.send(br#"{"method":"sta"#));
    for client in [&mut silent, &mut half] {
        assert!(error(&client.answer()).contains("no complete line came within 10 s"));
        assert_eq!(client.line(), "");
    }
}

/// A client that there was room for, as soon as there is: what others have left takes a moment.
#[track_caller]
fn admitted(alone: &Alone) -> Client {
    until("room for a client", || {
        let mut client = alone.client();
        let taken = client.send(format!("{STATUS}\n").as_bytes());
        (taken && client.answer()["ok"].is_object()).then_some(client)
    })
}

#[test]
fn a_hundred_clients_do_not_disturb_the_adverts() {
    let mut alone = Alone::master();
    let before = adverts(&mut alone);
    let mut clients: Vec<Client> = (0..64).map(|_| admitted(&alone)).collect();
    clients.extend((64..100).map(|_| alone.client()));
    // Those who found no room were told so without having asked.
    for client in &mut clients[64..] {
        let told = client.answer();
        assert!(error(&told).contains("too many clients"), "{told}");
        assert_eq!(client.line(), "");
    }
    let (asking, refused) = clients.split_at_mut(64);
    for client in asking.iter_mut() {
        assert!(client.send(format!("{STATUS}\n").as_bytes()));
    }
    for client in asking {
        assert_eq!(client.answer()["ok"]["verdict"]["level"], "OK");
    }
    assert_eq!(refused.len(), 36);
    drop(clients);
    alone.router.until("adverts go on", |document| {
        find(document, "lan").is_some_and(|lan| lan.routers[0].adverts_sent >= before + 10)
    });
}

#[test]
fn listeners_leave_room_for_short_requests() {
    let alone = Alone::master();
    let mut asking = admitted(&alone);
    let mut clients: Vec<Client> = (1..64).map(|_| admitted(&alone)).collect();
    for client in &mut clients {
        assert!(client.send(b"{\"method\":\"events\"}\n"));
    }
    let all_told = AtomicBool::new(false);
    let told: Vec<Value> = std::thread::scope(|scope| {
        // Every answer is an event as well, so that each of the others is told something.
        scope.spawn(|| {
            while !all_told.load(Ordering::Relaxed) {
                asking.ask(r#"{"method":"log_level","level":"info"}"#);
            }
        });
        let told = clients.iter_mut().map(|client| client.line()).collect::<Vec<_>>();
        all_told.store(true, Ordering::Relaxed);
        told.iter().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
    });
    let refused: Vec<usize> = (0..63).filter(|number| told[*number]["ok"].is_null()).collect();
    assert_eq!(refused.len(), 63 - 56, "{told:?}");
    for number in refused {
        let text = error(&told[number]);
        assert!(text.contains("too many listeners: 56 clients listen to events already"), "{text}");
        assert_eq!(
            clients[number].ask(STATUS)["ok"]["schema"],
            SCHEMA,
            "it can ask something else"
        );
    }
}

#[test]
fn a_hold_has_its_end_in_the_log() {
    let mut alone = Alone::master();
    let mut client = alone.client();
    let told = client.ask(r#"{"method":"switchover","instance":"lan","for":600,"force":true}"#);
    assert!(told["ok"].is_string(), "{told}");
    until_said(alone.router.daemon(), "lan: held as backup for 10 min 0 s, or until released");
    let told = client.ask(r#"{"method":"release","instance":"lan"}"#);
    assert_eq!(told["ok"], "lan: released");
}

#[test]
fn a_release_names_the_whole_group() {
    let mut alone = Alone::new();
    let lan = Instance::lan(150, &[VIRTUAL]);
    let two = Instance::lan(150, &["192.0.2.7/24"]).named("two", 52);
    let group = "[vrrp.group.both]\ninstances = [\"lan\", \"two\"]\n";
    alone.router.configure(&format!("{lan}{two}{group}"));
    alone.router.start();
    alone.router.until_state("two", State::Master);
    let mut client = alone.client();
    let told = client.ask(r#"{"method":"switchover","instance":"lan","force":true}"#);
    assert!(told["ok"].is_string(), "{told}");
    let told = client.ask(r#"{"method":"release","instance":"lan"}"#);
    assert_eq!(told["ok"], "lan: released, with two of its sync group");
}

#[test]
fn the_log_level_changes_at_run_time() {
    let alone = Alone::master();
    let mut client = alone.client();
    assert_eq!(client.ask(r#"{"method":"log_level"}"#)["ok"], "info");
    assert_eq!(client.ask(r#"{"method":"log_level","level":"error"}"#)["ok"], "error");
    assert_eq!(client.ask(STATUS)["ok"]["daemon"]["log_level"], "error");
    let told = client.ask(r#"{"method":"log_level","level":"loud"}"#);
    assert!(error(&told).contains("\"level\" is to be one of error, warning, "), "{told}");
    assert_eq!(client.ask(r#"{"method":"log_level"}"#)["ok"], "error");
}

fn adverts(alone: &mut Alone) -> u32 {
    let document = alone.router.status().unwrap();
    find(&document, "lan").unwrap().routers[0].adverts_sent
}
