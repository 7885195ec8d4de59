//! The result.

use std::fmt::Write;

use crate::outcome::{Millis, Outcome};
use crate::plan::Fault;

/// A row for every name, in the order in which they come, and one for all.
pub fn table<'a>(
    title: &str,
    rows: impl IntoIterator<Item = (String, &'a Fault, &'a Outcome)>,
) -> String {
    let mut groups: Vec<(String, Vec<&Outcome>)> = Vec::new();
    for (name, _, outcome) in rows {
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, all)) => all.push(outcome),
            None => groups.push((name, vec![outcome])),
        }
    }
    let mut text = format!(
        "\n{title}\n{:<27} {:>6} {:>9} {:>12} {:>12} {:>14} {:>10} {:>9} {:>6}\n",
        "",
        "faults",
        "failovers",
        "no holder",
        "two holders",
        "two afterwards",
        "lost pings",
        "at return",
        "wrong",
    );
    for (name, all) in &groups {
        row(&mut text, name, all);
    }
    let all: Vec<&Outcome> = groups.iter().flat_map(|(_, all)| all.iter().copied()).collect();
    row(&mut text, "all", &all);
    text
}

fn row(text: &mut String, name: &str, all: &[&Outcome]) {
    let longest = |of: fn(&Outcome) -> std::time::Duration| {
        Millis(all.iter().map(|outcome| of(outcome)).max().unwrap_or_default())
    };
    writeln!(
        text,
        "{name:<27} {:>6} {:>9} {:>12} {:>12} {:>14} {:>10} {:>9} {:>6}",
        all.len(),
        all.iter().map(|outcome| outcome.failovers).sum::<usize>(),
        longest(|outcome| outcome.nobody),
        longest(|outcome| outcome.both),
        longest(|outcome| outcome.both_afterwards),
        all.iter().map(|outcome| outcome.lost.len()).sum::<usize>(),
        all.iter().map(|outcome| outcome.lost_at_return.len()).sum::<usize>(),
        all.iter().filter(|outcome| !outcome.wrong.is_empty()).count(),
    )
    .expect("a text");
}
