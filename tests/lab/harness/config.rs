//! The text of a configuration.

use std::fmt;

/// `[vrrp.instance.NAME]`; written by `Display`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// `interface`.
    pub interface: String,
    /// `virtual_router_id`.
    pub vrid: u8,
    /// `priority`.
    pub priority: u8,
    /// `version`.
    pub version: u8,
    /// `advertisement_interval`.
    pub interval: String,
    /// `virtual_addresses`.
    pub addresses: Vec<String>,
    /// Further lines.
    pub more: String,
}

impl Instance {
    /// `lan` on `eth0`: virtual router 51, version 3, an advert every 100 ms.
    pub fn lan(priority: u8, addresses: &[&str]) -> Self {
        Self {
            name: "lan".to_owned(),
            interface: "eth0".to_owned(),
            vrid: 51,
            priority,
            version: 3,
            interval: "100ms".to_owned(),
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
            more: String::new(),
        }
    }

    /// Another name and identifier.
    #[must_use]
    pub fn named(mut self, name: &str, vrid: u8) -> Self {
        name.clone_into(&mut self.name);
        self.vrid = vrid;
        self
    }

    /// On another interface.
    #[must_use]
    pub fn on(mut self, interface: &str) -> Self {
        interface.clone_into(&mut self.interface);
        self
    }

    /// Another interval.
    #[must_use]
    pub fn every(mut self, interval: &str) -> Self {
        interval.clone_into(&mut self.interval);
        self
    }

    /// Another version.
    #[must_use]
    pub const fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// One more line: `preempt = false`.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.more.push_str(line);
        self.more.push('\n');
        self
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[vrrp.instance.{}]", self.name)?;
        writeln!(f, "interface = {:?}", self.interface)?;
        writeln!(f, "virtual_router_id = {}", self.vrid)?;
        writeln!(f, "priority = {}", self.priority)?;
        writeln!(f, "version = {}", self.version)?;
        writeln!(f, "advertisement_interval = {:?}", self.interval)?;
        writeln!(f, "virtual_addresses = {:?}", self.addresses)?;
        f.write_str(&self.more)
    }
}
