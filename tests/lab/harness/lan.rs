//! A switch, and the hosts on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::namespace::Namespace;
use super::until;

/// A host: a namespace with a name for messages and captures.
#[derive(Debug)]
pub struct Host {
    /// As captures name what it sends.
    pub name: String,
    /// Its network.
    pub net: Namespace,
}

impl Host {
    /// A new one, with nothing but `lo`.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), net: Namespace::new() }
    }
}

/// A switch: a bridge in a namespace of its own. It forwards at once and floods all multicast.
#[derive(Debug)]
pub struct Lan {
    /// Where the bridge is; each port has the name of its host.
    pub net: Arc<Namespace>,
    hosts: AtomicU8,
}

/// The name of the bridge.
pub const BRIDGE: &str = "br0";

impl Lan {
    /// A new one, without ports.
    #[track_caller]
    pub fn new() -> Self {
        let net = Namespace::new();
        // Otherwise the switch itself speaks in captures.
        net.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
        net.ip(&format!("link add {BRIDGE} type bridge forward_delay 0 mcast_snooping 0"));
        net.ip(&format!("link set {BRIDGE} up"));
        Self { net: Arc::new(net), hosts: AtomicU8::new(0) }
    }

    /// Connects a host: `interface` there, with these addresses (`192.0.2.2/24`), and a port with
    /// the name of the host here. Both are up; the link layer address is 02:00:00:00:00:NN,
    /// counted from 1.
    #[track_caller]
    pub fn attach(&self, host: &Host, interface: &str, addresses: &[&str]) {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        let mac = format!("02:00:00:00:00:{number:02x}");
        self.attach_with(host, interface, &mac, addresses);
    }

    /// The same with a link layer address that is given: the same one as before makes a link that
    /// differs from the old one in nothing but its index.
    #[track_caller]
    pub fn attach_with(&self, host: &Host, interface: &str, mac: &str, addresses: &[&str]) {
        let port = &host.name;
        self.net.ip(&format!(
            "link add {port} up master {BRIDGE} type veth peer name {interface} address {mac} \
             netns {}",
            host.net.path()
        ));
        for address in addresses {
            host.net.ip(&format!("address add {address} dev {interface}"));
        }
        host.net.ip(&format!("link set {interface} up"));
        until("the port forwards", || {
            let words = self.net.try_ip(&format!("-d -o link show dev {port}")).unwrap_or_default();
            words.contains("state forwarding").then_some(())
        });
        // Without duplicate detection it takes the kernel a moment, too.
        until("no address is tentative", || {
            let show = format!("-6 address show dev {interface} tentative");
            host.net.try_ip(&show).is_ok_and(|words| words.is_empty()).then_some(())
        });
    }

    /// Pulls the cable of a host, or puts it in again.
    #[track_caller]
    pub fn cable(&self, host: &Host, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        self.net.ip(&format!("link set {} {state}", host.name));
    }
}
