//! A client that never stops asking.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use steadfast::wire::checksum::Sum;

use super::namespace::Namespace;
use super::{readable, wall_clock};

/// How long an answer may take.
const GRACE: Duration = Duration::from_millis(300);

/// A question: when it was sent, on the [wall clock](wall_clock) and on one without steps, and
/// whether it was answered.
#[derive(Clone, Copy, Debug)]
struct Probe {
    at: Duration,
    sent: Instant,
    answered: bool,
}

/// What was lost in a time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Loss {
    /// Questions.
    pub sent: usize,
    /// Those without an answer.
    pub lost: usize,
    /// When the first of those was sent.
    pub first: Option<Duration>,
    /// And the last.
    pub last: Option<Duration>,
}

/// Sends an echo request every so often, until it is dropped.
#[derive(Debug)]
pub struct Pinger {
    probes: Arc<Mutex<Vec<Probe>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pinger {
    /// Starts to ask `address` from a namespace, whose neighbours are forgotten first.
    #[track_caller]
    pub fn start(net: &Namespace, address: &str, interval: Duration) -> Self {
        net.ip("neigh flush all");
        let address: IpAddr = address.parse().expect("an address");
        let socket = net.run(|| open(address).expect("a raw socket for ICMP"));
        let probes = Arc::default();
        let stop = Arc::default();
        let work = Work {
            socket,
            is_v4: address.is_ipv4(),
            identifier: identifier(),
            interval,
            probes: Arc::clone(&probes),
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new().name("ping".into()).spawn(move || work.run());
        Self { probes, stop, thread: Some(thread.expect("a thread")) }
    }

    /// Waits until an answer comes to something that is asked from now on.
    #[track_caller]
    pub fn until_answered(&self) {
        let from = wall_clock();
        super::until("an answer to a ping", || {
            let probes = self.probes.lock().expect("no panic");
            probes.iter().rev().take_while(|p| p.at >= from).any(|p| p.answered).then_some(())
        });
    }

    /// How many were sent, and how many of them answered, for other threads.
    pub fn counter(&self) -> Counter {
        Counter(Arc::clone(&self.probes))
    }

    /// When those were sent, on the [wall clock](wall_clock), that were sent in a time and have no
    /// answer. Waits until late ones would be here. Minds no step of the clock.
    pub fn lost_between(&self, from: Instant, to: Instant) -> Vec<Duration> {
        thread::sleep((to + GRACE).saturating_duration_since(Instant::now()));
        let probes = self.probes.lock().expect("no panic");
        let sent = probes.iter().filter(|probe| (from..to).contains(&probe.sent));
        sent.filter(|probe| !probe.answered).map(|probe| probe.at).collect()
    }

    /// What was lost of that which was sent from `from` to `to`. Waits until late answers would
    /// be here.
    pub fn loss(&self, from: Duration, to: Duration) -> Loss {
        while wall_clock() < to + GRACE {
            thread::sleep(Duration::from_millis(10));
        }
        let mut loss = Loss::default();
        let probes = self.probes.lock().expect("no panic");
        for probe in probes.iter().filter(|probe| (from..=to).contains(&probe.at)) {
            loss.sent += 1;
            if !probe.answered {
                loss.lost += 1;
                loss.first = loss.first.or(Some(probe.at));
                loss.last = Some(probe.at);
            }
        }
        loss
    }
}

/// Counts what a [`Pinger`] did.
#[derive(Clone, Debug)]
pub struct Counter(Arc<Mutex<Vec<Probe>>>);

impl Counter {
    /// Sent since the first one that was answered, and answered.
    pub fn get(&self) -> (usize, usize) {
        let probes = self.0.lock().expect("no panic");
        let sent = probes.iter().skip_while(|probe| !probe.answered);
        (sent.clone().count(), sent.filter(|probe| probe.answered).count())
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    socket: Socket,
    is_v4: bool,
    identifier: [u8; 2],
    interval: Duration,
    probes: Arc<Mutex<Vec<Probe>>>,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) {
        let mut next = Instant::now();
        let mut number: u32 = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if readable(&self.socket, next) {
                self.receive();
            }
            if Instant::now() >= next {
                let probe = Probe { at: wall_clock(), sent: Instant::now(), answered: false };
                self.probes.lock().expect("no panic").push(probe);
                // What cannot be sent, as the neighbour is not known, is lost.
                let _ = self.socket.write(&self.request(number));
                number += 1;
                // What was missed while this process had to wait is not made up for: many questions
                // at once are lost for other reasons than those that are looked for.
                next = (next + self.interval).max(Instant::now());
            }
        }
    }

    fn request(&self, number: u32) -> Vec<u8> {
        let [.., high, low] = number.to_be_bytes();
        let kind = if self.is_v4 { 8 } else { 128 };
        let [first, second] = self.identifier;
        let mut message = vec![kind, 0, 0, 0, first, second, high, low];
        message.extend(number.to_be_bytes());
        if self.is_v4 {
            // Of IPv6 the kernel fills it in.
            let checksum = Sum::new().octets(&message).checksum().to_be_bytes();
            message[2..4].copy_from_slice(&checksum);
        }
        message
    }

    fn receive(&mut self) {
        let mut buffer = [0; 256];
        while let Ok(length) = self.socket.read(&mut buffer) {
            // IPv4 comes with its header.
            let skipped = if self.is_v4 { usize::from(buffer[0] & 0x0f) * 4 } else { 0 };
            let message = buffer.get(skipped..length).unwrap_or_default();
            let [0 | 129, 0, _, _, first, second, _, _, number @ ..] = message else { continue };
            let Ok(number) = <[u8; 4]>::try_from(number) else { continue };
            if [*first, *second] != self.identifier {
                continue;
            }
            let number = usize::try_from(u32::from_be_bytes(number)).expect("a small number");
            if let Some(probe) = self.probes.lock().expect("no panic").get_mut(number) {
                probe.answered = true;
            }
        }
    }
}

fn open(address: IpAddr) -> std::io::Result<Socket> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.connect(&SocketAddr::new(address, 0).into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// One that no other pinger of this process has.
fn identifier() -> [u8; 2] {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes()
}
