//! The child's side of the log: limited, queued, and lost rather than waited for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::rate_limit::RateLimit;
use super::send_queue::SendQueue;
use crate::control::record::{Kind, Level, Record, Transition};
use crate::sorted::Map;
use crate::units::Instant;

/// Octets that may wait for the supervisor: some thousand records.
const MAX_QUEUED_OCTETS: usize = 512 * 1024;

/// What a record says, before limits; `K` names what it may be about.
#[derive(Clone, Debug)]
pub struct Entry<K> {
    /// How much it matters.
    pub level: Level,
    /// What it is about.
    pub kind: Kind,
    /// What it is about, with its name.
    pub instance: Option<(K, String)>,
    /// The change of state, if it is one.
    pub transition: Option<Transition>,
    /// What follows the name.
    pub text: String,
}

/// Records on their way to the supervisor.
#[derive(Debug)]
pub struct Records<K> {
    queue: SendQueue,
    level: Level,
    limits: Map<(Option<K>, Kind), RateLimit>,
    /// The last change of state of each, when a limit left it out: what was told before it
    /// is not how things stand.
    withheld: Map<K, (Entry<K>, Instant)>,
    /// Left out by limits.
    pub limited: u64,
    /// Lost because the supervisor did not take them.
    pub lost: u64,
}

impl<K: Ord + Copy> Records<K> {
    /// Through this datagram socket.
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

    /// From now on, what matters less than this is not sent.
    pub const fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Takes a record.
    pub fn add(&mut self, entry: Entry<K>, now: Instant) {
        if entry.level > self.level {
            return;
        }
        let sort = (entry.instance.as_ref().map(|(id, _)| *id), entry.kind);
        let limit = self.limits.entry(sort).or_insert_with(|| RateLimit::new(now));
        let changed = entry.instance.as_ref().filter(|_| entry.transition.is_some());
        let changed = changed.map(|(id, _)| *id);
        match (limit.take(now), changed) {
            (None, changed) => {
                self.limited += 1;
                if let Some(id) = changed {
                    self.withheld.insert(id, (entry, now));
                }
            }
            (Some(left_out), changed) => {
                if let Some(id) = changed {
                    self.withheld.remove(&id);
                }
                self.push(entry, now, left_out);
            }
        }
    }

    /// Tells the changes of state that were left out and that nothing followed, as far as the
    /// limits allow by now.
    pub fn catch_up(&mut self, now: Instant) {
        let ids: Vec<K> = self.withheld.keys().copied().collect();
        for id in ids {
            let Some((entry, _)) = self.withheld.get(&id) else { continue };
            let limit = self.limits.get_mut(&(Some(id), entry.kind));
            let limit = limit.filter(|limit| limit.allows(now));
            let Some(left_out) = limit.and_then(|limit| limit.take(now)) else { continue };
            if let Some((entry, at)) = self.withheld.remove(&id) {
                self.limited = self.limited.saturating_sub(1);
                // It counted as left out itself.
                self.push(entry, at, left_out.saturating_sub(1));
            }
        }
    }

    fn push(&mut self, entry: Entry<K>, at: Instant, left_out: u32) {
        let name = entry.instance.map(|(_, name)| name);
        let text = match &name {
            Some(name) => format!("{name}: {}", entry.text),
            None => entry.text,
        };
        let record = Record {
            at,
            level: entry.level,
            kind: entry.kind,
            instance: name,
            transition: entry.transition,
            text,
            left_out,
        };
        let sent = postcard::to_allocvec(&record).is_ok_and(|octets| self.queue.push(octets));
        if !sent {
            self.lost += 1;
        }
    }

    /// Forgets the limits of what is gone.
    pub fn retain(&mut self, exists: impl Fn(K) -> bool) {
        self.limits.retain(|(instance, _), _| instance.is_none_or(&exists));
        self.withheld.retain(|instance, _| exists(*instance));
    }

    /// See [`SendQueue::flush`].
    ///
    /// # Errors
    /// The error of the system call.
    pub fn flush(&mut self) -> io::Result<bool> {
        self.queue.flush()
    }
}

impl<K> AsFd for Records<K> {
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
    use crate::control::status::State;

    fn pair() -> (Records<u32>, OwnedFd) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let kind = SockType::SeqPacket;
        let (near, far) = socketpair(AddressFamily::Unix, kind, None, flags).unwrap();
        (Records::new(near), far)
    }

    fn entry(instance: Option<u32>, text: &str) -> Entry<u32> {
        Entry {
            level: Level::Warning,
            kind: Kind::Packet,
            instance: instance.map(|id| (id, format!("i{id}"))),
            transition: None,
            text: text.into(),
        }
    }

    fn read(far: &OwnedFd) -> Vec<(String, u32)> {
        let mut octets = [0; 1024];
        let mut found = Vec::new();
        while let Ok(len) = recv(far.as_raw_fd(), &mut octets, MsgFlags::empty()) {
            let record: Record = postcard::from_bytes(&octets[..len]).unwrap();
            found.push((record.text, record.left_out));
        }
        found
    }

    #[test]
    fn a_storm_about_one_instance_hides_no_other() {
        let (mut records, far) = pair();
        let start = Instant::ORIGIN + Duration::from_secs(1);
        for _ in 0..100 {
            records.add(entry(Some(1), "bad"), start);
        }
        records.add(entry(Some(2), "bad"), start);
        records.add(entry(None, "bad"), start);
        assert!(records.flush().unwrap());
        let told = read(&far);
        assert_eq!(told.len(), 22);
        assert_eq!(told[20..], [("i2: bad".to_owned(), 0), ("bad".to_owned(), 0)]);
        assert_eq!((records.limited, records.lost), (80, 0));
        records.add(entry(Some(1), "bad"), start + Duration::from_secs(3));
        assert!(records.flush().unwrap());
        assert_eq!(read(&far), [("i1: bad".to_owned(), 80)]);
        records.retain(|id| id == 2);
        assert_eq!(records.limits.len(), 2, "of an instance, and of the process");
    }

    #[test]
    fn what_matters_less_than_asked_for_does_not_count() {
        let (mut records, far) = pair();
        records.set_level(Level::Error);
        for _ in 0..100 {
            records.add(entry(None, "bad"), Instant::ORIGIN);
        }
        assert!(records.flush().unwrap());
        assert_eq!((read(&far).len(), records.limited, records.limits.len()), (0, 0, 0));
    }

    #[test]
    fn a_log_that_does_not_read_costs_a_bounded_queue() {
        let (mut records, _far) = pair();
        let text = "x".repeat(1000);
        for number in 0..2000 {
            records.add(entry(Some(number), &text), Instant::ORIGIN);
        }
        assert!(records.lost > 1000, "{}", records.lost);
        assert!(!records.flush().unwrap());
    }

    #[test]
    fn the_last_change_of_state_is_told_in_the_end() {
        let (mut records, far) = pair();
        let start = Instant::ORIGIN + Duration::from_secs(100);
        for number in 0..50 {
            let transition =
                Transition { from: State::Backup, to: State::Fault, cause: String::new() };
            let (kind, transition) = (Kind::Transition, Some(transition));
            let change = Entry { kind, transition, ..entry(Some(1), &number.to_string()) };
            records.add(change, start);
        }
        let told = |records: &mut Records<u32>, after| {
            records.catch_up(start + Duration::from_secs(after));
            assert!(records.flush().unwrap());
            read(&far)
        };
        assert_eq!(told(&mut records, 1).last(), Some(&("i1: 19".to_owned(), 0)));
        assert_eq!(told(&mut records, 10), [("i1: 49".to_owned(), 29)]);
        assert_eq!((told(&mut records, 60), records.limited), (vec![], 29));
    }
}
