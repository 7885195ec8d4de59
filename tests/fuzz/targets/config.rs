//! A configuration that anybody wrote, up to the engine and the requests to the kernel.

use steadfast::config::diagnostic::{Diagnostic, Renderer, Severity};
use steadfast::config::diff::Diff;
use steadfast::config::machine::Machine;
use steadfast::config::model::Model;
use steadfast::config::report::{Counts, findings, lines};
use steadfast::config::{parse, source};
use steadfast::units::Instant;
use steadfast::vrrp::change::Change;
use steadfast::vrrp::settings::Settings;
use steadfast::vrrp::{Action, Announcement, Engine, Event, InterfaceState, KernelRequest, Urgent};

use super::netlink;

/// Turns of the engine with what was accepted.
const ENGINE_TURNS: usize = 20;
const ACTIONS: usize = 100_000;

pub fn run(data: &[u8]) {
    let Ok(text) = source::decode(data.to_vec()) else { return };
    let parsed = parse(&text, None);
    check_places(&text, &parsed.diagnostics);
    let failed = parsed.diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(parsed.model.is_none(), failed, "refused with an error, or accepted without one");

    // Each takes as long as the first: which one is done depends on the text.
    match text.len() % 4 {
        0 => {
            let again = parse(&text, None);
            assert_eq!(again.diagnostics, parsed.diagnostics, "the same text, the same words");
            assert_eq!(again.model, parsed.model, "the same text, the same meaning");
        }
        1 => {
            let machine = machine(parsed.model.as_ref());
            let here = parse(&text, Some(&machine));
            check_places(&text, &here.diagnostics);
            assert!(here.model.is_none() || !failed, "the machine makes nothing right");
        }
        2 => show(&text, &parsed.diagnostics),
        _ => {}
    }
    if let Some(model) = parsed.model {
        assert!(Diff::between(&model, &model).is_empty(), "no difference to itself");
        assert!(Diff::between(&Model::default(), &model).is_empty() == (model == Model::default()));
        accepted(&model);
    }
}

/// Every remark is about something in the text, and can be shown.
fn check_places(text: &str, diagnostics: &[Diagnostic]) {
    let renderer = Renderer::new("f.toml", text);
    let count = text.split('\n').count();
    for diagnostic in diagnostics {
        let related = diagnostic.related.iter().map(|(span, _)| span);
        for span in std::iter::once(&diagnostic.span).chain(related) {
            assert!(
                text.get(span.clone()).is_some(),
                "{span:?} is not in the text: {diagnostic:?}"
            );
            let position = renderer.position(span.start);
            assert!((1..=count).contains(&position.line) && position.column > 0);
        }
        assert!(!diagnostic.message.is_empty());
        assert!(!renderer.line_for_log(diagnostic).contains('\n'));
    }
}

fn show(text: &str, diagnostics: &[Diagnostic]) {
    let shown = findings("f.toml", text, diagnostics, false);
    assert!(!shown.contains('\x1b'), "no colour that was not asked for");
    let _ = findings("f.toml", text, diagnostics, true);
    let _ = Counts::of(diagnostics).to_string();
    for severity in [Severity::Warning, Severity::Error] {
        let _ = lines("f.toml", text, diagnostics, severity);
    }
}

/// One that has some of what the configuration names.
fn machine(model: Option<&Model>) -> Machine {
    let (mut interfaces, mut addresses): (Vec<Box<str>>, _) = (vec!["lo".into()], Vec::new());
    for instance in model.iter().flat_map(|model| &model.instances).step_by(2) {
        interfaces.push(instance.settings.interface.clone());
        for address in &instance.addresses {
            addresses.push((instance.settings.interface.clone(), address.address));
        }
    }
    Machine::of(interfaces, addresses)
}

/// What is accepted can be done.
fn accepted(model: &Model) {
    let settings = Settings::from_model(model);
    let octets = postcard::to_allocvec(&Change::between_models(None, model));
    let octets = octets.expect("settings go to the child");
    let there: Change = postcard::from_bytes(&octets).expect("and arrive");
    assert_eq!(there.into_settings().as_ref(), Some(&settings));
    for instance in &settings.instances {
        netlink::objects(&instance.objects);
    }
    let mut engine = Engine::new(&settings);
    let mut now = Instant::from_nanos(1_000_000_000);
    let interfaces: Vec<_> = engine.interfaces().map(|(id, _)| id).collect();
    for interface in interfaces {
        let (ipv4, ipv6) = (Some([192, 0, 2, 200].into()), "fe80::200".parse().ok());
        let state =
            InterfaceState { present: true, up: true, ipv4, ipv6, ..InterfaceState::default() };
        engine.handle(Event::Interface { interface, state }, now);
    }
    engine.handle(Event::Start, now);
    work(&mut engine, now);
    for _ in 0..ENGINE_TURNS {
        let Some(due) = engine.next_deadline() else { break };
        now = now.max(due);
        engine.handle(Event::Wake, now);
        work(&mut engine, now);
        assert!(engine.next_deadline().is_none_or(|due| due > now), "it would spin");
    }
    let same = Change::between_models(Some(model), model);
    engine.handle(Event::Reload(&same), now);
    work(&mut engine, now);
}

fn work(engine: &mut Engine, now: Instant) {
    for _ in 0..ACTIONS {
        let Some(action) = engine.poll_action() else { return };
        let answer = match action {
            Action::Kernel(KernelRequest::Install(object)) => Some((object, true)),
            Action::Kernel(KernelRequest::Remove(object)) => Some((object, false)),
            Action::Urgent(Urgent::SendAdvert { interval, .. }) => {
                assert!(interval.0 > 0);
                None
            }
            Action::Urgent(Urgent::DrainSockets)
            | Action::Kernel(KernelRequest::Mute(_))
            | Action::Kernel(KernelRequest::Unmute(_))
            | Action::Announcement(Announcement::Announce(_))
            | Action::Announcement(Announcement::Probe(_))
            | Action::Report(_) => None,
        };
        if let Some((object, present)) = answer {
            engine.handle(Event::Acknowledged { object, present, result: Ok(()) }, now);
        }
    }
    panic!("there is no end to the actions");
}
