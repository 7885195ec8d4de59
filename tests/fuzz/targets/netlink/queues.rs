//! Requests that wait for answers, and the answers of somebody who may say anything.

use std::collections::BTreeSet;
use std::net::IpAddr;

use steadfast::net::VirtualAddress;
use steadfast::netlink::batch::{
    Batch, MAX_BATCH_REQUESTS, MAX_IN_FLIGHT_REQUESTS, NotTaken, Request,
};
use steadfast::netlink::frame::{Message, PortId, attributes, messages};
use steadfast::netlink::link::LinkIndex;
use steadfast::netlink::neighbor_filter_state::FilterState;

use super::super::input::Input;
use super::datagram;

const PORT: u32 = 77;
/// The flag of a message that is answered also when all is well.
const ACK: u16 = 4;
/// Batches until what is wanted is done: both families, a thousand addresses at a time.
const ROUNDS: usize = 20;

fn address(number: u8) -> IpAddr {
    if number & 0x80 == 0 {
        [10, 0, 0, number].into()
    } else {
        std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into()).into()
    }
}

/// The sequence numbers of a datagram of requests, in which every length has to be right.
fn sequences(octets: &[u8], fixed: usize) -> Vec<u32> {
    messages(octets)
        .map(|message| {
            let message = message.expect("a request has right lengths");
            for attribute in attributes(message.payload.get(fixed..).unwrap_or_default()) {
                attribute.expect("so have its attributes");
            }
            message.sequence.0
        })
        .collect()
}

pub fn batch(input: &mut Input<'_>) {
    let mut batch: Batch<u32> = Batch::new(PortId(PORT));
    let (mut next, mut open) = (0, BTreeSet::new());
    let mut sent: Vec<u32> = Vec::new();
    while !input.is_empty() {
        let step = input.u8();
        match step % 8 {
            0 | 1 => {
                let address = VirtualAddress::new(address(input.u8()), 24);
                let request = match step >> 6 {
                    0 => Request::Add(LinkIndex(1), &address),
                    1 => Request::Replace(LinkIndex(1), &address),
                    2 => Request::Delete(LinkIndex(1), &address),
                    _ => match address.address {
                        IpAddr::V6(six) => Request::CheckLocal(LinkIndex(1), six),
                        IpAddr::V4(_) => Request::Add(LinkIndex(1), &address),
                    },
                };
                match batch.push(request, next) {
                    Ok(()) => assert!(open.insert(next)),
                    Err(NotTaken::Full) => assert_eq!(open.len(), MAX_IN_FLIGHT_REQUESTS),
                    Err(NotTaken::Unencodable) => panic!("an address fits"),
                }
                next += 1;
            }
            2 => {
                let numbers = sequences(batch.to_send(), usize::MAX);
                assert!(numbers.len() <= MAX_BATCH_REQUESTS);
                sent.extend(numbers);
                batch.sent();
            }
            3 if step > 200 => {
                for answer in batch.lost().collect::<Vec<_>>() {
                    assert!(open.remove(&answer.token), "an answer to nothing");
                }
            }
            _ => {
                let kind = input.one_of(&[2, 2, 2, 24, 3]);
                let flags = u16::from(input.u8()) << 4;
                let at = input.below(sent.len().max(1));
                let sequence = sent.get(at).copied().unwrap_or(9);
                let mut body = input.array::<4>().to_vec();
                if step & 0x40 == 0 {
                    body.fill(0);
                }
                body.extend(input.some());
                let datagram = datagram(kind, flags, sequence, PORT, &body);
                for message in messages(&datagram).map_while(Result::ok) {
                    if let Ok(Some(answer)) = batch.handle(&message) {
                        assert!(open.remove(&answer.token), "an answer to nothing");
                    }
                }
            }
        }
        assert_eq!(batch.in_flight(), open.len(), "each is answered once");
    }
    while !batch.to_send().is_empty() {
        batch.sent();
    }
    for answer in batch.lost().collect::<Vec<_>>() {
        assert!(open.remove(&answer.token));
    }
    assert!(open.is_empty(), "some are never answered");
}

pub fn filter(input: &mut Input<'_>) {
    let mut filter = FilterState::new(PortId(PORT), "steadfast-1");
    let mut sent: Vec<u32> = Vec::new();
    while !input.is_empty() {
        let step = input.u8();
        match step % 8 {
            0 | 1 => {
                let list: Vec<IpAddr> = input.some().iter().map(|n| address(*n)).collect();
                filter.set_blocked(&list, step & 0x80 == 0);
            }
            2 | 3 => {
                if let Some(octets) = filter.to_send() {
                    // nfgenmsg has four octets.
                    sent = sequences(&octets, 4);
                    if step > 200 {
                        filter.not_sent();
                    }
                }
            }
            4 if step > 128 => filter.lost(),
            _ => {
                let at = input.below(sent.len().max(1));
                let sequence = match (step >> 6, sent.last()) {
                    (0, Some(last)) => *last,
                    _ => sent.get(at).copied().unwrap_or(1),
                };
                let kind = if step & 0x20 == 0 { 2 } else { input.u16() };
                let mut body = input.array::<4>().to_vec();
                if step & 0x10 == 0 {
                    body.fill(0);
                }
                body.extend([20, 0, 0, 0]);
                body.extend(input.array::<12>());
                let datagram = datagram(kind, 0x100, sequence, PORT, &body);
                for message in messages(&datagram).map_while(Result::ok) {
                    if let Ok(Some(refused)) = filter.handle(&message) {
                        assert!(!refused.to_string().is_empty());
                    }
                }
            }
        }
    }
    // A kernel that does what it is told: then all is as it is wanted.
    filter.lost();
    for _ in 0..ROUNDS {
        let Some(octets) = filter.to_send() else { break };
        let asks = |message: &Message<'_>| message.flags.0 & ACK != 0;
        let all = messages(&octets).map(|message| message.expect("it is whole"));
        let last = all.filter(asks).last().expect("one message asks for an answer").sequence.0;
        let datagram = datagram(2, 0x100, last, PORT, &[0; 20]);
        for message in messages(&datagram) {
            let taken = filter.handle(&message.expect("it is whole"));
            assert_eq!(taken, Ok(None), "nothing is refused");
        }
    }
    assert!(filter.is_settled(), "it does not settle: {filter:?}");
}
