//! A status document as text for a person: first how things stand, then what is wrong, then who
//! is what; details only as far as they fit a screen.

mod details;
mod text;

use text::{Page, Paint};

use super::event::Level;
use super::event::json::Event;
use super::humanize::{decimals, length, plural, utc};
use super::status::{
    Crash, Daemon, Document, InstanceStatus, Memory, ProcessStatus, State, VRRP, VerdictLevel,
    Warning, WarningKind,
};
use super::verdict::counts;

/// How many instances are shown with all details, unless one is asked for by its name.
const MAX_DETAILED_INSTANCES: usize = 4;
/// How many changes of state are shown.
const MAX_TRANSITIONS: usize = 10;
/// How many warnings are shown.
const MAX_WARNINGS: usize = 12;
/// How many lines of a refused configuration's diagnostics are shown.
const MAX_REASON_LINES: usize = 12;

/// The whole text; `colour` allows escape sequences.
pub fn document(document: &Document, colour: bool) -> String {
    let mut page = Page::new(colour);
    verdict(document, &mut page);
    warnings(&document.warnings, &mut page);
    if let Some(instances) = document.instances.as_deref().filter(|all| !all.is_empty()) {
        page.end();
        table(instances, &mut page);
        if instances.len() <= MAX_DETAILED_INSTANCES {
            for instance in instances {
                details::instance(instance, &mut page);
            }
            details::legend(instances, &mut page);
            counted(document, &mut page);
        } else {
            page.item(Paint::Plain, "", 0, "All about one: steadfast status NAME");
        }
    }
    transitions(&document.transitions, document.time, &mut page);
    daemon(document, &mut page);
    memory(&document.daemon, &mut page);
    page.into_text()
}

/// One event as one line.
pub fn event(event: &Event, colour: bool) -> String {
    let mut page = Page::new(colour);
    page.put(Paint::Plain, &format!("{} ", utc(event.time)));
    let paint = match (event.level, event.to) {
        (Level::Error, _) | (_, Some(State::Fault)) => Paint::Bad,
        (Level::Warning, _) => Paint::Odd,
        (_, Some(State::Initialize | State::Backup | State::Master)) => Paint::Strong,
        (_, None) => Paint::Plain,
    };
    page.put(paint, &format!("{:<7}", event.level.name()));
    page.put(Paint::Plain, &format!(" {}", event.text));
    if event.left_out > 0 {
        let left_out = format!(" ({} more like this were left out before)", event.left_out);
        page.put(Paint::Plain, &left_out);
    }
    page.end();
    page.into_text()
}

fn verdict(document: &Document, page: &mut Page) {
    let word = document.verdict.level.name();
    let rest = document.verdict.text.strip_prefix(word);
    let paint = match document.verdict.level {
        VerdictLevel::Ok => Paint::Good,
        VerdictLevel::Degraded => Paint::Odd,
        VerdictLevel::Split | VerdictLevel::Dead => Paint::Bad,
    };
    page.put(paint, word);
    // Not broken into lines: monitors and people copy it as one.
    page.put(Paint::Plain, rest.unwrap_or(&document.verdict.text));
    page.end();
}

fn warnings(warnings: &[Warning], page: &mut Page) {
    if warnings.is_empty() {
        return;
    }
    let mut before = None;
    for warning in warnings.iter().take(MAX_WARNINGS) {
        let past = warning.ended_age.is_some();
        if before.replace(past) != Some(past) {
            page.heading(if past { "Past warnings" } else { "Warnings" });
        }
        let (mark, paint) = if counts(warning) { ("!", Paint::Bad) } else { ("-", Paint::Plain) };
        let text = format!("{}{}", warning.text, when(warning));
        page.item(paint, &format!("  {mark}"), 4, &text);
    }
    if let Some(more) = warnings.len().checked_sub(MAX_WARNINGS).filter(|more| *more > 0) {
        page.item(Paint::Plain, "", 4, &format!("and {more} more: steadfast status --json"));
    }
}

/// How often, and when the last time, or since when it is over.
fn when(warning: &Warning) -> String {
    let ago = length(warning.last_age);
    match (warning.kind, warning.count, warning.ended_age) {
        // When they were lost is not known.
        (WarningKind::RecordsLost, _, _) => String::new(),
        (_, 2.., Some(age)) => format!(" ({} times, ended {} ago)", warning.count, length(age)),
        (_, _, Some(age)) => format!(" (ended {} ago)", length(age)),
        (_, 2.., None) => format!(" ({} times, the last {ago} ago)", warning.count),
        (WarningKind::SplitBrain, _, None) => String::new(),
        (_, _, None) if warning.last_age < 0.1 => String::new(),
        (_, _, None) => format!(" ({ago} ago)"),
    }
}

fn table(instances: &[InstanceStatus], page: &mut Page) {
    let heading =
        ["INSTANCE", "STATE", "SINCE", "PRIORITY", "INTERFACE", "VRID", "MASTER", "ADVERT"];
    let mut rows = vec![heading.map(|word| (Paint::Strong, word.to_owned())).to_vec()];
    for instance in instances {
        let (master, age) = master(instance);
        rows.push(vec![
            (Paint::Plain, instance.name.clone()),
            (paint(instance.state), instance.state.name().to_owned()),
            (Paint::Plain, length(instance.state_age)),
            (Paint::Plain, priority(instance, "/")),
            (Paint::Plain, instance.interface.clone()),
            (Paint::Plain, instance.virtual_router_id.to_string()),
            (Paint::Plain, master),
            (Paint::Plain, age.map_or("-".to_owned(), length)),
        ]);
    }
    page.table(&rows);
}

/// Who is master, and the age of the oldest last advert of it.
fn master(instance: &InstanceStatus) -> (String, Option<f64>) {
    let oldest = |ages: &mut dyn Iterator<Item = f64>| ages.reduce(f64::max);
    match instance.state {
        State::Initialize | State::Fault => ("-".to_owned(), None),
        State::Master => {
            let text = if instance.handing_over { "handing over" } else { "this router" };
            let sent = &mut instance.routers.iter().filter_map(|router| router.last_sent_age);
            (text.to_owned(), oldest(sent))
        }
        State::Backup => {
            let mut masters = instance.routers.iter().filter_map(|router| router.master.as_ref());
            let heard = oldest(&mut masters.clone().map(|master| master.heard_age));
            let text = masters.next().map(|master| master.address.to_string());
            (text.unwrap_or("none heard".to_owned()), heard)
        }
    }
}

/// The effective priority, and the configured one when it is another.
fn priority(instance: &InstanceStatus, of: &str) -> String {
    let (now, base) = (instance.effective_priority, instance.base_priority);
    if now == base { now.to_string() } else { format!("{now}{of}{base}") }
}

const fn paint(state: State) -> Paint {
    match state {
        State::Master => Paint::Good,
        State::Backup => Paint::Plain,
        State::Initialize => Paint::Odd,
        State::Fault => Paint::Bad,
    }
}

fn transitions(events: &[Event], now: f64, page: &mut Page) {
    let Some(shown) = events.len().checked_sub(1).map(|last| (last + 1).min(MAX_TRANSITIONS))
    else {
        return;
    };
    page.heading("Last changes of state");
    for event in events.iter().skip(events.len() - shown) {
        let text = format!("{} ({} ago)", event.text, length(now - event.time));
        page.item(Paint::Plain, &format!("  {}", utc(event.time)), 24, &text);
    }
}

fn daemon(document: &Document, page: &mut Page) {
    let daemon = &document.daemon;
    page.heading("Daemon");
    let mut item = |label: &str, text: &str| {
        page.item(Paint::Plain, &format!("  {label}"), 13, text);
    };
    item(
        "steadfast",
        &format!(
            "{} on {}, process {}, up {}, log level {}",
            daemon.version,
            daemon.router_id,
            daemon.pid,
            length(daemon.uptime),
            daemon.log_level.name()
        ),
    );
    for running in &daemon.processes {
        item(&running.name, &process(running));
    }
    let configuration = &daemon.configuration;
    item(
        "config",
        &format!(
            "{}, generation {}, loaded {} ago",
            configuration.file,
            configuration.generation,
            length(configuration.loaded_age)
        ),
    );
    item("state", &daemon.state_dir);
    for last in daemon.processes.iter().filter_map(|process| process.crash.as_ref()) {
        crash(last, page);
    }
    if let Some(refused) = &configuration.refused {
        page.item(Paint::Bad, "  refused", 13, &format!("{} ago:", length(refused.age)));
        for line in refused.reason.lines().take(MAX_REASON_LINES) {
            page.put(Paint::Plain, &format!("    {line}"));
            page.end();
        }
        if refused.reason.lines().count() > MAX_REASON_LINES {
            let check = format!("all of it: steadfast check -c {}", configuration.file);
            page.item(Paint::Plain, "", 4, &check);
        }
    }
}

/// What each process has, as far as it is known.
fn memory(daemon: &Daemon, page: &mut Page) {
    let children = daemon.processes.iter();
    let children = children.filter_map(|child| Some((child.name.as_str(), child.memory.as_ref()?)));
    let own = daemon.memory.iter().map(|memory| ("supervisor", memory));
    let processes: Vec<(&str, &Memory)> = own.chain(children).collect();
    if processes.is_empty() {
        return;
    }
    page.heading("Memory in KiB: by the kernel, and as asked for by the program");
    let heading = ["  PROCESS", "RSS", "PSS", "ANONYMOUS", "HEAP", "PEAK", "BLOCKS", "ALLOCATIONS"];
    let mut rows = vec![heading.map(|word| (Paint::Strong, word.to_owned())).to_vec()];
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    for (name, memory) in &processes {
        let kibi = |octets: Option<u64>| number(octets.map(|octets| octets.div_ceil(1024)));
        let heap = memory.heap.as_ref();
        let row = [
            format!("  {name}"),
            kibi(memory.resident),
            kibi(memory.proportional),
            kibi(memory.anonymous),
            kibi(heap.map(|heap| heap.live)),
            kibi(heap.map(|heap| heap.peak)),
            number(heap.map(|heap| heap.blocks)),
            number(heap.map(|heap| heap.allocations)),
        ];
        rows.push(row.map(|cell| (Paint::Plain, cell)).to_vec());
    }
    page.table(&rows);
    for (name, memory) in &processes {
        if let Some(unknown) = &memory.unknown {
            page.item(Paint::Plain, "", 2, &format!("{name}: {unknown}"));
        }
    }
}

/// Since when is counted, if that is not since the daemon was started.
fn counted(document: &Document, page: &mut Page) {
    let daemon = &document.daemon;
    let Some(process) = daemon.process(VRRP) else { return };
    let Some(uptime) = process.uptime else { return };
    if process.restarts > 0 || daemon.upgraded.is_some() {
        let text = format!(
            "Adverts and changes are counted since the {VRRP} process was started, {} ago.",
            length(uptime)
        );
        page.item(Paint::Plain, "", 0, &text);
    }
}

fn crash(crash: &Crash, page: &mut Page) {
    let mut text = format!("{} ago: {}", length(crash.age), crash.end);
    if let (Some(ran), Some(stood), Some(late)) = (crash.ran, crash.loop_stood, crash.loop_late_max)
    {
        let (stood, late) = (decimals(stood, 3), decimals(late * 1000.0, 1));
        text += &format!(
            " after {}; its loop had last turned {stood} s before, and was late by {late} ms at \
             worst",
            length(ran)
        );
    }
    if crash.in_a_minute > 1 {
        text += &format!("; the crash number {} within a minute", crash.in_a_minute);
    }
    page.item(Paint::Odd, "  crashed", 13, &text);
    for line in &crash.last_lines {
        page.item(Paint::Plain, "    said", 13, line);
    }
}

/// "process 813, up 7.4 s, started again 3 times, netlink overruns: 1".
fn process(process: &ProcessStatus) -> String {
    let mut parts = Vec::new();
    parts.extend(process.pid.map(|pid| format!("process {pid}")));
    parts.extend(process.uptime.map(|uptime| format!("up {}", length(uptime))));
    if process.restarts > 0 {
        parts.push(format!("started again {}", plural(process.restarts as usize, "time")));
    }
    match (&process.report, process.starts_in) {
        (None, Some(time)) => {
            parts.push(format!("has ended, and is started again in {}", length(time)));
        }
        (None, None) => parts.push("does not answer".to_owned()),
        (Some(report), _) => {
            for (name, count) in report.counters.iter().filter(|(_, count)| **count > 0) {
                parts.push(format!("{}: {count}", name.replace('_', " ")));
            }
            for (count, what) in
                [(report.records_limited, "left out by limits"), (report.records_lost, "lost")]
            {
                if count > 0 {
                    parts.push(format!("{} {what}", plural(count, "record")));
                }
            }
        }
    }
    parts.join(", ")
}
