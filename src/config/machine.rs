//! What a machine has, for the cross checks that compare with it.

use std::net::IpAddr;

use nix::sys::socket::SockaddrStorage;

/// The interfaces of a machine and their addresses.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Machine {
    /// Interface names, in the kernel's order.
    pub interfaces: Vec<Box<str>>,
    /// Addresses with the name of their interface.
    pub addresses: Vec<(Box<str>, IpAddr)>,
}

impl Machine {
    /// This machine, as the kernel shows it to any user.
    pub fn look() -> nix::Result<Self> {
        let names = nix::net::if_::if_nameindex()?;
        let interfaces = names.iter().map(|i| i.name().to_string_lossy().into()).collect();
        let entry = |entry: nix::ifaddrs::InterfaceAddress| {
            let address = entry.address.as_ref().and_then(ip_address)?;
            Some((entry.interface_name.into(), address))
        };
        let addresses = nix::ifaddrs::getifaddrs()?.filter_map(entry).collect();
        Ok(Self { interfaces, addresses })
    }

    /// Whether there is such an interface.
    pub fn has_interface(&self, name: &str) -> bool {
        self.interfaces.iter().any(|interface| **interface == *name)
    }

    /// Whether an interface has an address.
    pub fn has_address(&self, interface: &str, address: IpAddr) -> bool {
        self.addresses.iter().any(|(name, held)| **name == *interface && *held == address)
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
        let machine = Machine::look().unwrap();
        assert!(machine.has_interface("lo"));
        assert!(!machine.has_interface("no-such-one"));
    }
}
