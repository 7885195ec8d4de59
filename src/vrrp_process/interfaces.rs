//! The interfaces of the configuration: what they are now, and the sockets that hear adverts on
//! them. A socket lives as long as its link: one that is deleted and made again gets a new one
//! (`netlink:N-23`).

use std::io;
use std::os::fd::AsFd;

use super::advert_receiver::Receiver;
use super::source::Source;
use crate::child::event_loop::{Sources, Watch};
use crate::netlink::cache::{Cache, Interface};
use crate::netlink::link::LinkIndex;
use crate::sorted::{Map, Set};
use crate::units::Family;
use crate::vrrp::{Engine, InterfaceId, InterfaceState};

/// One socket and who waits for it.
#[derive(Debug)]
struct Socket {
    receiver: Receiver,
    /// Ends with it.
    _watch: Watch<Source>,
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
    /// The families whose socket could not be opened.
    deaf: heapless::Vec<Family, 2>,
}

/// The interfaces of the configuration.
#[derive(Debug)]
pub struct Interfaces {
    sources: Sources<Source>,
    known: Map<InterfaceId, Known>,
    sockets: Map<(InterfaceId, Family), Socket>,
    by_index: Map<LinkIndex, InterfaceId>,
    /// The names of links that have changed since they were looked at.
    pub changed: Set<Box<str>>,
}

/// Something to report to the engine, in this order.
type Reports = heapless::Vec<InterfaceState, 2>;

impl Interfaces {
    /// Without an interface; sockets are added to what is waited for.
    pub const fn new(sources: Sources<Source>) -> Self {
        Self {
            sources,
            known: Map::new(),
            sockets: Map::new(),
            by_index: Map::new(),
            changed: Set::new(),
        }
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
    pub fn sockets(&self) -> impl Iterator<Item = (InterfaceId, Family)> {
        self.sockets.keys().copied()
    }

    /// One socket.
    pub fn receiver(&self, interface: InterfaceId, family: Family) -> Option<&Receiver> {
        Some(&self.sockets.get(&(interface, family))?.receiver)
    }

    /// Whether some socket could not be opened, so that it has to be tried again.
    pub fn in_trouble(&self) -> bool {
        self.known.values().any(|known| known.trouble.is_some())
    }

    /// A link was deleted; the interface that it was is not there, and the engine has to know.
    pub fn lose(&mut self, index: LinkIndex) -> Option<(InterfaceId, InterfaceState)> {
        let id = self.by_index.remove(&index)?;
        self.sockets.retain(|(of, _), _| *of != id);
        let known = self.known.get_mut(&id)?;
        known.index = None;
        let was_present = known.state.is_some_and(|state| state.present);
        was_present.then(|| (id, *known.state.insert(InterfaceState::default())))
    }

    /// What the engine has to know before [`Interfaces::sync`] when the link of an interface has another
    /// name now and is up: priority 0 can still leave by it. `found`: the link that has the name.
    pub fn renamed(
        &self,
        id: InterfaceId,
        found: Option<LinkIndex>,
        cache: &Cache,
    ) -> Option<InterfaceState> {
        let known = self.known.get(&id)?;
        let index = known.index.filter(|index| Some(*index) != found)?;
        let state = known.state.filter(|state| state.present)?;
        let up = cache.link(index)?.flags.up();
        up.then_some(InterfaceState { present: false, up, ..state })
    }

    /// Sees what an interface is now, opens and closes its sockets, and says what the engine has
    /// to know; with words when a socket cannot be opened.
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
                // Another interface may have it already: names can be exchanged.
                if self.by_index.get(&old) == Some(&id) {
                    self.by_index.remove(&old);
                }
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
        known.deaf.clear();
        if let Some(index) = index {
            for family in known.families.clone() {
                if self.sockets.contains_key(&(id, family)) {
                    continue;
                }
                match open(&self.sources, id, index, family) {
                    Ok(socket) => {
                        self.sockets.insert((id, family), socket);
                    }
                    Err(error) => {
                        known.trouble = Some(remedy(&known.name, family, &error));
                        // Both fit.
                        let _ = known.deaf.push(family);
                    }
                }
            }
        }
        let state = found.map_or_else(InterfaceState::default, |found| InterfaceState {
            present: true,
            up: found.link.flags.up(),
            port: found.port,
            mac: found.link.mac,
            // A router that cannot hear others must not become master; those of the other family
            // can.
            ipv4: found.ipv4.filter(|_| !known.deaf.contains(&Family::V4)),
            ipv6: found.ipv6.filter(|_| !known.deaf.contains(&Family::V6)),
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
    sources: &Sources<Source>,
    id: InterfaceId,
    index: LinkIndex,
    family: Family,
) -> io::Result<Socket> {
    let receiver = Receiver::open(index, family)?;
    let watch = sources.watch(receiver.as_fd(), Source::Adverts(id, family))?;
    Ok(Socket { receiver, _watch: watch })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::link::{Link, LinkFlags};
    use crate::vrrp::settings::Settings;

    fn link(index: u32, name: &str) -> Link {
        Link {
            index: LinkIndex(index),
            name: name.into(),
            flags: LinkFlags(0x41),
            mac: None,
            mtu: None,
            master: None,
            kind: None,
            promotes: None,
        }
    }

    fn sync(links: &mut Interfaces, id: InterfaceId, link: &Link) -> Vec<(bool, bool)> {
        let found = Interface { link, ipv4: None, ipv6: None, port: false };
        let (reports, trouble) = links.sync(id, Some(&found));
        assert_eq!(trouble, None);
        reports.iter().map(|state| (state.present, state.up)).collect()
    }

    fn two() -> (Interfaces, InterfaceId, InterfaceId) {
        let text = "[vrrp.instance.a]\ninterface = \"eth0\"\nvirtual_router_id = 1\n\
                    virtual_addresses = [\"192.0.2.1/24\"]\n\
                    [vrrp.instance.b]\ninterface = \"eth1\"\nvirtual_router_id = 1\n\
                    virtual_addresses = [\"198.51.100.1/24\"]\n";
        let settings = Settings::from_model(&crate::config::parse(text, None).model.unwrap());
        let engine = Engine::new(&settings);
        let mut links = Interfaces::new(Sources::new().unwrap());
        links.configure(&engine);
        (links, engine.interface("eth0").unwrap(), engine.interface("eth1").unwrap())
    }

    // netlink:N-23
    #[test]
    fn names_can_be_exchanged() {
        let (mut links, a, b) = two();
        sync(&mut links, a, &link(1, "eth0"));
        sync(&mut links, b, &link(2, "eth1"));
        assert_eq!(sync(&mut links, a, &link(2, "eth0")), [(false, false), (true, true)]);
        assert_eq!(sync(&mut links, b, &link(1, "eth1")), [(false, false), (true, true)]);
        assert_eq!(
            (links.interface(LinkIndex(1)), links.interface(LinkIndex(2))),
            (Some(b), Some(a))
        );
    }

    // netlink:N-23
    #[test]
    fn a_link_that_is_made_again_with_its_old_number_was_gone() {
        let (mut links, a, _) = two();
        assert_eq!(sync(&mut links, a, &link(1, "eth0")), [(true, true)]);
        assert_eq!(sync(&mut links, a, &link(1, "eth0")), []);
        assert_eq!(links.lose(LinkIndex(7)), None);
        assert_eq!(links.lose(LinkIndex(1)), Some((a, InterfaceState::default())));
        assert_eq!(links.lose(LinkIndex(1)), None);
        assert_eq!(links.index(a), None);
        assert_eq!(sync(&mut links, a, &link(1, "eth0")), [(true, true)]);
    }
}
