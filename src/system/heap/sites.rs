//! Groups blocks in use by the call sites in their backtraces.

use std::collections::BTreeMap;

/// Prefix of the names of functions of this crate.
const OWN_PREFIX: &str = concat!(env!("CARGO_PKG_NAME"), "::");
/// Prefixes of the source paths of this crate, seen from another directory and from this one. Inlined
/// functions have short names, but full paths.
const OWN_PATHS: [&str; 2] = [concat!(env!("CARGO_MANIFEST_DIR"), "/src/"), "./src/"];
/// Prefix of the compiler's allocator functions. Frames inside of them belong to the recorder.
const ALLOCATOR_PREFIX: &str = "__rustc::";
/// Parts of the source paths of the standard library and of other crates.
const STD_PATH: &str = "/library/";
const REGISTRY_PATH: &str = "/registry/src/";

/// Blocks that libraries keep until the process ends, by design: parts of the names of the allocating
/// functions, all of which are called before the innermost function of ours, and the reason.
const KEPT_BY_LIBRARIES: &[(&[&str], &str)] = &[
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

/// A frame of a backtrace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Frame {
    /// The name of the function.
    pub function: String,
    /// File and line, if they are known.
    pub place: String,
}

impl Frame {
    /// Whether it is a function of this crate.
    fn is_ours(&self) -> bool {
        self.function.trim_start_matches(['<', '&']).starts_with(OWN_PREFIX)
            || OWN_PATHS.iter().any(|place| self.place.starts_with(place))
    }

    /// Whether it is a function of the standard library, which adds nothing to its caller's frame.
    fn is_of_std(&self) -> bool {
        let name = self.function.trim_start_matches('<');
        ["core::", "alloc::", "std::"].iter().any(|root| name.starts_with(root))
            || self.place.contains(STD_PATH)
    }

    fn is_of_allocator(&self) -> bool {
        self.function.starts_with(ALLOCATOR_PREFIX)
    }
}

/// The frames of a backtrace in its text form, the innermost first, without those of the recorder.
pub fn frames(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(last) = frames.last_mut() {
                place.clone_into(&mut last.place);
            }
            continue;
        }
        // Inlined functions have no number.
        let numbered = line.split_once(": ").filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()));
        let function = numbered.map_or(line, |(_, function)| function);
        frames.push(Frame { function: function.to_owned(), place: String::new() });
    }
    let inner = frames.iter().position(Frame::is_of_allocator).map_or(0, |first| first + 1);
    frames.split_off(inner)
}

/// The blocks of one call site.
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

/// Blocks in use by call site.
#[derive(Default, Debug)]
pub struct Found {
    live: BTreeMap<Vec<Frame>, Sum>,
    kept: BTreeMap<&'static str, Sum>,
}

impl Found {
    /// Adds a block of this size.
    pub fn add(&mut self, octets: usize, frames: &[Frame]) {
        let ours = frames.iter().position(Frame::is_ours);
        let library = frames.get(..ours.unwrap_or(frames.len())).unwrap_or_default();
        let called = |name: &&str| library.iter().any(|frame| frame.function.contains(name));
        if let Some((_, why)) = KEPT_BY_LIBRARIES.iter().find(|(names, _)| names.iter().all(called))
        {
            self.kept.entry(why).or_default().add(octets);
            return;
        }
        let until = ours.map_or(frames.len(), |ours| ours + 1);
        let site = frames.get(..until).unwrap_or_default().to_vec();
        self.live.entry(site).or_default().add(octets);
    }

    /// The report: blocks that libraries keep, then the blocks in use, most octets first, each with
    /// the function of ours that allocated it and the library functions in between.
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
            // Without a function of ours, every frame may help to find the cause.
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
    let place = match (frame.place.rsplit_once(STD_PATH), frame.place.rsplit_once(REGISTRY_PATH)) {
        (Some((_, place)), _) => place,
        // The first component is the name of the registry.
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
