use nix::errno::Errno;

use super::{
    Answer, Batch, MAX_BATCH_REQUESTS, MAX_IN_FLIGHT_REQUESTS, NotTaken, Outcome, Request,
};
use crate::net::VirtualAddress;
use crate::netlink::cache::Cache;
use crate::netlink::frame::{PortId, messages};
use crate::netlink::link::LinkIndex;
use crate::netlink::mirror::tests::{dropped, prohibit};
use crate::netlink::route::Resolved;

const PORT: u32 = 100;

fn batch() -> Batch<usize> {
    Batch::new(PortId(PORT))
}

fn address() -> VirtualAddress {
    VirtualAddress::new([192, 0, 2, 1].into(), 24)
}

fn add(batch: &mut Batch<usize>, token: usize) -> Result<(), NotTaken> {
    batch.push(Request::Add(LinkIndex(2), &address()), token)
}

/// Sends; gives the sequence numbers of what was sent.
fn send(batch: &mut Batch<usize>) -> Vec<u32> {
    let sent = messages(batch.to_send()).map(|m| m.unwrap().sequence.0).collect();
    batch.sent();
    sent
}

/// What comes of an answer of the kernel.
fn answer(batch: &mut Batch<usize>, sequence: u32, port: u32, errno: i32) -> Option<Answer<usize>> {
    let mut octets = 36_u32.to_ne_bytes().to_vec();
    octets.extend(2_u16.to_ne_bytes());
    octets.extend(0x100_u16.to_ne_bytes());
    octets.extend(sequence.to_ne_bytes());
    octets.extend(port.to_ne_bytes());
    octets.extend((-errno).to_ne_bytes());
    octets.extend([0; 16]);
    batch.handle(&messages(&octets).next().unwrap().unwrap()).unwrap()
}

#[test]
fn answers_find_their_tokens_in_any_order() {
    let mut batch = batch();
    for token in 0..3 {
        add(&mut batch, token).unwrap();
    }
    assert_eq!(answer(&mut batch, 1, PORT, 0), None, "it is not sent yet");
    let sent = send(&mut batch);
    assert_eq!(sent, [1, 2, 3]);
    assert_eq!(answer(&mut batch, sent[0], PORT + 1, 0), None, "somebody else's");
    assert_eq!(answer(&mut batch, 9, PORT, 0), None, "nobody's");
    for at in [2, 0, 1] {
        let answer = answer(&mut batch, sent[at], PORT, 0).unwrap();
        assert_eq!(answer, Answer { token: at, outcome: Outcome::Done(None) });
    }
    assert_eq!(answer(&mut batch, sent[0], PORT, 0), None, "once is enough");
    assert_eq!(batch.in_flight(), 0);
}

#[test]
fn requests_are_sent_by_batches_and_bounded() {
    let mut batch = batch();
    for token in 0..MAX_IN_FLIGHT_REQUESTS {
        add(&mut batch, token).unwrap();
    }
    assert_eq!(add(&mut batch, 0), Err(NotTaken::Full));
    let mut sent = Vec::new();
    while !batch.to_send().is_empty() {
        let turn = send(&mut batch);
        assert!(turn.len() <= MAX_BATCH_REQUESTS);
        sent.extend(turn);
    }
    assert_eq!(sent.len(), MAX_IN_FLIGHT_REQUESTS);
    assert!(sent.is_sorted_by(|a, b| a < b));
    assert_eq!(add(&mut batch, 0), Err(NotTaken::Full));
    answer(&mut batch, sent[0], PORT, 0).unwrap();
    assert_eq!(add(&mut batch, 0), Ok(()));
}

/// netlink:N-43, netlink:N-44, netlink:N-56, netlink:N-60
#[test]
fn the_state_that_was_asked_for_is_no_error() {
    let address = address();
    let add = Request::Add(LinkIndex(2), &address);
    let replace = Request::Replace(LinkIndex(2), &address);
    let delete = Request::Delete(LinkIndex(2), &address);
    let (route, rule) = (dropped(1, 254), prohibit(5));
    let resolved = Resolved::new(&route, &Cache::new()).unwrap();
    for (request, errno, satisfied) in [
        (add, Errno::EEXIST, true),
        (add, Errno::ENODEV, false),
        (add, Errno::EADDRNOTAVAIL, false),
        (delete, Errno::EEXIST, false),
        (delete, Errno::ENODEV, true),
        (delete, Errno::EADDRNOTAVAIL, true),
        (delete, Errno::EPERM, false),
        (replace, Errno::EEXIST, false),
        (Request::AddRoute(&resolved), Errno::EEXIST, true),
        (Request::AddRoute(&resolved), Errno::ENETUNREACH, false),
        (Request::DeleteRoute(&resolved), Errno::ESRCH, true),
        (Request::DeleteRoute(&resolved), Errno::ENOENT, false),
        (Request::AddRule(&rule), Errno::EEXIST, true),
        (Request::DeleteRule(&rule), Errno::ENOENT, true),
        (Request::DeleteRule(&rule), Errno::ESRCH, false),
    ] {
        let mut batch = batch();
        batch.push(request, 7).unwrap();
        let sent = send(&mut batch);
        let answer = answer(&mut batch, sent[0], PORT, errno as i32).unwrap();
        match answer.outcome {
            Outcome::Unchanged => assert!(satisfied, "{request:?} {errno}"),
            Outcome::Refused(error) => {
                assert!(!satisfied, "{request:?} {errno}");
                assert_eq!(error.errno, errno);
            }
            other @ (Outcome::Done(_) | Outcome::Found(_) | Outcome::Lost) => panic!("{other:?}"),
        }
    }
}

#[test]
fn lost_answers_are_told_and_what_is_not_sent_stays() {
    let mut batch = batch();
    for token in 0..=MAX_BATCH_REQUESTS {
        add(&mut batch, token).unwrap();
    }
    send(&mut batch);
    let lost: Vec<_> = batch.lost().collect();
    assert_eq!(lost.len(), MAX_BATCH_REQUESTS);
    assert!(lost.iter().all(|answer| answer.outcome == Outcome::Lost));
    let sent = send(&mut batch);
    assert_eq!(answer(&mut batch, sent[0], PORT, 0).unwrap().token, MAX_BATCH_REQUESTS);
}
