//! What the kernel, or somebody who pretends to be it, says by netlink.

mod mirror;
mod queues;

use steadfast::netlink::address::Address;
use steadfast::netlink::cache::Cache;
use steadfast::netlink::error::Reply;
use steadfast::netlink::event::Event;
use steadfast::netlink::frame::{HEADER_LEN, Message, Sequence, attributes, messages};
use steadfast::netlink::link::LinkIndex;
use steadfast::netlink::route::{KernelRoute, Resolved};
use steadfast::netlink::{address, lookup, route, rule};
use steadfast::vrrp::settings::Object;

use super::input::Input;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() % 8 {
        0 => read(input.rest()),
        1 => bodies(&mut input),
        2..=5 => mirror::run(&mut input),
        6 => queues::batch(&mut input),
        _ => queues::filter(&mut input),
    }
}

/// A datagram of anything.
fn read(datagram: &[u8]) {
    let mut used = 0;
    for message in messages(datagram) {
        let Ok(message) = message else { break };
        used += HEADER_LEN + message.payload.len();
        assert!(used <= datagram.len(), "read behind the end");
        decode(&message);
    }
}

/// Everything that looks into a message.
fn decode(message: &Message<'_>) {
    if let Ok(Some(Event::Link(link) | Event::LinkGone(link))) = Event::decode(message) {
        assert!(!link.name.is_empty(), "a link has a name");
    }
    if let Ok(Some(Reply::Refused(error))) = Reply::of_answer(message) {
        assert!(!error.to_string().is_empty());
    }
    let _ = Reply::of_end(message.payload);
    let _ = lookup::is_local(message.payload);
    for all in [false, true] {
        if let Ok(Some(seen)) = KernelRoute::decode(message.payload, all) {
            assert!(all || seen.is_own);
        }
    }
    if let Ok(Some(rule)) = rule::decode(message.payload) {
        // What can be read can be said, and means the same.
        let mut octets = Vec::new();
        if rule::encode_add(&mut octets, Sequence(1), &rule).is_ok() {
            let read = rule::decode(only(&octets).payload);
            assert!(matches!(&read, Ok(Some(read)) if rule::is(read, &rule)), "{rule:?} {read:?}");
        }
    }
    let mut used = 0;
    for attribute in attributes(message.payload) {
        let Ok((_, value)) = attribute else { break };
        used += 4 + value.len();
        assert!(used <= message.payload.len(), "read behind the end");
    }
}

/// One message with a good header.
fn bodies(input: &mut Input<'_>) {
    let kind = input.one_of(&[2, 3, 16, 17, 20, 21, 24, 25, 32, 33]);
    let flags = input.u16();
    let datagram = datagram(kind, flags, 1, 1, input.rest());
    read(&datagram);
}

/// A message as the kernel frames it.
fn datagram(kind: u16, flags: u16, sequence: u32, port: u32, body: &[u8]) -> Vec<u8> {
    let len = HEADER_LEN + body.len();
    let mut octets = u32::try_from(len).expect("short").to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend(sequence.to_ne_bytes());
    octets.extend(port.to_ne_bytes());
    octets.extend(body);
    octets.resize(len.next_multiple_of(4), 0);
    octets
}

/// The message of a request, which has to be one.
fn only(octets: &[u8]) -> Message<'_> {
    let mut all = messages(octets);
    let message = all.next().expect("there is one").expect("it is whole");
    assert!(all.next().is_none(), "there is one message");
    message
}

/// What is configured can be asked for, and is recognised when the kernel repeats it.
pub fn objects(objects: &[Object]) {
    let link = LinkIndex(7);
    for object in objects {
        let mut octets = Vec::new();
        match object {
            Object::Filter => {}
            Object::Address(configured) | Object::Excluded(configured) => {
                let written = address::encode_add(&mut octets, Sequence(1), link, configured);
                assert!(written.is_ok(), "{configured:?} cannot be added");
                let read = Address::decode(only(&octets).payload).expect("it is whole");
                let read = read.expect("it is an address");
                assert_eq!((read.link, read.address), (link, configured.address));
                assert_eq!(read.prefix_len, configured.prefix_len);
                assert!(read.is_own);
                octets.clear();
                let written = address::encode_delete(&mut octets, Sequence(1), link, configured);
                assert!(written.is_ok(), "{configured:?} cannot be deleted");
            }
            Object::Route(configured) => {
                // All interfaces have to be there.
                let mut cache = Cache::new();
                let names = configured.next_hops.iter().filter_map(|hop| hop.interface.as_deref());
                for (number, name) in (1..).zip(names) {
                    mirror::add_link(&mut cache, number, name);
                }
                let resolved = Resolved::new(configured, &cache).expect("the links are there");
                let written = route::encode_add(&mut octets, Sequence(1), &resolved);
                assert!(written.is_ok(), "{configured:?} cannot be added");
                let seen = KernelRoute::decode(only(&octets).payload, false).expect("it is whole");
                let seen = seen.expect("it is ours");
                assert_eq!(seen.is(configured, &cache), Ok(true), "{configured:?} {seen:?}");
                octets.clear();
                let written = route::encode_delete(&mut octets, Sequence(1), &resolved);
                assert!(written.is_ok(), "{configured:?} cannot be deleted");
            }
            Object::Rule(configured) => {
                let written = rule::encode_add(&mut octets, Sequence(1), configured);
                assert!(written.is_ok(), "{configured:?} cannot be added");
                let read = rule::decode(only(&octets).payload).expect("it is whole");
                let read = read.expect("it is ours");
                assert!(rule::is(&read, configured), "{configured:?} {read:?}");
            }
        }
    }
}

/// What a file says can be asked to be removed, or not; nothing else happens.
pub fn removals(objects: &[Object]) {
    for object in objects {
        let mut octets = Vec::new();
        let written = match object {
            Object::Filter => continue,
            Object::Address(held) | Object::Excluded(held) => {
                address::encode_delete(&mut octets, Sequence(1), LinkIndex(7), held)
            }
            Object::Route(held) => {
                let resolved = Resolved::to_delete(held, |_| None);
                route::encode_delete(&mut octets, Sequence(1), &resolved)
            }
            Object::Rule(held) => rule::encode_delete(&mut octets, Sequence(1), held),
        };
        if written.is_ok() {
            decode(&only(&octets));
        }
    }
}
