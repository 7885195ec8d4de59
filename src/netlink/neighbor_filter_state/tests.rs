use std::net::IpAddr;

use nix::errno::Errno;

use super::{FilterFailure, FilterState};
use crate::netlink::frame::{PortId, messages};
use crate::units::Family;

const PORT: u32 = 100;
const ARP: u8 = 3;
const IP6: u8 = 10;
const NEW_TABLE: u8 = 0;
const DELETE_TABLE: u8 = 2;
const NEW_CHAIN: u8 = 3;
const NEW_RULE: u8 = 6;
const NEW_SET: u8 = 9;
const NEW_ELEMENT: u8 = 12;
const DELETE_ELEMENT: u8 = 14;
const SET_UP: [u8; 7] =
    [NEW_TABLE, DELETE_TABLE, NEW_TABLE, NEW_SET, NEW_CHAIN, NEW_RULE, NEW_ELEMENT];

/// A batch as far as it matters: family, what its messages do, and their numbers.
#[derive(Debug)]
struct Sent {
    family: u8,
    verbs: Vec<u8>,
    numbers: Vec<u32>,
}

/// What is sent next; the beginning and the end of the batch are where they belong.
fn sent(filter: &mut FilterState) -> Option<Sent> {
    let octets = filter.to_send()?;
    let all: Vec<_> = messages(&octets).map(Result::unwrap).collect();
    let (first, rest) = all.split_first().unwrap();
    let (last, inner) = rest.split_last().unwrap();
    assert_eq!((first.kind, last.kind), (16, 17));
    assert_eq!((first.payload, last.payload), (&[0, 0, 0, 10][..], &[0, 0, 0, 10][..]));
    let acks: Vec<bool> = all.iter().map(|message| message.flags.0 & 4 != 0).collect();
    assert_eq!(acks.iter().position(|ack| *ack), Some(acks.len() - 2), "only the last but one");
    Some(Sent {
        family: inner[0].payload[0],
        verbs: inner.iter().map(|message| message.kind.to_be_bytes()[1]).collect(),
        numbers: all.iter().map(|message| message.sequence.0).collect(),
    })
}

/// The kernel's answer to the message with this number.
fn answer(filter: &mut FilterState, number: u32, errno: i32) -> Option<FilterFailure> {
    let mut octets = 36_u32.to_ne_bytes().to_vec();
    octets.extend(2_u16.to_ne_bytes());
    octets.extend(0x100_u16.to_ne_bytes());
    octets.extend(number.to_ne_bytes());
    octets.extend(PORT.to_ne_bytes());
    octets.extend((-errno).to_ne_bytes());
    octets.extend([0; 16]);
    filter.handle(&messages(&octets).next().unwrap().unwrap()).unwrap()
}

/// The number of the message that is answered when all is well.
fn acknowledged(sent: &Sent) -> u32 {
    sent.numbers[sent.numbers.len() - 2]
}

#[track_caller]
fn succeed(filter: &mut FilterState, family: u8, verbs: &[u8]) {
    let sent = sent(filter).expect("a batch");
    assert_eq!((sent.family, &sent.verbs[..]), (family, verbs));
    assert_eq!(answer(filter, acknowledged(&sent), 0), None);
}

/// After the start, with the tables of old processes removed.
fn started() -> FilterState {
    let mut filter = FilterState::new(PortId(PORT), "test");
    let clear = [NEW_TABLE, DELETE_TABLE, NEW_TABLE, DELETE_TABLE];
    succeed(&mut filter, ARP, &clear);
    succeed(&mut filter, IP6, &clear);
    assert!(filter.is_settled() && filter.to_send().is_none());
    filter
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

#[test]
fn a_table_comes_with_the_first_address_and_goes_with_the_last() {
    let mut filter = started();
    filter.set_blocked(&[address(1)], true);
    assert!(!filter.is_settled());
    succeed(&mut filter, ARP, &SET_UP);
    filter.set_blocked(&[address(1), address(2)], true);
    succeed(&mut filter, ARP, &[NEW_ELEMENT]);
    filter.set_blocked(&[address(1)], false);
    filter.set_blocked(&[address(3), "2001:db8::1".parse().unwrap()], true);
    succeed(&mut filter, ARP, &[DELETE_ELEMENT, NEW_ELEMENT]);
    let six = sent(&mut filter).unwrap();
    assert_eq!((six.family, six.verbs.len()), (IP6, SET_UP.len() + 1), "two rules");
    assert_eq!(answer(&mut filter, acknowledged(&six), 0), None);
    filter.set_blocked(&[address(2), address(3)], false);
    succeed(&mut filter, ARP, &[DELETE_TABLE]);
    assert!(filter.is_settled() && filter.to_send().is_none());
}

#[test]
fn one_batch_is_under_way_at_a_time() {
    let mut filter = started();
    filter.set_blocked(&[address(1)], true);
    let first = sent(&mut filter).unwrap();
    filter.set_blocked(&[address(1)], false);
    filter.set_blocked(&[address(2)], true);
    assert!(filter.to_send().is_none() && !filter.is_settled());
    assert_eq!(answer(&mut filter, first.numbers[1], 0), None);
    assert!(filter.to_send().is_none(), "it is not answered whole");
    answer(&mut filter, acknowledged(&first), 0);
    succeed(&mut filter, ARP, &[DELETE_ELEMENT, NEW_ELEMENT]);
    // What could not be sent goes again.
    filter.set_blocked(&[address(3)], true);
    assert!(filter.to_send().is_some() && filter.to_send().is_none());
    filter.not_sent();
    succeed(&mut filter, ARP, &[NEW_ELEMENT]);
}

#[test]
fn where_it_does_not_work_is_said_once() {
    let mut filter = FilterState::new(PortId(PORT), "test");
    let four = sent(&mut filter).unwrap();
    // The kernel answers the first message when it has no nf_tables.
    let failure = answer(&mut filter, four.numbers[0], Errno::EOPNOTSUPP as i32).unwrap();
    assert_eq!(failure.family, Family::V4);
    assert!(failure.to_string().starts_with("cannot leave ARP unanswered"), "{failure}");
    filter.set_blocked(&[address(1)], true);
    let six = sent(&mut filter).unwrap();
    assert_eq!(six.family, IP6, "the other one may work");
    answer(&mut filter, acknowledged(&six), 0);
    assert!(filter.is_settled() && filter.to_send().is_none(), "nothing more is tried");
}

#[test]
fn kernels_without_owned_tables_do_without() {
    let mut filter = FilterState::new(PortId(PORT), "test");
    let first = sent(&mut filter).unwrap();
    assert_eq!(answer(&mut filter, first.numbers[3], Errno::EINVAL as i32), None);
    // The messages behind the bad one are looked at all the same.
    assert_eq!(answer(&mut filter, acknowledged(&first), 0), None);
    succeed(&mut filter, ARP, &[NEW_TABLE, DELETE_TABLE]);
    sent(&mut filter).unwrap();
    filter.set_blocked(&[address(1)], true);
    succeed(&mut filter, ARP, &SET_UP);
}

#[test]
fn a_table_that_somebody_deleted_is_made_anew() {
    let mut filter = started();
    filter.set_blocked(&[address(1)], true);
    succeed(&mut filter, ARP, &SET_UP);
    filter.set_blocked(&[address(2)], true);
    let sent_ = sent(&mut filter).unwrap();
    assert_eq!(answer(&mut filter, acknowledged(&sent_), Errno::ENOENT as i32), None);
    succeed(&mut filter, ARP, &SET_UP);
    filter.set_blocked(&[address(3)], true);
    assert!(filter.to_send().is_some());
    filter.lost();
    succeed(&mut filter, ARP, &SET_UP);
    filter.set_blocked(&[address(1), address(2), address(3)], false);
    let sent_ = sent(&mut filter).unwrap();
    assert_eq!(answer(&mut filter, acknowledged(&sent_), Errno::ENOENT as i32), None);
    assert!(filter.is_settled(), "it is gone, as wanted");
}
