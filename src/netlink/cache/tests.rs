use std::net::IpAddr;

use super::{Cache, Change, Origin, What};
use crate::netlink::address::{Address, AddressFlags, ScopeNumber};
use crate::netlink::event::Event;
use crate::netlink::link::{Link, LinkFlags, LinkIndex};

fn link(index: u32, name: &str) -> Link {
    Link {
        index: LinkIndex(index),
        name: name.into(),
        flags: LinkFlags(0x41),
        mac: None,
        mtu: Some(1500),
        master: None,
        kind: None,
        promotes: None,
    }
}

fn address(index: u32, text: &str, flags: u32) -> Address {
    Address {
        link: LinkIndex(index),
        address: text.parse().unwrap(),
        prefix_len: 24,
        peer: None,
        broadcast: None,
        label: None,
        scope: ScopeNumber(0),
        flags: AddressFlags(flags),
        is_own: false,
    }
}

fn apply(cache: &mut Cache, event: Event) -> Vec<What> {
    let mut changes = Vec::new();
    cache.apply(event, Origin::Own, &mut changes);
    assert!(changes.iter().all(|change: &Change| change.origin == Origin::Own));
    changes.into_iter().map(|change| change.what).collect()
}

fn index_of(cache: &Cache, name: &str) -> Option<u32> {
    cache.link_named(name).map(|link| link.index.0)
}

/// A cache with one link `a` of index 1 and these addresses.
fn cache(addresses: &[(&str, u32)]) -> Cache {
    let mut cache = Cache::new();
    apply(&mut cache, Event::Link(link(1, "a")));
    for (text, flags) in addresses {
        apply(&mut cache, Event::Address(address(1, text, *flags)));
    }
    cache
}

fn sources(cache: &Cache, not: &[&str]) -> (Option<String>, Option<String>) {
    let is_virtual = |own: IpAddr| not.iter().any(|text| text.parse() == Ok(own));
    let interface = cache.interface("a", is_virtual).unwrap();
    (interface.ipv4.map(|a| a.to_string()), interface.ipv6.map(|a| a.to_string()))
}

// netlink:N-22
#[test]
fn only_what_is_different_is_reported() {
    let mut cache = Cache::new();
    let first = link(1, "a");
    let new = What::Link { before: None, after: Some(first.clone()) };
    assert_eq!(apply(&mut cache, Event::Link(first.clone())), [new]);
    assert_eq!(apply(&mut cache, Event::Link(first.clone())), []);
    let down = Link { flags: LinkFlags(1), ..first.clone() };
    assert!(first.flags.up() && !down.flags.up());
    let changed = What::Link { before: Some(first), after: Some(down.clone()) };
    assert_eq!(apply(&mut cache, Event::Link(down)), [changed]);

    let own = address(1, "10.0.0.1", 0);
    let new = What::Address { before: None, after: Some(own.clone()) };
    assert_eq!(apply(&mut cache, Event::Address(own.clone())), [new]);
    assert_eq!(apply(&mut cache, Event::Address(own.clone())), []);
    let other = Address { prefix_len: 32, ..own.clone() };
    assert_eq!(apply(&mut cache, Event::AddressGone(other)), []);
    let gone = What::Address { before: Some(own.clone()), after: None };
    assert_eq!(apply(&mut cache, Event::AddressGone(own.clone())), [gone]);
    assert_eq!(apply(&mut cache, Event::AddressGone(own)), []);
    assert!(cache.addresses.is_empty());
}

// netlink:N-23
#[test]
fn a_rename_moves_the_name() {
    let mut cache = cache(&[("10.0.0.1", 0)]);
    let what = apply(&mut cache, Event::Link(link(1, "b")));
    let renamed = What::Link { before: Some(link(1, "a")), after: Some(link(1, "b")) };
    assert_eq!(what, [renamed]);
    assert_eq!((index_of(&cache, "a"), index_of(&cache, "b")), (None, Some(1)));
    assert_eq!(cache.addresses(LinkIndex(1)).count(), 1, "its addresses stay");
}

// netlink:N-23
#[test]
fn made_again_is_another_link() {
    let mut cache = cache(&[("10.0.0.1", 0)]);
    let what = apply(&mut cache, Event::LinkGone(link(1, "a")));
    let address = What::Address { before: Some(address(1, "10.0.0.1", 0)), after: None };
    assert_eq!(what, [address, What::Link { before: Some(link(1, "a")), after: None }]);
    assert_eq!(index_of(&cache, "a"), None);
    assert_eq!(apply(&mut cache, Event::LinkGone(link(1, "a"))), []);
    apply(&mut cache, Event::Link(link(2, "a")));
    assert_eq!(index_of(&cache, "a"), Some(2));
    assert_eq!(cache.addresses(LinkIndex(2)).count(), 0);
}

#[test]
fn a_name_that_two_have_is_the_last_ones() {
    let mut cache = cache(&[]);
    apply(&mut cache, Event::Link(link(2, "a")));
    assert_eq!(index_of(&cache, "a"), Some(2));
    // The late end of the first does not take the name from the second ...
    apply(&mut cache, Event::LinkGone(link(1, "a")));
    assert_eq!(index_of(&cache, "a"), Some(2));
    // ... and the end of the second gives it back.
    apply(&mut cache, Event::Link(link(3, "a")));
    apply(&mut cache, Event::LinkGone(link(3, "a")));
    assert_eq!(index_of(&cache, "a"), Some(2));
}

#[test]
fn virtual_and_secondary_addresses_are_no_source() {
    let cache = cache(&[("10.0.0.9", 1), ("10.0.0.1", 0), ("10.0.1.1", 0)]);
    assert_eq!(sources(&cache, &[]).0.as_deref(), Some("10.0.0.1"));
    assert_eq!(sources(&cache, &["10.0.0.1"]).0.as_deref(), Some("10.0.1.1"));
    // Better than none.
    let rest = sources(&cache, &["10.0.0.1", "10.0.1.1"]).0;
    assert_eq!(rest.as_deref(), Some("10.0.0.9"));
    assert_eq!(sources(&cache, &["10.0.0.1", "10.0.1.1", "10.0.0.9"]).0, None);
    assert_eq!(cache.interface("b", |_| false), None);
}

#[test]
fn the_widest_scope_is_the_source() {
    let mut cache = Cache::new();
    apply(&mut cache, Event::Link(link(1, "a")));
    for (text, scope) in [("169.254.0.1", 253), ("10.0.0.2", 0), ("10.0.0.1", 0)] {
        let scope = ScopeNumber(scope);
        apply(&mut cache, Event::Address(Address { scope, ..address(1, text, 0) }));
    }
    assert_eq!(sources(&cache, &[]).0.as_deref(), Some("10.0.0.2"));
    assert_eq!(sources(&cache, &["10.0.0.1", "10.0.0.2"]).0.as_deref(), Some("169.254.0.1"));
}

#[test]
fn ipv6_needs_a_link_local_address_that_is_unique() {
    let tentative = 0x40;
    let failed = 0x08;
    let cache = cache(&[
        ("2001:db8::1", 0),
        ("fe80::1", tentative),
        ("fe80::2", failed),
        ("fe80::4", 0),
        ("fe80::3", 0),
    ]);
    assert_eq!(sources(&cache, &[]), (None, Some("fe80::3".to_owned())));
    assert_eq!(sources(&cache, &["fe80::3"]).1.as_deref(), Some("fe80::4"));
    assert_eq!(sources(&cache, &["fe80::3", "fe80::4"]).1, None);
}

// netlink:N-10
#[test]
fn a_new_picture_is_compared_with_the_old() {
    let mut old = cache(&[("10.0.0.1", 0), ("10.0.0.2", 0), ("10.0.0.3", 0)]);
    apply(&mut old, Event::Link(link(2, "b")));
    apply(&mut old, Event::Address(address(2, "10.0.2.1", 0)));
    let mut new = cache(&[("10.0.0.1", 0), ("10.0.0.3", 1), ("10.0.0.4", 0)]);
    apply(&mut new, Event::Link(link(3, "b")));

    let mut changes = Vec::new();
    old.replace(new.clone(), &mut changes);
    assert!(changes.iter().all(|change| change.origin == Origin::Other));
    let what: Vec<What> = changes.into_iter().map(|change| change.what).collect();
    let gone = |text, index| What::Address { before: Some(address(index, text, 0)), after: None };
    assert_eq!(
        what,
        [
            gone("10.0.0.2", 1),
            gone("10.0.2.1", 2),
            What::Link { before: Some(link(2, "b")), after: None },
            What::Link { before: None, after: Some(link(3, "b")) },
            What::Address {
                before: Some(address(1, "10.0.0.3", 0)),
                after: Some(address(1, "10.0.0.3", 1)),
            },
            What::Address { before: None, after: Some(address(1, "10.0.0.4", 0)) },
        ]
    );
    assert_eq!(old, new);
    assert_eq!(index_of(&old, "b"), Some(3));
    let mut changes = Vec::new();
    old.replace(new, &mut changes);
    assert_eq!(changes, []);
}

#[test]
fn ports_of_what_takes_all_packets_are_known() {
    for (kind, takes_all) in [
        ("bridge", true),
        ("bond", true),
        ("team", true),
        ("openvswitch", true),
        ("vrf", false),
        ("macvlan", false),
    ] {
        let mut cache = Cache::new();
        let port = Link { master: Some(LinkIndex(2)), ..link(1, "a") };
        apply(&mut cache, Event::Link(port));
        // Its master is not known yet.
        assert!(!cache.interface("a", |_| false).unwrap().port);
        apply(&mut cache, Event::Link(Link { kind: Some(kind.into()), ..link(2, "m") }));
        assert_eq!(cache.interface("a", |_| false).unwrap().port, takes_all, "{kind}");
        let master = cache.taken_by(cache.link_named("a").unwrap());
        assert_eq!(master.map(|link| &*link.name), takes_all.then_some("m"), "{kind}");
        assert!(!cache.interface("m", |_| false).unwrap().port);
        apply(&mut cache, Event::Link(link(1, "a")));
        assert!(!cache.interface("a", |_| false).unwrap().port);
    }
}

#[test]
fn an_address_has_variants_on_its_link() {
    let mut cache = cache(&[("10.0.0.1", 0), ("10.0.0.2", 0), ("2001:db8::1", 0)]);
    apply(&mut cache, Event::Link(link(2, "b")));
    apply(&mut cache, Event::Address(address(2, "10.0.0.1", 0)));
    let long = Address { prefix_len: 32, ..address(1, "10.0.0.1", 0) };
    let peer = Some([10, 0, 0, 9].into());
    let pointing = Address { prefix_len: 30, peer, ..address(1, "10.0.0.1", 0) };
    apply(&mut cache, Event::Address(long.clone()));
    apply(&mut cache, Event::Address(pointing.clone()));
    let variants = |cache: &Cache, index, text: &str| -> Vec<u8> {
        let found = cache.variants(LinkIndex(index), text.parse().unwrap());
        found.map(|address| address.prefix_len).collect()
    };
    assert_eq!(variants(&cache, 1, "10.0.0.1"), [24, 30, 32]);
    assert_eq!(variants(&cache, 1, "10.0.0.2"), [24]);
    assert_eq!(variants(&cache, 2, "10.0.0.1"), [24]);
    assert_eq!(variants(&cache, 2, "10.0.0.2"), [0_u8; 0]);
    apply(&mut cache, Event::AddressGone(long));
    assert_eq!(variants(&cache, 1, "10.0.0.1"), [24, 30]);
}
