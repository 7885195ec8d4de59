//! Which router a received packet is for, whether it counts there, and what is remarked about it
//! (`vrrp:V-21` to `V-41`, `C-5`).

use super::engine::Engine;
use super::event::Received;
use super::hand_over::SHORT_ADVERTS;
use super::heard::Heard;
use super::ids::InstanceId;
use super::instance::{Context, Instance};
use super::notice::Notice;
use super::router::Remark;
use super::state::StateData;
use super::statistics::count;
use super::validation::{Advert, Expectation, Reject, peek_priority, peek_vrid, validate};
use crate::units::{Family, Priority};
use crate::wire::vrrp::group;

impl Engine {
    pub(super) fn received(&mut self, received: &Received<'_>) {
        let Ok(vrid) = peek_vrid(received) else {
            self.router_index.too_short = self.router_index.too_short.wrapping_add(1);
            return;
        };
        let family = Family::of(received.source);
        let key = (received.interface, family, vrid);
        let Some(id) = self.router_index.find(key) else {
            // `vrrp:V-22`
            let from = received.source;
            if self.router_index.is_new_unknown_vrid(key, from) {
                self.out.notice(Notice::UnknownVrid { interface: key.0, from, vrid });
            }
            return;
        };
        self.deliver(id, family, received);
        let mut place = 0;
        while let Some(&(of, id)) = self.router_index.replaced.get(place) {
            if of == key {
                self.deliver(id, family, received);
            }
            place += 1;
        }
    }

    fn deliver(&mut self, id: InstanceId, family: Family, received: &Received<'_>) {
        let tie_decided = self.tie_is_decided_elsewhere(id, family);
        let burst = self.router_index.burst;
        let wish = self.with(id, |instance, context| {
            instance.router_of(family).burst = Some(burst);
            let advert = accept(instance, family, received, context)?;
            Some((advert, instance.advert(family, &advert, tie_decided, context)))
        });
        let Some(Some((advert, wish))) = wish else { return };
        if let Some(wish) = wish {
            self.grant(id, wish);
        }
        // Last, because a new master or state makes remarks worth repeating.
        // It sets no timer, so the schedule stays.
        let mut context = Context { now: self.now, out: &mut self.out };
        if let Some(Some(instance)) = self.members.instances.get_mut(id.0 as usize) {
            remark(instance, family, &advert, &mut context);
        }
    }

    /// Whether the reader of the sockets should stop and let timers run, because this packet's
    /// VRID had one already since the last [`Event::Wake`](super::Event::Wake) (`vrrp:V-24`). To
    /// be asked before the packet is handed over.
    pub fn burst_is_over(&self, received: &Received<'_>) -> bool {
        let Ok(vrid) = peek_vrid(received) else { return false };
        let family = Family::of(received.source);
        let key = (received.interface, family, vrid);
        let last = |id| self.get(id)?.router(family)?.burst;
        self.timing.drain.is_none()
            && self.router_index.find(key).and_then(last) == Some(self.router_index.burst)
    }
}

/// Validates a packet for a router, counts it and gives the remarks (`vrrp:V-23` to `V-41`).
fn accept(
    instance: &mut Instance,
    family: Family,
    received: &Received<'_>,
    context: &mut Context<'_>,
) -> Option<Advert> {
    let id = instance.router_id(family);
    let from = received.source;
    // An owner that hands over has to hear its successor.
    let owner = instance.effective_priority().is_owner() && instance.hand_over().is_none();
    // What is compared of a master that is followed may be less.
    let followed = match &instance.state {
        StateData::Initialize(_) | StateData::Fault(_) => Err(Reject::NotRunning),
        StateData::Backup(backup) => Ok(backup.listening.get(family).master.map(|m| m.address)),
        StateData::Master(_) => Ok(None),
    };
    let router = instance.router(family)?;
    let settings = &instance.settings;
    let result = followed.and_then(|followed| {
        validate(
            &Expectation {
                version: settings.version,
                family,
                unicast: !settings.unicast_peers.is_empty(),
                group: group(family),
                authentication: settings.authentication,
                interval: settings.interval,
                checksum: settings.checksum,
                old_checksum: router.old_checksum,
                owner,
                owner_ignore_adverts: settings.owner_ignore_adverts,
                addresses: &router.addresses,
                excluded: &router.excluded,
                compare_addresses: !settings.skip_check_adv_addr || followed != Some(from),
                unicast_peers: &settings.unicast_peers,
                check_unicast_source: settings.check_unicast_source,
            },
            received,
        )
    });
    let router = instance.router_of(family);
    let advert = match result {
        Ok(advert) => advert,
        Err(reason) => {
            router.statistics.rejected.count(reason);
            if reason == Reject::ForeignAddresses {
                count(&mut router.statistics.address_list_errors);
                if router.hears_other_pair(from, context.now) {
                    let theirs = peek_priority(received).unwrap_or(Priority::STOP);
                    context.out.notice(Notice::VridConflict { router: id, from, theirs });
                }
            } else if reason != Reject::NotRunning {
                router.last_rejected = Some((from, reason, context.now));
                if router.note(Remark::Rejected(reason)) {
                    context.out.notice(Notice::Rejected { router: id, from, reason });
                }
            }
            return None;
        }
    };
    count(&mut router.statistics.adverts_received);
    router.statistics.last_received = Some(Heard::new(&advert, context.now));
    if advert.priority.is_stop() {
        count(&mut router.statistics.priority_zero_received);
    }
    Some(advert)
}

/// What is odd about an advert that was accepted (`vrrp:C-5`, `V-36`, `V-40`).
fn remark(instance: &mut Instance, family: Family, advert: &Advert, context: &mut Context<'_>) {
    let id = instance.router_id(family);
    let own_interval = instance.settings.interval;
    let from = advert.source;
    let router = instance.router_of(family);
    if advert.old_checksum && !std::mem::replace(&mut router.old_checksum, true) {
        context.out.notice(Notice::OldChecksum { router: id, from });
    }
    if advert.interval != own_interval {
        count(&mut router.statistics.interval_differs);
        router.odd_intervals = router.odd_intervals.saturating_add(1);
        // A master that hands over announces a short interval so many times: nothing is wrong.
        if router.odd_intervals > SHORT_ADVERTS && router.note(Remark::Interval) {
            let theirs = advert.interval;
            context.out.notice(Notice::IntervalDiffers { router: id, from, theirs });
        }
    } else {
        router.odd_intervals = 0;
    }
    if advert.addresses.differs() {
        count(&mut router.statistics.address_list_errors);
        if router.note(Remark::Addresses) {
            context.out.notice(Notice::AddressesDiffer { router: id, from });
        }
    }
}
