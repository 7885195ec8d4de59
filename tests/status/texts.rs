//! What a person reads.

use std::fs;

use steadfast::control::render;
use steadfast::control::status::State;

use super::documents::{files, named, read};

#[test]
fn documents_have_their_texts() {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut different = Vec::new();
    for file in files() {
        let shown = render::document(&read(&file), false);
        let snapshot = file.with_extension("txt");
        if update {
            fs::write(&snapshot, &shown).unwrap();
        } else if fs::read_to_string(&snapshot).unwrap_or_default() != shown {
            different.push(format!("{} now shows:\n{shown}", file.display()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn lines_fit_a_narrow_terminal_but_for_the_verdict_and_quotations() {
    for file in files() {
        let text = render::document(&read(&file), false);
        let verdict = text.lines().next().unwrap();
        assert!(verdict.chars().count() <= 100, "{}: {verdict}", file.display());
        for line in text.lines().skip(1).filter(|line| !line.contains("error:")) {
            assert!(line.chars().count() <= 80, "{}: {line}", file.display());
        }
    }
}

#[test]
fn a_conclusion_stays_when_it_is_drawn_again() {
    for file in files() {
        let first = read(&file);
        let mut again = first.clone();
        again.conclude();
        assert_eq!(first, again, "{}", file.display());
    }
}

#[test]
fn a_thousand_instances_are_one_table() {
    let mut document = named("01");
    let pattern = document.instances.take().unwrap().remove(0);
    let instance = |number: usize| {
        let mut instance = pattern.clone();
        instance.name = format!("lan{number}");
        if number == 700 {
            instance.state = State::Fault;
            instance.fault = Some("interface \"eth700\" is down".to_owned());
        }
        instance
    };
    document.instances = Some((0..1000).map(instance).collect());
    document.conclude();
    let text = render::document(&document, false);
    let first: Vec<&str> = text.lines().take(5).collect();
    assert_eq!(
        first[0],
        "DEGRADED: 1 of 1000 in FAULT (lan700: interface \"eth700\" is down); MASTER of 999/1000"
    );
    assert_eq!(first[3], "  ! lan700: FAULT: interface \"eth700\" is down");
    assert!(text.lines().count() < 1040, "{}", text.lines().count());
    assert!(text.contains("steadfast status NAME"));
    let one = render::document(&document.only("lan700"), false);
    assert!(one.contains("DEGRADED: 1 of 1 in FAULT"), "{one}");
    assert!(one.contains("* 192.168.1.1/24"), "{one}");
    assert!(!one.contains("lan699"), "{one}");
}

#[test]
fn colours_change_nothing_else() {
    for file in files() {
        let document = read(&file);
        let mut coloured = render::document(&document, true);
        assert!(coloured.contains("\x1b["));
        for code in ["0", "1", "32", "33", "1;31"] {
            coloured = coloured.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(coloured, render::document(&document, false));
    }
}
