//! The interfaces of the configuration: what they are now, and the sockets that hear adverts on
//! them. A socket lives as long as its link: one that is deleted and made again gets a new one
//! (`netlink:N-23`).

use std::collections::BTreeMap;
use std::io;

use smol::Task;

use super::receive::Receiver;
use super::shell::Shell;
use super::tasks::Spawner;
use crate::netlink::cache::Interface;
use crate::netlink::link::LinkIndex;
use crate::system::clock;
use crate::units::Family;
use crate::vrrp::{Engine, Event, InterfaceId, InterfaceState};

/// Packets that are read from one socket before others get their turn.
const TURN: usize = 64;

/// One socket and who waits for it.
#[derive(Debug)]
struct Socket {
    receiver: Receiver,
    /// Ends with it.
    _task: Task<()>,
}

/// What is known of an interface.
#[derive(Debug, Default)]
struct Known {
    name: Box<str>,
    index: Option<LinkIndex>,
    /// As it was reported to the engine.
    state: Option<InterfaceState>,
    /// The families whose adverts are to be heard on it.
    families: Vec<Family>,
    /// A socket could not be opened, then.
    trouble: Option<String>,
}

/// The interfaces of the configuration.
#[derive(Debug, Default)]
pub struct Links {
    spawner: Option<Spawner>,
    known: BTreeMap<InterfaceId, Known>,
    sockets: BTreeMap<(InterfaceId, Family), Socket>,
    by_index: BTreeMap<LinkIndex, InterfaceId>,
}

/// Something to report to the engine, in this order.
type Reports = heapless::Vec<InterfaceState, 2>;

impl Links {
    /// Who starts the tasks of sockets.
    pub fn set_spawner(&mut self, spawner: Spawner) {
        self.spawner = Some(spawner);
    }

    /// Takes over the interfaces of a configuration, and which families are used on each.
    pub fn configure(&mut self, engine: &Engine) {
        for known in self.known.values_mut() {
            known.families.clear();
        }
        for (id, name) in engine.interfaces() {
            let known = self.known.entry(id).or_default();
            if known.name.is_empty() {
                known.name = name.into();
            }
        }
        for instance in engine.instances() {
            let Some(known) = engine.interface_of(instance).and_then(|i| self.known.get_mut(&i))
            else {
                continue;
            };
            for router in engine.routers(instance) {
                if !known.families.contains(&router.family) {
                    known.families.push(router.family);
                }
            }
        }
        let known = &self.known;
        self.sockets.retain(|(id, family), _| {
            known.get(id).is_some_and(|known| known.families.contains(family))
        });
    }

    /// The interfaces of the configuration.
    pub fn all(&self) -> Vec<(InterfaceId, Box<str>)> {
        self.known.iter().map(|(id, known)| (*id, known.name.clone())).collect()
    }

    /// The link of an interface.
    pub fn index(&self, interface: InterfaceId) -> Option<LinkIndex> {
        self.known.get(&interface)?.index
    }

    /// The interface of a link.
    pub fn interface(&self, index: LinkIndex) -> Option<InterfaceId> {
        self.by_index.get(&index).copied()
    }

    /// All sockets.
    pub fn sockets(&self) -> Vec<(InterfaceId, Family)> {
        self.sockets.keys().copied().collect()
    }

    /// Whether some socket could not be opened, so that it has to be tried again.
    pub fn in_trouble(&self) -> bool {
        self.known.values().any(|known| known.trouble.is_some())
    }

    /// Sees what an interface is now, opens and closes its sockets, and says what the engine has
    /// to know; with words when a socket can not be opened.
    pub fn sync(
        &mut self,
        id: InterfaceId,
        found: Option<&Interface<'_>>,
    ) -> (Reports, Option<String>) {
        let mut reports = Reports::new();
        let Some(known) = self.known.get_mut(&id) else { return (reports, None) };
        let index = found.map(|found| found.link.index);
        if known.index != index {
            if let Some(old) = known.index.take() {
                self.by_index.remove(&old);
                if known.state.is_some_and(|state| state.present) {
                    known.state = Some(InterfaceState::default());
                    // Both fit.
                    let _ = reports.push(InterfaceState::default());
                }
            }
            self.sockets.retain(|(of, _), _| *of != id);
            known.index = index;
            if let Some(index) = index {
                self.by_index.insert(index, id);
            }
        }
        let before = known.trouble.take();
        if let (Some(index), Some(spawner)) = (index, &self.spawner) {
            for family in known.families.clone() {
                if self.sockets.contains_key(&(id, family)) {
                    continue;
                }
                match open(spawner, id, index, family) {
                    Ok(socket) => {
                        self.sockets.insert((id, family), socket);
                    }
                    Err(error) => known.trouble = Some(remedy(&known.name, family, &error)),
                }
            }
        }
        let state = found.map_or_else(InterfaceState::default, |found| InterfaceState {
            present: true,
            // An instance that can not hear others must not become master.
            up: found.link.flags.up() && known.trouble.is_none(),
            ipv4: found.ipv4,
            ipv6: found.ipv6,
        });
        if known.state != Some(state) {
            known.state = Some(state);
            let _ = reports.push(state);
        }
        let trouble = known.trouble.clone().filter(|now| before.as_ref() != Some(now));
        (reports, trouble)
    }
}

fn open(
    spawner: &Spawner,
    id: InterfaceId,
    index: LinkIndex,
    family: Family,
) -> io::Result<Socket> {
    let receiver = Receiver::open(index, family)?;
    let task = spawner
        .watch(std::os::fd::AsFd::as_fd(&receiver), move |shell| receive(shell, id, family))?;
    Ok(Socket { receiver, _task: task })
}

fn remedy(name: &str, family: Family, error: &io::Error) -> String {
    let kind = error.kind();
    let help = if kind == io::ErrorKind::PermissionDenied {
        ": run it as root, or with CAP_NET_RAW"
    } else {
        "; it is tried again every second"
    };
    format!("interface \"{name}\": cannot listen for {family} adverts: {error}{help}")
}

/// Reads packets of one socket and hands them to the engine; `true`: perhaps there are more.
pub fn receive(shell: &mut Shell, id: InterfaceId, family: Family) -> bool {
    for _ in 0..TURN {
        let Some(socket) = shell.links.sockets.get(&(id, family)) else { return false };
        let datagram = match socket.receiver.read(&mut shell.buffer) {
            Ok(Some(datagram)) => datagram,
            // The link is down or gone: netlink tells.
            Ok(None) | Err(_) => return false,
        };
        let Ok(received) = datagram.received(id) else { continue };
        let now = clock::now();
        // A flood for one virtual router must not keep timers from running (`vrrp:V-24`).
        if shell.engine.burst_is_over(&received) {
            shell.engine.handle(Event::Wake, now);
        }
        shell.engine.handle(Event::Received(received), now);
    }
    true
}
