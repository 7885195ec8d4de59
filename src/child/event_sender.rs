//! Sends a child's events to the supervisor. Their rate is limited, they are queued, and the child never
//! waits: events that do not fit into the queue are lost and counted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::rate_limit::RateLimit;
use super::send_queue::SendQueue;
use crate::control::event::{Event, Kind, Level, MAX_EVENT_OCTETS, Name};
use crate::sorted::{Map, Set};
use crate::units::Instant;

/// Octets that may wait for the supervisor: some thousand events.
const MAX_QUEUED_OCTETS: usize = 512 * 1024;

/// Events on their way to the supervisor.
#[derive(Debug)]
pub struct EventSender {
    queue: SendQueue,
    level: Level,
    limits: Map<(Option<Name>, Kind), RateLimit>,
    /// The last change of state of each subject, if the rate limit left it out. It is sent later, since
    /// the changes that were sent before do not show the present state.
    withheld: Map<Name, Event>,
    /// The number of events that the rate limit left out.
    pub limited: u64,
    /// The number of events that were lost because the queue was full.
    pub lost: u64,
}

impl EventSender {
    /// A sender that uses this datagram socket.
    pub const fn new(fd: OwnedFd) -> Self {
        Self {
            queue: SendQueue::new(fd, MAX_QUEUED_OCTETS),
            level: Level::Info,
            limits: Map::new(),
            withheld: Map::new(),
            limited: 0,
            lost: 0,
        }
    }

    /// Sets the level; less important events are not sent.
    pub const fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Queues an event, unless its level or the rate limit excludes it.
    pub fn add(&mut self, event: Event) {
        if event.level() > self.level {
            return;
        }
        let (name, now) = (event.subject.name().map(Name::from), event.at);
        let changed = name.clone().filter(|_| event.is_transition());
        let limit = self.limits.entry((name, event.kind()));
        let taken = limit.or_insert_with(|| RateLimit::new(now)).take(now);
        match (taken, changed) {
            (Some(left_out), changed) => {
                if let Some(name) = changed {
                    self.withheld.remove(&name);
                }
                self.push(&Event { left_out, ..event });
            }
            (None, changed) => {
                self.limited += 1;
                if let Some(name) = changed {
                    self.withheld.insert(name, event);
                }
            }
        }
    }

    /// Queues the last changes of state that were left out, as far as the rate limit allows it now.
    pub fn catch_up(&mut self, now: Instant) {
        let names: Vec<Name> = self.withheld.keys().cloned().collect();
        for name in names {
            let left_out = match self.limits.get_mut(&(Some(name.clone()), Kind::Transition)) {
                Some(limit) if !limit.allows(now) => continue,
                Some(limit) => limit.take(now).unwrap_or_default(),
                // The subject is gone, and its limit with it.
                None => 0,
            };
            if let Some(event) = self.withheld.remove(&name) {
                self.limited = self.limited.saturating_sub(1);
                // This event was counted as left out.
                self.push(&Event { left_out: left_out.saturating_sub(1), ..event });
            }
        }
    }

    fn push(&mut self, event: &Event) {
        let octets = postcard::to_allocvec(event).ok();
        let fits = octets.filter(|octets| octets.len() <= MAX_EVENT_OCTETS);
        if !fits.is_some_and(|octets| self.queue.push(octets)) {
            self.lost += 1;
        }
    }

    /// Forgets the rate limits of all subjects except these.
    pub fn retain(&mut self, names: &Set<&str>) {
        self.limits.retain(|(name, _), _| name.as_deref().is_none_or(|name| names.contains(name)));
    }

    /// See [`SendQueue::flush`].
    ///
    /// # Errors
    /// The error of the system call.
    pub fn flush(&mut self) -> io::Result<bool> {
        self.queue.flush()
    }
}

impl AsFd for EventSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, socketpair};
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::control::event::{Cause, Subject, What, text};
    use crate::control::status::State;
    use crate::units::{Priority, Vrid};

    fn pair() -> (EventSender, OwnedFd) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let kind = SockType::SeqPacket;
        let (near, far) = socketpair(AddressFamily::Unix, kind, None, flags).unwrap();
        (EventSender::new(near), far)
    }

    fn event(instance: Option<u32>, text: &str, at: Instant) -> Event {
        let subject = match instance {
            None => Subject::Process,
            Some(number) => Subject::Instance {
                name: format!("i{number}").into(),
                interface: "eth0".into(),
                vrid: Vrid::new(1).unwrap(),
            },
        };
        let what = What::message(Level::Warning, Kind::Packet, text);
        Event { at, subject, what, left_out: 0 }
    }

    fn read(far: &OwnedFd) -> Vec<(String, u32)> {
        let mut octets = [0; 1024];
        let mut found = Vec::new();
        while let Ok(len) = recv(far.as_raw_fd(), &mut octets, MsgFlags::empty()) {
            let event: Event = postcard::from_bytes(&octets[..len]).unwrap();
            found.push((text::event(&event), event.left_out));
        }
        found
    }

    #[test]
    fn a_storm_about_one_instance_hides_no_other() {
        let (mut sender, far) = pair();
        let start = Instant::ORIGIN + Duration::from_secs(1);
        for _ in 0..100 {
            sender.add(event(Some(1), "bad", start));
        }
        sender.add(event(Some(2), "bad", start));
        sender.add(event(None, "bad", start));
        assert!(sender.flush().unwrap());
        let told = read(&far);
        assert_eq!(told.len(), 22);
        assert_eq!(told[20..], [("i2: bad".to_owned(), 0), ("bad".to_owned(), 0)]);
        assert_eq!((sender.limited, sender.lost), (80, 0));
        sender.add(event(Some(1), "bad", start + Duration::from_secs(3)));
        assert!(sender.flush().unwrap());
        assert_eq!(read(&far), [("i1: bad".to_owned(), 80)]);
        sender.retain(&Set::from(["i2"]));
        assert_eq!(sender.limits.len(), 2, "of an instance, and of the process");
    }

    #[test]
    fn what_matters_less_than_asked_for_does_not_count() {
        let (mut sender, far) = pair();
        sender.set_level(Level::Error);
        for _ in 0..100 {
            sender.add(event(None, "bad", Instant::ORIGIN));
        }
        assert!(sender.flush().unwrap());
        assert_eq!((read(&far).len(), sender.limited, sender.limits.len()), (0, 0, 0));
    }

    #[test]
    fn a_log_that_does_not_read_costs_a_bounded_queue() {
        let (mut sender, _far) = pair();
        let text = "x".repeat(1000);
        for number in 0..2000 {
            sender.add(event(Some(number), &text, Instant::ORIGIN));
        }
        assert!(sender.lost > 1000, "{}", sender.lost);
        assert!(!sender.flush().unwrap());
    }

    #[test]
    fn the_last_change_of_state_is_told_in_the_end() {
        let (mut sender, far) = pair();
        let start = Instant::ORIGIN + Duration::from_secs(100);
        for number in 0..50 {
            let silence = Duration::from_secs(number);
            let what = What::Transition {
                from: State::Backup,
                to: State::Master,
                cause: Cause::NoAdvert { master: None, silence },
                priority: Priority::DEFAULT,
            };
            sender.add(Event { what, ..event(Some(1), "", start) });
        }
        let line =
            |silence: u32| format!("i1: BACKUP to MASTER: no master was heard for {silence}.000 s");
        let told = |sender: &mut EventSender, after| {
            sender.catch_up(start + Duration::from_secs(after));
            assert!(sender.flush().unwrap());
            read(&far)
        };
        assert_eq!(told(&mut sender, 1).last(), Some(&(line(19), 0)));
        assert_eq!(told(&mut sender, 10), [(line(49), 29)]);
        assert_eq!((told(&mut sender, 60), sender.limited), (vec![], 29));
    }
}
