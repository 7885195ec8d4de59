//! What a machine has, for the cross checks that compare with it.

use crate::sorted::Map;
use std::cell::{OnceCell, RefCell};
use std::net::IpAddr;

use nix::errno::Errno;
use nix::net::if_::{if_indextoname, if_nameindex, if_nametoindex};
use nix::sys::socket::SockaddrStorage;

use super::values::INTERFACE_NAME_MAX;

/// What an interface can be used for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Character {
    /// The bridge, bond or the like that it is a port of, and that gets all its packets.
    pub port_of: Option<Box<str>>,
    /// It is the loopback interface.
    pub loopback: bool,
    /// It takes multicast packets.
    pub multicast: bool,
    /// Hosts on it ask each other for link-layer addresses.
    pub resolves: bool,
}

/// Tells the character of an interface; `None` when there is no such one.
pub type Ask = fn(&str) -> Option<Character>;

/// The addresses of each interface, by its name.
pub type Addresses = Map<Box<str>, Vec<IpAddr>>;

/// The interfaces of a machine and their addresses. Nothing is listed before somebody asks for it:
/// a router has thousands of addresses, and most configurations are not compared with them.
#[derive(Clone, Debug)]
pub struct Machine {
    interfaces: OnceCell<Vec<Box<str>>>,
    /// `None`: they could not be listed.
    addresses: OnceCell<Option<Addresses>>,
    /// What the kernel said of each name, while the interfaces are not listed.
    asked: RefCell<Map<Box<str>, bool>>,
    character: Ask,
}

impl Machine {
    /// This machine, as the kernel shows it to any user; `character` as it tells by netlink, which
    /// this module knows nothing of.
    ///
    /// # Errors
    /// The kernel says nothing of its interfaces.
    pub fn look(character: Ask) -> nix::Result<Self> {
        is_there("lo")?;
        let (interfaces, addresses, asked) = Default::default();
        Ok(Self { interfaces, addresses, asked, character })
    }

    /// One that has these interfaces and addresses.
    pub fn of(interfaces: Vec<Box<str>>, addresses: Vec<(Box<str>, IpAddr)>) -> Self {
        let (interfaces, addresses) = (interfaces.into(), Some(by_interface(addresses)).into());
        Self { interfaces, addresses, asked: RefCell::default(), character: |_| None }
    }

    /// The same with interfaces of this character.
    #[must_use]
    pub const fn with(mut self, character: Ask) -> Self {
        self.character = character;
        self
    }

    /// What an interface can be used for; `None` when it is not known.
    pub fn character(&self, name: &str) -> Option<Character> {
        (self.character)(name)
    }

    /// Whether there is such an interface.
    pub fn has_interface(&self, name: &str) -> bool {
        if let Some(interfaces) = self.interfaces.get() {
            return interfaces.iter().any(|interface| **interface == *name);
        }
        if let Some(known) = self.asked.borrow().get(name) {
            return *known;
        }
        let there = is_there(name).unwrap_or(false);
        self.asked.borrow_mut().insert(name.into(), there);
        there
    }

    /// The names of its interfaces, in the kernel's order.
    pub fn interfaces(&self) -> &[Box<str>] {
        self.interfaces.get_or_init(|| {
            let Ok(names) = if_nameindex() else { return Vec::new() };
            names.iter().map(|i| i.name().to_string_lossy().into()).collect()
        })
    }

    /// All addresses; `None` when they cannot be listed.
    pub fn addresses(&self) -> Option<&Addresses> {
        let entry = |entry: nix::ifaddrs::InterfaceAddress| {
            let address = entry.address.as_ref().and_then(ip_address)?;
            Some((entry.interface_name.into(), address))
        };
        let list = || Some(by_interface(nix::ifaddrs::getifaddrs().ok()?.filter_map(entry)));
        self.addresses.get_or_init(list).as_ref()
    }
}

/// A router has thousands of addresses, and each instance asks for those of its interface.
fn by_interface(all: impl IntoIterator<Item = (Box<str>, IpAddr)>) -> Addresses {
    let mut addresses = Addresses::new();
    for (interface, address) in all {
        addresses.entry(interface).or_default().push(address);
    }
    addresses
}

/// Whether an interface has this name, and not as another one beside its own.
fn is_there(name: &str) -> nix::Result<bool> {
    if name.len() > INTERFACE_NAME_MAX {
        return Ok(false);
    }
    match if_nametoindex(name) {
        Ok(index) => Ok(if_indextoname(index).is_ok_and(|own| own.to_bytes() == name.as_bytes())),
        Err(Errno::ENODEV) => Ok(false),
        Err(error) => Err(error),
    }
}

fn ip_address(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_its_loopback() {
        let machine = Machine::look(|_| None).unwrap();
        for _ in 0..2 {
            assert!(machine.has_interface("lo"));
            assert!(!machine.has_interface("no-such-one"));
            assert!(!machine.has_interface("lo-with-a-name-that-is-too-long"));
            assert!(machine.interfaces().iter().any(|name| **name == *"lo"));
        }
        assert!(machine.addresses().is_some());
    }
}
