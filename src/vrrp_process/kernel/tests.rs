use super::*;
use crate::control::event::{Concern, text};
use crate::netlink::batch::Outcome;
use crate::vrrp::settings::Settings;

/// An engine that wants an address and a route, and what there is of them: nothing.
fn scene() -> (Engine, Kernel, ObjectId, ObjectId) {
    let text = "[vrrp.instance.lan]\ninterface = \"lo\"\nvirtual_router_id = 1\n\
                virtual_addresses = [\"192.0.2.251/32\"]\n\
                virtual_routes = [\"198.51.100.0/24 dev lo\"]\n";
    let settings = Settings::from_model(&crate::config::parse(text, None).model.unwrap());
    let engine = Engine::new(&settings);
    let mut kernel = Kernel::open().unwrap();
    kernel.configure(&engine).unwrap();
    let lan = engine.instance("lan").unwrap();
    let of = |wanted: fn(&Object) -> bool| {
        engine.objects(lan).find(|(_, object)| wanted(object)).unwrap().0
    };
    let address = of(|object| matches!(object, Object::Address(_)));
    let route = of(|object| matches!(object, Object::Route(_)));
    while !kernel.monitor.is_current() {
        kernel.read(&mut Set::new()).unwrap();
    }
    kernel.observe(&engine);
    (engine, kernel, address, route)
}

fn answer(kernel: &mut Kernel, object: ObjectId, unsure: bool, outcome: Outcome) -> Vec<Done> {
    let token = Token::Asked(Asked { object, present: true, unsure, again: false });
    kernel.answered(Answer { token, outcome }, Instant::ORIGIN);
    kernel.take_done()
}

fn errno(done: &[Done]) -> Vec<Option<i32>> {
    done.iter().map(|done| done.result.err().map(|error| error.0)).collect()
}

// netlink:N-56
#[test]
fn a_route_that_exists_already_may_be_somebody_else_s() {
    let (engine, mut kernel, address, route) = scene();
    assert_eq!(errno(&answer(&mut kernel, address, false, Outcome::Unchanged)), [None]);
    assert!(!kernel.has_doubts());
    assert_eq!(errno(&answer(&mut kernel, route, true, Outcome::Unchanged)), []);
    assert!(kernel.has_doubts());
    kernel.observe(&engine);
    let done = kernel.take_done();
    assert_eq!(errno(&done), [Some(Errno::EEXIST as i32)]);
    assert_eq!(
        kernel.take_words(done[0].object).as_deref(),
        Some(
            "another route with this destination and metric is in its place: write another metric"
        )
    );
    assert!(!kernel.has_doubts());
}

#[test]
fn what_is_missing_was_removed_unless_something_is_still_to_come() {
    let (mut engine, mut kernel, address, _) = scene();
    let known = crate::vrrp::Event::Object { object: address, present: true };
    engine.handle(known, Instant::ORIGIN);
    let look = |kernel: &mut Kernel| {
        kernel.dirty.insert(address);
        kernel.observe(&engine)
    };
    assert_eq!(look(&mut kernel), [(address, Seen::Removed)]);
    assert_eq!(kernel.observe(&engine), [], "nothing happened since");
    kernel.in_flight.insert(address, 1);
    assert_eq!(look(&mut kernel), [], "the answer is not here yet");
    kernel.in_flight.clear();
    kernel.unheard.insert(address);
    assert_eq!(look(&mut kernel), [], "the event about a new IPv6 address comes late");
    kernel.unheard.clear();
    kernel.ipv6_readiness.expect(address, LinkIndex(1), Ipv6Addr::LOCALHOST);
    assert_eq!(look(&mut kernel), [], "it is not open yet");
    kernel.ipv6_readiness.forget(address);
    assert_eq!(kernel.observe(&engine), [(address, Seen::Removed)], "it was not forgotten");
}

#[test]
fn a_lost_answer_is_what_there_is() {
    let (engine, mut kernel, address, _) = scene();
    assert_eq!(errno(&answer(&mut kernel, address, false, Outcome::Lost)), []);
    kernel.observe(&engine);
    assert_eq!(errno(&kernel.take_done()), [Some(Errno::EAGAIN as i32)]);
}

#[test]
fn what_can_not_be_asked_is_answered_once() {
    let (_, mut kernel, address, _) = scene();
    let text = "[vrrp.instance.lan]\ninterface = \"none0\"\nvirtual_router_id = 1\n\
                virtual_addresses = [\"192.0.2.251/32\"]\n";
    let settings = Settings::from_model(&crate::config::parse(text, None).model.unwrap());
    let engine = Engine::new(&settings);
    kernel.configure(&engine).unwrap();
    kernel.ask(&engine, address, true);
    assert_eq!(errno(&kernel.take_done()), [Some(Errno::ENODEV as i32)]);
    kernel.ask(&engine, address, false);
    assert_eq!(errno(&kernel.take_done()), [None], "it is gone with its interface");
}

#[test]
fn a_reload_is_about_what_it_changes() {
    let model = |addresses: &str, priority: u8| {
        let text = format!(
            "[vrrp.instance.lan]\ninterface = \"lo\"\nvirtual_router_id = 1\n\
             virtual_addresses = [\"192.0.2.251/32\"]\n\
             [vrrp.instance.dmz]\ninterface = \"lo\"\nvirtual_router_id = 2\npriority = {priority}\n\
             virtual_addresses = [{addresses}]\n"
        );
        crate::config::parse(&text, None).model.unwrap()
    };
    let [one, two, three]: [IpAddr; 3] =
        ["192.0.2.251", "192.0.2.252", "192.0.2.253"].map(|address| address.parse().unwrap());
    let mut before = model("\"192.0.2.252/32\"", 100);
    let mut engine = Engine::new(&Settings::from_model(&before));
    let mut kernel = Kernel::open().unwrap();
    kernel.configure(&engine).unwrap();
    for (addresses, priority, dirty, moves) in [
        ("\"192.0.2.252/32\"", 100, 0, [true, true, false]),
        ("\"192.0.2.252/32\", \"192.0.2.253/32\"", 100, 2, [true, true, true]),
        ("\"192.0.2.253/32\"", 100, 1, [true, false, true]),
        ("\"192.0.2.253/32\"", 255, 1, [true, false, false]),
    ] {
        let after = model(addresses, priority);
        let change = crate::vrrp::change::Change::between_models(Some(&before), &after);
        engine.handle(crate::vrrp::Event::Reload(&change), Instant::ORIGIN);
        kernel.dirty.clear();
        kernel.configure(&engine).unwrap();
        assert_eq!(kernel.dirty.len(), dirty, "{addresses}");
        assert_eq!([one, two, three].map(|address| kernel.moves(address)), moves, "{addresses}");
        before = after;
    }
}

#[test]
fn an_address_that_was_a_virtual_one_is_a_real_one_at_the_next_reload() {
    let model = |more: &str, priority: u8| {
        let text = format!(
            "[vrrp.instance.lan]\ninterface = \"lo\"\nvirtual_router_id = 1\n\
             virtual_addresses = [\"192.0.2.251/32\"{more}]\n\
             [vrrp.instance.dmz]\ninterface = \"lo\"\nvirtual_router_id = 2\npriority = {priority}\n\
             virtual_addresses = [\"192.0.2.252/32\"]\n"
        );
        crate::config::parse(&text, None).model.unwrap()
    };
    let address: IpAddr = "192.0.2.253".parse().unwrap();
    let mut before = model(", \"192.0.2.253/32\"", 100);
    let mut engine = Engine::new(&Settings::from_model(&before));
    let mut kernel = Kernel::open().unwrap();
    kernel.configure(&engine).unwrap();
    let object = kernel.address_index.of(address).next().unwrap();
    // It is there until the kernel says otherwise; the instance that had it does not change again.
    for (present, more, priority, moves) in
        [(true, ", \"192.0.2.253/32\"", 101, true), (true, "", 101, true), (false, "", 102, false)]
    {
        engine.handle(crate::vrrp::Event::Object { object, present }, Instant::ORIGIN);
        let after = model(more, priority);
        let change = crate::vrrp::change::Change::between_models(Some(&before), &after);
        engine.handle(crate::vrrp::Event::Reload(&change), Instant::ORIGIN);
        kernel.configure(&engine).unwrap();
        assert_eq!(kernel.moves(address), moves, "{priority}");
        assert_eq!(kernel.address_index.of(address).count(), usize::from(moves));
        before = after;
    }
}

/// netlink:N-43: the same IPv6 address with another prefix length is not ours.
#[test]
fn what_exists_otherwise_is_asked_for_once_more() {
    let (engine, mut kernel, address, _) = scene();
    assert_eq!(errno(&answer(&mut kernel, address, true, Outcome::Unchanged)), []);
    kernel.observe(&engine);
    assert_eq!(errno(&kernel.take_done()), [], "it is asked for again");
    assert_eq!(kernel.in_flight.get(&address), Some(&1));
    let asked = Asked { object: address, present: true, unsure: true, again: true };
    let outcome = Outcome::Unchanged;
    kernel.answered(Answer { token: Token::Asked(asked), outcome }, Instant::ORIGIN);
    kernel.observe(&engine);
    assert_eq!(errno(&kernel.take_done()), [Some(Errno::EEXIST as i32)], "not for ever");
}

/// netlink:N-44
#[test]
fn a_setting_that_is_refused_is_told_once() {
    let (engine, mut kernel, address, _) = scene();
    let lo = kernel.link("lo").unwrap().index;
    let refused = |kernel: &mut Kernel| {
        let Some(Object::Address(one)) = engine.object(address) else { panic!("an address") };
        kernel.promote(address, lo, one, false);
        let error =
            crate::netlink::error::KernelError { errno: Errno::EPERM, text: None, offset: None };
        let token = Token::Promotion(address, lo);
        let outcome = Outcome::Refused(error);
        kernel.answered(Answer { token, outcome }, Instant::ORIGIN);
        kernel.take_notes()
    };
    let notes = refused(&mut kernel);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].object, address);
    assert!(Concern::of(&notes[0].what).is_some(), "status shows it");
    let text = text::what(&notes[0].what);
    assert!(text.starts_with("promote_secondaries of lo cannot be set: Operation not p"), "{text}");
    assert!(text.ends_with("sysctl net.ipv4.conf.lo.promote_secondaries=1"), "{text}");
    assert_eq!(refused(&mut kernel), []);
    // Then the kernel may take others along.
    let lost = |flags, is_own| Address {
        link: lo,
        address: [192, 0, 2, 9].into(),
        prefix_len: 24,
        peer: None,
        broadcast: None,
        label: None,
        scope: crate::netlink::address::ScopeNumber(0),
        flags: crate::netlink::address::AddressFlags(flags),
        is_own,
    };
    for (flags, is_own, ours, told) in
        [(1, false, true, 1), (1, false, false, 0), (0, false, true, 0), (1, true, true, 0)]
    {
        kernel.address_changed(Some(&lost(flags, is_own)), None, ours);
        let notes = kernel.take_notes();
        assert_eq!(notes.len(), told, "{notes:?}");
        assert!(
            notes
                .iter()
                .all(|note| text::what(&note.what).starts_with("192.0.2.9/24 on lo went with"))
        );
    }
}
