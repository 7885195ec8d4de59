//! What may not be on the wire, whatever happens.

use std::ops::Range;
use std::time::Duration;

use crate::harness::packet::{Advert, Packet};
use crate::kind::Kind;
use crate::plan::Fault;
use crate::scene::{NAMES, Scene};

/// Hop limit of an advert.
const HOP_LIMIT: u8 = 255;
/// Times of the capture and of a router's timer differ by no more, as both are the kernel's.
const EXACT: Duration = Duration::from_millis(2);

/// Everything that is wrong on the wire since the fault began, now that all is whole: `rest` is the
/// time in which it was, if it became so.
pub fn wrong(scene: &mut Scene, fault: &Fault, rest: Option<&Range<Duration>>) -> Vec<String> {
    let sent = rest.map(|rest| NAMES.map(|name| scene.sent_by(name, rest)));
    let packets = scene.wire.packets();
    let adverts: Vec<(&Packet, &Advert)> = packets
        .iter()
        .filter_map(|packet| Some((packet, packet.advert()?)))
        .filter(|(packet, _)| NAMES.contains(&packet.host.as_str()))
        .collect();
    let mut wrong = Vec::new();
    if let Some((packet, _)) =
        adverts.iter().find(|(_, a)| !a.checksum_is_good || a.hop_limit != HOP_LIMIT)
    {
        wrong.push(format!("a router sent what is no advert: {packet}"));
    }
    if let Some([of_master, of_backup]) = sent {
        if of_master < 2 {
            wrong.push("the master does not send".to_owned());
        }
        if of_backup > 0 {
            wrong.push("the backup sends".to_owned());
        }
    }
    // A capture hears what the other router does not when the two are split, and at short intervals
    // a busy machine delays adverts by more than one.
    if fault.kind != Kind::Split && !fault.only_shown {
        wrong.extend(early(&adverts, fault));
    }
    wrong
}

/// The second router became master before three intervals were over (vrrp:T-1), and the first one
/// had not given up.
fn early(adverts: &[(&Packet, &Advert)], fault: &Fault) -> Option<String> {
    let is_v4 = |advert: &Advert| advert.source.is_ipv4();
    let (mut last, mut own): (Option<Duration>, Option<Duration>) = (None, None);
    for (packet, advert) in adverts.iter().filter(|(_, advert)| is_v4(advert)) {
        if packet.host == NAMES[0] {
            let usual = u128::from(advert.interval.0) * 10 == fault.interval.as_millis();
            // Priority 0 and the short intervals before it are a hand-over.
            last = (advert.priority > 0 && usual).then_some(packet.at);
            continue;
        }
        // The last one of a master crosses the first one of its successor.
        let was_master = own.is_some_and(|own| packet.at < own + fault.interval * 3 / 2);
        own = Some(packet.at);
        if let Some(last) = last.filter(|_| !was_master)
            && packet.at + EXACT < last + fault.interval * 3
        {
            let after = (packet.at.saturating_sub(last)).as_millis();
            return Some(format!("{} took over {after} ms after an advert", NAMES[1]));
        }
    }
    None
}
