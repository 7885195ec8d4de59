//! What `status` says about a trouble while it lasts, and after it: what is true now decides about
//! the verdict, what was within the last minutes is told with its age.

use steadfast::control::status::{Document, State, VerdictLevel, Warning, WarningKind};

use crate::harness::config::Instance;
use crate::harness::pair::{Pair, VIRTUAL};

fn warning(document: &Document, kind: WarningKind) -> Option<&Warning> {
    document.warnings.iter().find(|warning| warning.kind == kind)
}

#[test]
fn a_warning_ends_with_its_cause() {
    let mut pair = Pair::new();
    let right = Instance::lan(100, &["192.0.2.1/24"]).every("100ms");
    let wrong = Instance::lan(100, &["192.0.2.1/24", "192.0.2.7/24"]).every("100ms");
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).every("100ms").to_string());
    pair.b.configure(&wrong.to_string());
    pair.a.start();
    pair.b.start();
    pair.settle();
    let document = pair.b.until("the lists differ", |document| {
        warning(document, WarningKind::AddressesDiffer).is_some()
            && document.verdict.level == VerdictLevel::Degraded
    });
    assert_eq!(warning(&document, WarningKind::AddressesDiffer).unwrap().ended_age, None);
    pair.b.configure(&right.to_string());
    assert!(pair.b.command(&["reload"]).status.success());
    let document = pair.b.until("it is over", |document| {
        document.verdict.level == VerdictLevel::Ok
            && warning(document, WarningKind::AddressesDiffer)
                .is_some_and(|warning| warning.ended_age.is_some())
    });
    assert!(document.verdict.text.contains(" (1 warning ended "), "{}", document.verdict.text);
    let shown = pair.b.command(&["status"]);
    assert!(shown.status.success());
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("\nPast warnings\n  - lan: 192.0.2.2 announces other"), "{shown}");
}

#[test]
fn what_was_put_back_is_not_said_to_be_missing() {
    let mut pair = Pair::running(&VIRTUAL);
    pair.a.until("it has its addresses", |document| document.verdict.text == "OK: MASTER of 1/1");
    pair.a.host.net.ip("address del 192.0.2.1/24 dev eth0");
    let document = pair.a.until("it is back", |document| {
        warning(document, WarningKind::ForeignRemoval)
            .is_some_and(|warning| warning.ended_age.is_some())
    });
    let removal = warning(&document, WarningKind::ForeignRemoval).unwrap();
    assert!(removal.text.contains("192.0.2.1/24; it was put back"), "{}", removal.text);
    assert!(document.verdict.text.starts_with("OK: MASTER of 1/1 (1 warning ended "));
}

#[test]
fn a_fault_of_a_moment_ago_is_said_and_many_are_flapping() {
    let mut pair = Pair::new();
    // Alone, so that each change of the interface is one of the state.
    pair.a.configure(&Instance::lan(150, &["192.0.2.1/24"]).every("5s").to_string());
    pair.a.start();
    pair.a.until_state("lan", State::Backup);
    let flap = |pair: &mut Pair| {
        pair.a.host.net.ip("link set eth0 down");
        pair.a.until_state("lan", State::Fault);
        pair.a.host.net.ip("link set eth0 up");
        pair.a.until_state("lan", State::Backup);
        pair.a.status().unwrap()
    };
    let document = flap(&mut pair);
    let text = &document.verdict.text;
    assert!(
        text.starts_with("OK: BACKUP of 1/1, listening for a master (FAULT until 0."),
        "{text}"
    );
    let fault = warning(&document, WarningKind::Fault).expect("it is listed");
    assert_eq!(fault.text, "lan: FAULT: interface \"eth0\" is down");
    assert_eq!(flap(&mut pair).verdict.level, VerdictLevel::Ok);
    // More than the list of changes holds: the count does not come from there.
    for _ in 2..8 {
        flap(&mut pair);
    }
    let document = pair.a.status().unwrap();
    let text = &document.verdict.text;
    assert!(text.starts_with("DEGRADED: lan: changed state 16 times within "), "{text}");
    assert_eq!(document.transitions.len(), 10);
}
