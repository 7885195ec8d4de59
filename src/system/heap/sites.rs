//! What backtraces say about blocks in use, by the place that asked for them.

use std::collections::BTreeMap;

/// This crate, as names of functions begin.
const OURS: &str = concat!(env!("CARGO_PKG_NAME"), "::");
/// The same, as the places of functions begin, for a function that was inlined has a short name:
/// seen from another directory, and from this one.
const OUR_PLACES: [&str; 2] = [concat!(env!("CARGO_MANIFEST_DIR"), "/src/"), "./src/"];
/// What the compiler puts before the allocator; what is further inside records.
const ALLOCATOR: &str = "__rustc::";
/// Where the standard library is and where other crates are, as far as that is the same everywhere.
const STD: &str = "/library/";
const REGISTRY: &str = "/registry/src/";

/// What libraries keep for the whole life of a process by their design: parts of the names of the
/// functions that ask for it, all of them before a function of ours is reached, and why it stays.
const KEPT: &[(&[&str], &str)] = &[
    (&["async_io::reactor::Reactor::get::{{closure}}"], "async-io's reactor and its thread"),
    (&["insert_io", "slab::Slab"], "the reactor's table of descriptors: it only grows"),
    (&["process_timers"], "the reactor's table of timers: it is never empty"),
    (&["sync::mpmc::context::Context"], "how this thread waits for a channel, until it ends"),
    (&["block_on::CACHE"], "what async-io keeps to block this thread, until the thread ends"),
    (
        &["sys::pal::unix::stack_overflow"],
        "the name of a thread that runs, for the standard library",
    ),
];

/// A function that was at work.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Frame {
    /// Its name.
    pub function: String,
    /// File and line, as far as they are known.
    pub place: String,
}

impl Frame {
    /// Whether it is one of this crate.
    fn is_ours(&self) -> bool {
        self.function.trim_start_matches(['<', '&']).starts_with(OURS)
            || OUR_PLACES.iter().any(|place| self.place.starts_with(place))
    }

    /// Whether it says nothing that its caller does not say.
    fn is_of_std(&self) -> bool {
        let name = self.function.trim_start_matches('<');
        ["core::", "alloc::", "std::"].iter().any(|root| name.starts_with(root))
            || self.place.contains(STD)
    }

    fn is_of_allocator(&self) -> bool {
        self.function.starts_with(ALLOCATOR)
    }
}

/// The functions of a backtrace in its text form, the innermost first, without those that record.
pub fn frames(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(last) = frames.last_mut() {
                place.clone_into(&mut last.place);
            }
            continue;
        }
        // A function that was inlined has no number.
        let numbered = line.split_once(": ").filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()));
        let function = numbered.map_or(line, |(_, function)| function);
        frames.push(Frame { function: function.to_owned(), place: String::new() });
    }
    let inner = frames.iter().position(Frame::is_of_allocator).map_or(0, |first| first + 1);
    frames.split_off(inner)
}

/// Blocks of one place.
#[derive(Clone, Copy, Default, Debug)]
struct Sum {
    blocks: usize,
    octets: usize,
}

impl Sum {
    fn add(&mut self, octets: usize) {
        self.blocks += 1;
        self.octets += octets;
    }
}

/// Blocks in use, by what asked for them.
#[derive(Default, Debug)]
pub struct Found {
    live: BTreeMap<Vec<Frame>, Sum>,
    kept: BTreeMap<&'static str, Sum>,
}

impl Found {
    /// One more block of so many octets.
    pub fn add(&mut self, octets: usize, frames: &[Frame]) {
        let ours = frames.iter().position(Frame::is_ours);
        let library = frames.get(..ours.unwrap_or(frames.len())).unwrap_or_default();
        let called = |name: &&str| library.iter().any(|frame| frame.function.contains(name));
        if let Some((_, why)) = KEPT.iter().find(|(names, _)| names.iter().all(called)) {
            self.kept.entry(why).or_default().add(octets);
            return;
        }
        let until = ours.map_or(frames.len(), |ours| ours + 1);
        let site = frames.get(..until).unwrap_or_default().to_vec();
        self.live.entry(site).or_default().add(octets);
    }

    /// What there is to say: what libraries keep, then what is in use, most octets first, each
    /// with the function of ours that asked for it and the functions of libraries in between.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (why, sum) in &self.kept {
            lines.push(format!("kept for the whole life: {}: {why}", said(*sum)));
        }
        let mut live: Vec<(&Vec<Frame>, Sum)> = self.live.iter().map(|(k, v)| (k, *v)).collect();
        live.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.octets));
        for (site, sum) in live {
            let mut inwards = site.iter().rev();
            let of = inwards.next().map_or("an unknown place".to_owned(), name);
            lines.push(format!("live: {}: {of}", said(sum)));
            // Where none of ours asked, every function may tell who did.
            let all = !site.last().is_some_and(Frame::is_ours);
            let told = inwards.filter(|frame| all || !frame.is_of_std());
            lines.extend(told.map(|frame| format!("    calls {}", name(frame))));
        }
        let total = self.live.values().fold(Sum::default(), |all, one| Sum {
            blocks: all.blocks + one.blocks,
            octets: all.octets + one.octets,
        });
        lines.push(match total.blocks {
            0 => "no live blocks".to_owned(),
            _ => format!("in all {}", said(total)),
        });
        lines
    }
}

fn said(sum: Sum) -> String {
    let plural = if sum.blocks == 1 { "" } else { "s" };
    format!("{} block{plural}, {} octets", sum.blocks, sum.octets)
}

fn name(frame: &Frame) -> String {
    let place = match (frame.place.rsplit_once(STD), frame.place.rsplit_once(REGISTRY)) {
        (Some((_, place)), _) => place,
        // The registry has a name as well.
        (None, Some((_, place))) => place.split_once('/').map_or(place, |(_, place)| place),
        (None, None) => &frame.place,
    };
    match place {
        "" => frame.function.clone(),
        place => format!("{} ({place})", frame.function),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "   0: std::backtrace::Backtrace::force_capture
   1: <steadfast::system::heap::Counting as core::alloc::global::GlobalAlloc>::alloc
             at ./src/system/heap/mod.rs:100:9
   2: __rustc::__rust_alloc
             at ./src/main.rs:8:19
   3: alloc::alloc::alloc
             at /rustc/1/library/alloc/src/alloc.rs:95:9
      new<x>
             at /home/u/.cargo/registry/src/index-1/slab-0.4.12/src/lib.rs:7:5
   4: <steadfast::control::Table as core::default::Default>::default
             at /somewhere/src/control/table.rs:12:3
   5: steadfast::vrrp_process::run
             at ./src/vrrp/process.rs:60:5
   6: steadfast::cli::main
             at ./src/cli/mod.rs:9:1
";

    #[test]
    fn a_block_is_of_the_first_function_of_ours() {
        let frames = frames(TEXT);
        assert_eq!(frames[0].function, "alloc::alloc::alloc", "what records is left out");
        let mut found = Found::default();
        found.add(100, &frames);
        found.add(20, &frames);
        found.add(500, &[]);
        assert_eq!(
            found.lines(),
            [
                "live: 1 block, 500 octets: an unknown place",
                "live: 2 blocks, 120 octets: <steadfast::control::Table as \
                 core::default::Default>::default (/somewhere/src/control/table.rs:12:3)",
                "    calls new<x> (slab-0.4.12/src/lib.rs:7:5)",
                "in all 3 blocks, 620 octets",
            ]
        );
    }

    #[test]
    fn what_a_library_keeps_is_told_from_what_it_took_for_us() {
        let chain = |functions: &[&str]| {
            let frame =
                |function: &&str| Frame { function: (*function).to_owned(), place: String::new() };
            functions.iter().map(frame).collect::<Vec<_>>()
        };
        let ours = "steadfast::supervisor::work";
        let table = ["slab::Slab<T>::insert_at", "insert_io", ours];
        let mut found = Found::default();
        assert_eq!(found.lines(), ["no live blocks"]);
        found.add(64, &chain(&table));
        assert_eq!(
            found.lines(),
            [
                "kept for the whole life: 1 block, 64 octets: the reactor's table of descriptors: \
                 it only grows",
                "no live blocks"
            ]
        );
        // Neither a descriptor of the table, nor what we do while the reactor is at work.
        for leak in [&table[1..], &[ours, table[0], table[1]]] {
            let mut found = Found::default();
            found.add(64, &chain(leak));
            assert_eq!(found.lines().last().unwrap(), "in all 1 block, 64 octets", "{leak:?}");
        }
    }
}
