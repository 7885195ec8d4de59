//! IPv6 addresses that were added, and that the kernel may not take packets to yet
//! ([`lookup`](crate::netlink::lookup)). Announced that early, they draw packets that are lost.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::netlink::link::LinkIndex;
use crate::sorted::Map;
use crate::units::Instant;
use crate::vrrp::ObjectId;

/// Between two questions.
const RETRY_PAUSE: Duration = Duration::from_millis(1);
/// After so long an address counts as open, whatever the kernel says: it may have reasons of its
/// own, such as rules that take packets elsewhere.
const READINESS_TIMEOUT: Duration = Duration::from_millis(100);

/// An address on its way.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    link: LinkIndex,
    address: Ipv6Addr,
    /// When it was added; `None`: that is not answered yet.
    since: Option<Instant>,
    /// When to ask; `None`: asked, or not added yet.
    ask_at: Option<Instant>,
}

/// The addresses that wait.
#[derive(Debug, Default)]
pub struct Ipv6Readiness(Map<ObjectId, Waiting>);

impl Ipv6Readiness {
    /// The kernel is asked to add an address.
    pub fn expect(&mut self, object: ObjectId, link: LinkIndex, address: Ipv6Addr) {
        self.0.insert(object, Waiting { link, address, since: None, ask_at: None });
    }

    /// The kernel added it. Whether it has to wait.
    pub fn added(&mut self, object: ObjectId, now: Instant) -> bool {
        let Some(waiting) = self.0.get_mut(&object) else { return false };
        (waiting.since, waiting.ask_at) = (Some(now), Some(now));
        true
    }

    /// The kernel said whether it takes packets. Whether that was waited for, and is over.
    pub fn answered(&mut self, object: ObjectId, open: bool, now: Instant) -> bool {
        let Some(waiting) = self.0.get_mut(&object) else { return false };
        let Some(since) = waiting.since else { return false };
        if open || now.since(since) >= READINESS_TIMEOUT {
            self.0.remove(&object);
            return true;
        }
        waiting.ask_at = Some(now + RETRY_PAUSE);
        false
    }

    /// Nothing is to be waited for any more. Whether the kernel had added it.
    pub fn forget(&mut self, object: ObjectId) -> bool {
        self.0.remove(&object).is_some_and(|waiting| waiting.since.is_some())
    }

    /// Whether it waits.
    pub fn contains(&self, object: ObjectId) -> bool {
        self.0.contains_key(&object)
    }

    /// One that the kernel has to be asked about now.
    pub fn take_due(&mut self, now: Instant) -> Option<(ObjectId, LinkIndex, Ipv6Addr)> {
        let is_due = |waiting: &Waiting| waiting.ask_at.is_some_and(|at| at <= now);
        let (object, waiting) = self.0.iter_mut().find(|(_, waiting)| is_due(waiting))?;
        waiting.ask_at = None;
        Some((*object, waiting.link, waiting.address))
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.0.values().filter_map(|waiting| waiting.ask_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::InstanceId;

    const ADDRESS: Ipv6Addr = Ipv6Addr::LOCALHOST;
    const OBJECT: ObjectId = ObjectId::of(InstanceId::new(0));

    fn at(milliseconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(milliseconds)
    }

    fn added() -> Ipv6Readiness {
        let mut readiness = Ipv6Readiness::default();
        readiness.expect(OBJECT, LinkIndex(1), ADDRESS);
        assert_eq!((readiness.next(), readiness.take_due(at(0))), (None, None), "not added yet");
        assert!(readiness.added(OBJECT, at(0)));
        readiness
    }

    #[test]
    fn asks_until_it_is_open() {
        let mut readiness = added();
        assert_eq!(readiness.next(), Some(at(0)));
        assert_eq!(readiness.take_due(at(0)), Some((OBJECT, LinkIndex(1), ADDRESS)));
        assert_eq!(readiness.take_due(at(50)), None, "once until there is an answer");
        assert!(!readiness.answered(OBJECT, false, at(2)));
        assert_eq!((readiness.take_due(at(2)), readiness.next()), (None, Some(at(3))));
        assert!(readiness.take_due(at(3)).is_some());
        assert!(readiness.contains(OBJECT));
        assert!(readiness.answered(OBJECT, true, at(4)));
        assert!(!readiness.contains(OBJECT));
        assert!(!readiness.answered(OBJECT, true, at(5)), "nobody waits");
    }

    #[test]
    fn waiting_has_an_end() {
        let mut readiness = added();
        assert!(!readiness.answered(OBJECT, false, at(99)));
        assert!(readiness.answered(OBJECT, false, at(100)));
    }

    #[test]
    fn what_is_forgotten_was_added_or_not() {
        assert!(added().forget(OBJECT));
        let mut readiness = Ipv6Readiness::default();
        assert!(!readiness.added(OBJECT, at(0)), "IPv4: not expected");
        readiness.expect(OBJECT, LinkIndex(1), ADDRESS);
        assert!(!readiness.answered(OBJECT, true, at(0)), "an answer of before");
        assert!(!readiness.forget(OBJECT));
        assert!(!readiness.contains(OBJECT));
    }
}
