//! The index of rules: every rule of [`PAGES`] is shown by a test, or is listed in
//! `shown-elsewhere.toml` with the reason and the place that shows it.
//!
//! A test names its rules in the comment directly above it (`vrrp:S-25`, as often as needed) or by
//! its own name (`s_25_equal_priority_and_higher_address`).
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::purity::{File, files};

const ELSEWHERE: &str = include_str!("shown-elsewhere.toml");

/// A page of the handbook.
struct Page {
    /// What stands before the rule in a comment.
    name: &'static str,
    text: &'static str,
    /// The sections whose rules need a test.
    sections: &'static [u8],
}

const PAGES: [Page; 2] = [
    Page {
        name: "vrrp",
        text: include_str!("rules/vrrp.md"),
        sections: &[1, 2, 3, 4, 5, 6, 7, 10],
    },
    Page { name: "netlink", text: include_str!("rules/netlink.md"), sections: &[1, 2, 3, 4, 5] },
];

/// Excuses, by page and rule.
type Elsewhere = BTreeMap<String, BTreeMap<String, Entry>>;

/// Why a pure core cannot show a rule, and what will.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    reason: String,
    shown_by: String,
}

/// Whether the text has the form of a rule id: `S-25`, `V2-1`, `V-8a`.
fn is_id(text: &str) -> bool {
    let Some((prefix, number)) = text.split_once('-') else { return false };
    let number = number.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(number);
    let mut letters = prefix.chars();
    letters.next().is_some_and(|c| c.is_ascii_uppercase())
        && letters.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
}

/// The rules of a handbook page with the section that defines each: ids in bold, and ids in the
/// first column of a table.
fn rules(page: &str) -> BTreeMap<String, u8> {
    let mut found = BTreeMap::new();
    let mut section = 0;
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        }
        let cell = line.strip_prefix("| ").and_then(|row| row.split(" |").next());
        for id in line.split("**").skip(1).step_by(2).chain(cell).filter(|text| is_id(text)) {
            let before = found.insert(id.to_owned(), section);
            assert!(before.is_none(), "{id} is defined twice");
        }
    }
    found
}

/// The rule ids that follow the name of a page in a comment.
fn cited(comment: &str, page: &str) -> Vec<String> {
    let name = format!("{page}:");
    let rest = comment.split(name.as_str()).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        end.map_or(rest, |end| rest.split_at(end).0).to_owned()
    });
    rest.collect()
}

/// The rule id that a test's name starts with: `s_25_...` is S-25.
fn named(function: &str, known: &BTreeMap<String, u8>) -> Option<String> {
    let mut parts = function.split('_');
    let (prefix, number) = (parts.next()?.to_ascii_uppercase(), parts.next()?);
    let id = format!("{prefix}-{number}");
    let is_prefix = known.keys().any(|rule| rule.split('-').next() == Some(prefix.as_str()));
    (is_prefix && is_id(&id)).then_some(id)
}

/// The ids that the tests of a file name, each with its place.
fn shown(file: &File, page: &str, known: &BTreeMap<String, u8>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut comment, mut is_test) = (String::new(), false);
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("//") {
            comment.push_str(line);
        } else if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]");
        } else {
            let function = line.strip_prefix("fn ").filter(|_| is_test);
            if let Some(name) = function.and_then(|rest| rest.split(['(', '<']).next()) {
                let place = format!("{}:{} {name}", file.path, index + 1);
                let ids = cited(&comment, page).into_iter().chain(named(name, known));
                found.extend(ids.map(|id| (id, place.clone())));
            }
            comment.clear();
            is_test = false;
        }
    }
    found
}

/// Everything that is wrong, one fault a line.
fn faults(
    page: &Page,
    known: &BTreeMap<String, u8>,
    elsewhere: &BTreeMap<String, Entry>,
    shown: &[(String, String)],
) -> Vec<String> {
    let tested: BTreeSet<&String> = shown.iter().map(|(id, _)| id).collect();
    let mut faults = Vec::new();
    for (id, place) in shown {
        if !known.contains_key(id) {
            faults.push(format!("{id}: no such rule in rules/{}.md, named by {place}", page.name));
        }
        if elsewhere.contains_key(id) {
            faults.push(format!("{id}: in shown-elsewhere.toml, yet tested by {place}"));
        }
    }
    for (id, entry) in elsewhere {
        match known.get(id) {
            None => {
                faults.push(format!("{id}: in shown-elsewhere.toml, but there is no such rule"))
            }
            Some(section) if !page.sections.contains(section) => {
                faults.push(format!("{id}: in shown-elsewhere.toml, but no test is asked of it"));
            }
            Some(_) => {}
        }
        if entry.reason.trim().is_empty() || entry.shown_by.trim().is_empty() {
            faults.push(format!("{id}: shown-elsewhere.toml gives no reason or no place"));
        }
    }
    for (id, section) in known {
        if page.sections.contains(section) && !tested.contains(id) && !elsewhere.contains_key(id) {
            faults.push(format!("{id}: no test names it"));
        }
    }
    faults
}

#[test]
fn every_rule_is_shown() {
    let mut elsewhere: Elsewhere = toml::from_str(ELSEWHERE).unwrap();
    // The examples below in this file are no tests of rules.
    let sources: Vec<_> = files("src")
        .into_iter()
        .chain(files("tests"))
        .filter(|file| file.path != "tests/conformance/index.rs")
        .collect();
    let mut all = Vec::new();
    for page in &PAGES {
        let known = rules(page.text);
        let shown: Vec<_> =
            sources.iter().flat_map(|file| shown(file, page.name, &known)).collect();
        let excuses = elsewhere.remove(page.name).unwrap_or_default();
        all.extend(faults(page, &known, &excuses, &shown));
    }
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
    assert!(elsewhere.is_empty(), "shown-elsewhere.toml has pages that there are not");
}

#[test]
fn the_pages_are_read_whole() {
    let [vrrp, netlink] = PAGES.map(|page| (rules(page.text), page.sections));
    let asked = |(known, sections): &(BTreeMap<String, u8>, &[u8]), id: &str| {
        known.get(id).map(|section| sections.contains(section))
    };
    for id in
        ["V-1", "V2-1", "V3-5", "V-8a", "C-7", "V-42", "T-8", "S-1", "S-10", "S-26", "S-43", "X-4"]
    {
        assert_eq!(asked(&vrrp, id), Some(true), "{id}");
    }
    for id in ["A-1", "H-10", "U-7", "M-4", "R-6"] {
        assert_eq!(asked(&vrrp, id), Some(false), "{id}");
    }
    for id in ["N-1", "N-11", "N-20", "N-33", "N-40", "N-47", "N-50", "N-58", "N-61"] {
        assert_eq!(asked(&netlink, id), Some(true), "{id}");
    }
    for id in ["N-65", "N-70", "N-77"] {
        assert_eq!(asked(&netlink, id), Some(false), "{id}");
    }
}

#[test]
fn ids_are_told_from_other_text() {
    for (text, is) in [
        ("S-25", true),
        ("V2-1", true),
        ("V-8a", true),
        ("first", false),
        ("S-", false),
        ("s-2", false),
        ("-2", false),
        ("S-2-3", false),
    ] {
        assert_eq!(is_id(text), is, "{text}");
    }
}

#[test]
fn tests_name_rules_by_comment_and_by_name() {
    let text = "
/// Not a test: vrrp:S-1.
fn s_1_helper() {}

/// Both vrrp:S-25 and `vrrp:S-27`,
/// (vrrp:V-8a).
#[test]
#[should_panic]
fn election() {}

/// vrrp:S-2

#[test]
fn a_gap_parts_comment_and_test() {}

mod inner {
    #[test]
    fn s_26_lower_priority() {}
    #[test]
    fn s_lower() {}
    #[test]
    fn b_1_of_another_page() {}
    #[test]
    fn v_8a() {}
}
";
    let file = File { path: "a.rs".to_owned(), text: text.to_owned() };
    let found = shown(&file, "vrrp", &rules(PAGES[0].text));
    let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["S-25", "S-27", "V-8a", "S-26", "V-8a"]);
    assert_eq!(found.first().unwrap().1, "a.rs:9 election");
}

#[test]
fn every_kind_of_fault_is_found() {
    let page = Page { name: "page", text: "", sections: &[1] };
    let known = rules("## 1. A\n**S-1** **S-2**\n| S-3 | x |\n## 8. B\n**S-9**\n");
    let entry = |reason: &str| Entry { reason: reason.to_owned(), shown_by: "lab".to_owned() };
    let shown = |ids: &[&str]| -> Vec<_> {
        ids.iter().map(|id| ((*id).to_owned(), "here".to_owned())).collect()
    };
    let listed = |id: &str, reason: &str| BTreeMap::from([(id.to_owned(), entry(reason))]);
    assert_eq!(faults(&page, &known, &listed("S-3", "x"), &shown(&["S-1", "S-2", "S-9"])), [""; 0]);
    for (elsewhere, shown) in [
        (listed("S-3", "x"), shown(&["S-1"])),
        (listed("S-3", "x"), shown(&["S-1", "S-2", "S-3"])),
        (listed("S-3", "x"), shown(&["S-1", "S-2", "S-4"])),
        (listed("S-3", " "), shown(&["S-1", "S-2"])),
        (listed("S-9", "x"), shown(&["S-1", "S-2", "S-3"])),
        (listed("S-5", "x"), shown(&["S-1", "S-2", "S-3"])),
    ] {
        assert_eq!(faults(&page, &known, &elsewhere, &shown).len(), 1);
    }
}
