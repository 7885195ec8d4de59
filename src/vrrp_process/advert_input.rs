//! Adverts of others on their way to the engine.

use std::time::Duration;

use super::advert_receiver::{Buffer, Datagram};
use super::interfaces::Interfaces;
use super::receive_coalescing::ReceiveCoalescing;
use crate::system::clock;
use crate::units::{Family, Instant};
use crate::vrrp::{Engine, Event, InterfaceId};

/// Packets of a socket that are read before somebody else has an answer.
const MAX_PACKETS_BEFORE_ANSWER: usize = 64;

/// What is read of the sockets.
#[derive(Debug, Default)]
pub struct AdvertInput {
    buffer: Buffer,
    /// Sockets to be read before masters count as gone; kept for its memory.
    to_drain: Vec<(InterfaceId, Family)>,
    /// Packets came since the process waited last.
    heard: bool,
    /// Nothing but packets came since the last turn.
    only_heard: bool,
    coalescing: ReceiveCoalescing,
}

impl AdvertInput {
    /// Reads packets of one socket and hands them to the engine; `true`: perhaps there are more.
    pub fn read(
        &mut self,
        engine: &mut Engine,
        interfaces: &Interfaces,
        (id, family): (InterfaceId, Family),
    ) -> bool {
        self.only_heard = true;
        let Self { buffer, heard, .. } = self;
        let Some(receiver) = interfaces.receiver(id, family) else { return false };
        let take = |datagram: &Datagram<'_>| {
            *heard = true;
            let Ok(received) = datagram.received(id) else { return };
            let now = clock::now();
            // A flood for one virtual router must not keep timers from running (`vrrp:V-24`).
            if engine.burst_is_over(&received) {
                engine.handle(Event::Wake, now);
            }
            engine.handle(Event::Received(received), now);
        };
        // Of an error netlink tells: the link is down or gone.
        receiver.read(buffer, take).unwrap_or(false)
    }

    /// Reads all packets that wait, since the process stood still or a master seems to be gone; not
    /// longer than the engine allows.
    pub fn drain(&mut self, engine: &mut Engine, interfaces: &Interfaces) {
        let until = engine.next_deadline();
        let mut sockets = std::mem::take(&mut self.to_drain);
        sockets.clear();
        if engine.sockets_to_drain(|interface, family| sockets.push((interface, family))) {
            sockets.sort_unstable();
            sockets.dedup();
        } else {
            sockets.extend(interfaces.sockets());
        }
        let broken_off = sockets.iter().any(|&socket| {
            while self.read(engine, interfaces, socket) {
                if until.is_some_and(|until| clock::now() >= until) {
                    return true;
                }
            }
            false
        });
        self.to_drain = sockets;
        if !broken_off {
            engine.handle(Event::SocketsDrained, clock::now());
        }
    }

    /// Reads what has come by now. A flood has no end, so that not all of it may be read.
    pub fn catch_up(&mut self, engine: &mut Engine, interfaces: &Interfaces) {
        for socket in interfaces.sockets() {
            for _ in 0..MAX_PACKETS_BEFORE_ANSWER {
                if !self.read(engine, interfaces, socket) {
                    break;
                }
            }
        }
    }

    /// Whether nothing but packets came since this was asked last.
    pub const fn take_only_heard(&mut self) -> bool {
        std::mem::replace(&mut self.only_heard, false)
    }

    /// How long to rest before more packets are waited for, when they come one after the other.
    pub fn rest(&mut self, now: Instant, armed: Option<Instant>) -> Option<Duration> {
        if !std::mem::take(&mut self.heard) {
            return None;
        }
        self.coalescing.woken(now, armed)
    }
}
