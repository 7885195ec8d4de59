//! `[vrrp.instance.NAME]` and `[vrrp.group.NAME]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::{Command, Tracking};
use crate::net::VirtualAddress;
use crate::net::{Route, Rule};
use crate::units::{Centiseconds, Family, Mac, Priority, Version, Vrid};

/// `[vrrp.instance.NAME]`: one virtual router per address family that it has addresses of.
#[derive(Clone, PartialEq, Debug)]
pub struct Instance {
    /// As logs and commands use it.
    pub name: Box<str>,
    /// `interface` that adverts are sent and received on.
    pub interface: Box<str>,
    /// `virtual_router_id`.
    pub vrid: Vrid,
    /// `priority`.
    pub priority: Priority,
    /// `version`; the default is 3 with IPv6 addresses, else `global.vrrp_version`
    /// (`vrrp:V-8b`).
    pub version: Version,
    /// `advertisement_interval`.
    pub interval: Centiseconds,
    /// `down_timer_adverts`: adverts that may be missed.
    pub down_timer_adverts: u8,
    /// `preempt`.
    pub preempt: PreemptMode,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// `virtual_addresses`: in the packet.
    pub addresses: Vec<VirtualAddress>,
    /// `excluded_addresses`: not in the packet.
    pub excluded: Vec<VirtualAddress>,
    /// `no_virtual_addresses`: adverts without any address are meant.
    pub no_virtual_addresses: bool,
    /// `virtual_routes`.
    pub routes: Vec<Route>,
    /// `virtual_rules`.
    pub rules: Vec<Rule>,
    /// `promote_secondaries`: set the interface's sysctl of this name.
    pub promote_secondaries: bool,
    /// `source_address` of IPv4 adverts.
    pub source_v4: Option<Ipv4Addr>,
    /// `source_address` of IPv6 adverts.
    pub source_v6: Option<Ipv6Addr>,
    /// `track_src_ip`: fault while the source address is missing.
    pub track_src_ip: bool,
    /// `accept`: packets to the virtual addresses are for the master itself.
    pub accept: bool,
    /// `authentication`.
    pub authentication: Authentication,
    /// `hmac`.
    pub hmac: Option<Hmac>,
    /// `checksum`.
    pub checksum: Checksum,
    /// Announcements.
    pub announce: Announce,
    /// `lower_prio_no_advert`: do not answer an advert of a lower priority.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`: one more advert before giving way.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`: as the owner, do not process other routers' adverts.
    pub owner_ignore_adverts: bool,
    /// `strict_mode`: the RFC without keepalived's extensions.
    pub strict: bool,
    /// `skip_check_adv_addr`: compare the address list of a master only when it is new.
    pub skip_check_adv_addr: bool,
    /// `timer_expired_backup`: step down after a sleep that a router of this priority would have
    /// used.
    pub timer_expired_backup: Option<Priority>,
    /// `on_foreign_removal`.
    pub on_foreign_removal: OnForeignRemoval,
    /// `resume_within`: continue as master after a restart when the last advert is at most this
    /// old; `None`: two intervals.
    pub resume_within: Option<Duration>,
    /// `backups`: how many other routers share the identifier; `None`: not known.
    pub backups: Option<u8>,
    /// `hand_over`: planned stops without a gap.
    pub hand_over: bool,
    /// `dont_track_primary`: the state of the own interface does not matter.
    pub dont_track_primary: bool,
    /// `track_*`.
    pub track: Tracking,
    /// `notify*`.
    pub notify: Option<Box<Notify>>,
    /// `use_vmac` and its like.
    pub vmac: Option<Vmac>,
    /// `use_ipvlan`.
    pub ipvlan: Option<Ipvlan>,
    /// `unicast_*`.
    pub unicast: Unicast,
    /// `mcast_dst_ip`: another group than the usual one.
    pub mcast_group: Option<IpAddr>,
    /// `kernel_rx_buf_size` of the receiving socket, in octets.
    pub kernel_rx_buf_size: Option<u32>,
}

impl Instance {
    /// Whether it has an address of this family in the packet.
    pub fn has_family(&self, family: Family) -> bool {
        self.addresses.iter().any(|address| Family::of(address.address) == family)
    }
}

/// `preempt`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PreemptMode {
    /// `false`: leave a lower master alone.
    Off,
    /// `true`: take over from a lower master.
    #[default]
    On,
    /// `"immediate"`: take over at the first advert of a lower master.
    Immediate,
}

/// `authentication` of version 2.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Authentication {
    /// None.
    #[default]
    None,
    /// `type = "pass"`: eight octets in clear text, padded with NUL (`vrrp:A-1`).
    Pass([u8; 8]),
    /// `type = "ah"`: authentication header with this key (`vrrp:A-2`).
    Ah([u8; 8]),
}

/// `hmac`: keepalived's trailer (section 8.3 of the rules).
#[derive(Clone, PartialEq, Debug)]
pub struct Hmac {
    /// `keys`; identifiers are unique.
    pub keys: Vec<HmacKey>,
    /// `active_key`: signs.
    pub active_key: u8,
    /// `time_window`; `None`: three intervals, at least 5 s.
    pub time_window: Option<Duration>,
    /// `anti_replay = "monotonic"` instead of `"time"`.
    pub monotonic: bool,
    /// `mode`.
    pub mode: HmacMode,
}

/// One key of the trailer.
#[derive(Clone, PartialEq, Debug)]
pub struct HmacKey {
    /// `id`, 1 to 255.
    pub id: u8,
    /// `key` or `file`.
    pub secret: HmacSecret,
}

/// Where the octets of a key come from.
#[derive(Clone, PartialEq, Debug)]
pub enum HmacSecret {
    /// `key`: 32 to 64 octets.
    Inline(Box<[u8]>),
    /// `file`: read at the start.
    File(Box<str>),
}

/// How strict the trailer is (`vrrp:H-7`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HmacMode {
    /// Sign, and reject what is unsigned.
    #[default]
    Enforce,
    /// Sign, and accept what is unsigned.
    Permissive,
    /// Do not sign; verify what is signed.
    ReceiveOnly,
}

/// `checksum`: what version 3 over IPv4 covers (`vrrp:C-4`, `C-5`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Checksum {
    /// `"pseudo_header"`: as keepalived and FRR do.
    #[default]
    PseudoHeader,
    /// `"pseudo_header_strict"`: the same without recognising old unicast peers.
    PseudoHeaderStrict,
    /// `"old_unicast"`: keepalived's `old_unicast_checksum`.
    OldUnicast,
    /// `"message"`: RFC 9568, keepalived's `v3_checksum_as_v2`.
    MessageOnly,
}

/// Gratuitous ARP and unsolicited neighbour advertisements (`vrrp:G-5`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announce {
    /// `garp_master_repeat`: rounds on becoming master.
    pub repeat: u8,
    /// `garp_master_delay`: when the rounds follow again; zero: never.
    pub delay: Duration,
    /// `garp_master_refresh`: time between refreshes; zero: none.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`: rounds of a refresh.
    pub refresh_repeat: u8,
    /// `garp_lower_prio_repeat`: rounds after an advert of a lower priority.
    pub lower_prio_repeat: u8,
    /// `garp_lower_prio_delay`: when those follow again; zero: never.
    pub lower_prio_delay: Duration,
    /// `global.vrrp_garp_interval`: smallest time between two gratuitous ARPs of an interface.
    pub garp_interval: Duration,
    /// `global.vrrp_gna_interval`: the same for neighbour advertisements.
    pub gna_interval: Duration,
    /// `second_holder_probe`: time between two probes for another holder of an address; zero: none.
    pub second_holder_probe: Duration,
    /// `garp_extra_if`: further announcements on interfaces below a virtual one.
    pub extra_if: Option<GarpExtra>,
}

impl Default for Announce {
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Duration::from_secs(5),
            // Off in keepalived; one packet a minute repairs what a lost one left behind.
            refresh: Duration::from_secs(60),
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: Duration::from_secs(5),
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            second_holder_probe: Duration::from_secs(10),
            extra_if: None,
        }
    }
}

/// `garp_extra_if`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GarpExtra {
    /// How often.
    pub interval: Duration,
    /// On every interface below, and not only on the first.
    pub all: bool,
}

/// `on_foreign_removal`: when somebody else removes one of our addresses, routes or rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnForeignRemoval {
    /// `"restore"`: put it back.
    #[default]
    Restore,
    /// `"backup"`: step down, as keepalived does.
    Backup,
}

/// `use_vmac`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vmac {
    /// `name` of the interface; `None`: `vrrp.VRID`.
    pub name: Option<Box<str>>,
    /// `mac`, when it is not that of the virtual router.
    pub mac: Option<Mac>,
    /// `group` number of the interface.
    pub group: Option<u32>,
    /// `vmac_xmit_base`: adverts leave from the interface below.
    pub xmit_base: bool,
    /// `use_vmac_addr`: addresses of other interfaces get a virtual MAC as well.
    pub for_addresses: bool,
}

/// `use_ipvlan`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ipvlan {
    /// `name` of the interface.
    pub name: Option<Box<str>>,
    /// `address` that adverts are sent from.
    pub address: Option<IpAddr>,
    /// `mode`.
    pub mode: IpvlanMode,
    /// `group` number of the interface.
    pub group: Option<u32>,
}

/// How ipvlan interfaces of one parent see each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IpvlanMode {
    /// They do.
    #[default]
    Bridge,
    /// They do not.
    Private,
    /// By way of the switch.
    Vepa,
}

/// `unicast_*`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unicast {
    /// `unicast_peers`; empty: multicast.
    pub peers: Vec<UnicastPeer>,
    /// `unicast_ttl` of adverts sent.
    pub ttl: Option<u8>,
    /// `unicast_fault_no_peer`: fault instead of multicast without peers.
    pub fault_no_peer: bool,
    /// `check_unicast_src`: drop adverts that are of no peer.
    pub check_source: bool,
}

/// One of `unicast_peers`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnicastPeer {
    /// The peer.
    pub address: IpAddr,
    /// `min_ttl` of adverts received.
    pub min_ttl: u8,
    /// `max_ttl` of adverts received.
    pub max_ttl: u8,
}

/// `notify*`: scripts that run on changes of state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notify {
    /// `notify_master`.
    pub master: Option<Command>,
    /// `notify_backup`.
    pub backup: Option<Command>,
    /// `notify_fault`.
    pub fault: Option<Command>,
    /// `notify_stop`.
    pub stop: Option<Command>,
    /// `notify_deleted`.
    pub deleted: Option<Command>,
    /// `notify_master_rx_lower_pri`.
    pub master_rx_lower_pri: Option<Command>,
    /// `notify`: all of them, with arguments.
    pub any: Option<Command>,
    /// `notify_priority_changes`: tell changes of the priority as well.
    pub priority_changes: bool,
    /// `smtp_alert`: send mail.
    pub smtp_alert: bool,
}

/// `[vrrp.group.NAME]`: instances that move together (`vrrp:S-41`).
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// As logs and commands use it.
    pub name: Box<str>,
    /// `instances`.
    pub instances: Vec<Box<str>>,
    /// `track_*`: counts for every member.
    pub track: Tracking,
    /// `sync_group_tracking_weight`: trackers with a weight count in members as well.
    pub tracking_weight: bool,
    /// `notify*`.
    pub notify: Option<Box<Notify>>,
}
