//! `[vrrp.instance.NAME]` and `[vrrp.group.NAME]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Notify, Track, Tracking, UNICAST};
use crate::config::keys::{DAY, Key, Kind, NO_TIME};
use crate::config::section::section;
use crate::net::{Object, Route, Rule, VirtualAddress};
use crate::units::{Centiseconds, Family, Mac, Priority, Version, Vrid};

section! {
    /// `[vrrp.instance.NAME]`: one virtual router per address family that it has addresses of.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Instance {
        /// What the engine takes as it is written.
        settings: InstanceSettings = InstanceSettings::default(), part "";
        /// Further announcements on the interfaces below a virtual one.
        garp_extra: Option<GarpExtra> = None,
            key Key::new("garp_extra_if", Kind::Other("a length of time, or a table"), "\"60s\"")
                .keepalived(&[("garp_extra_if", None), ("vmac_garp_intvl", None)])
                .unbuilt(VMAC);
        /// The addresses that move to the master, and are in the packet.
        addresses: Vec<VirtualAddress> = Vec::new(),
            key Key::new("virtual_addresses", ADDRESSES, "[\"192.168.1.1/24\"]")
                .keepalived(&[("virtual_ipaddress", None)]);
        /// Addresses that move to the master, and are not in the packet.
        excluded: Vec<VirtualAddress> = Vec::new(),
            key Key::new("excluded_addresses", ADDRESSES, "[\"192.168.1.1/24\"]")
                .keepalived(&[("virtual_ipaddress_excluded", None)]);
        /// Adverts without any address are meant.
        no_virtual_addresses: bool = false,
            key Key::flag("no_virtual_addresses")
                .keepalived(&[("no_virtual_ipaddress", Some("true"))])
                .unbuilt("an instance without addresses is");
        /// Routes that the master has.
        routes: Vec<Route> = Vec::new(),
            key Key::new(
                "virtual_routes",
                Kind::Other("a list of routes"),
                "[\"default via 192.168.1.254\"]"
            )
            .keepalived(&[("virtual_routes", None)]);
        /// Policy rules that the master has.
        rules: Vec<Rule> = Vec::new(),
            key Key::new(
                "virtual_rules",
                Kind::Other("a list of rules"),
                "[\"from 10.0.0.0/8 table 100 priority 500\"]"
            )
            .keepalived(&[("virtual_rules", None)]);
        /// Set the interface's sysctl of this name.
        promote_secondaries: bool = false,
            key Key::flag("promote_secondaries")
                .keepalived(&[("promote_secondaries", Some("true"))])
                .unbuilt("setting of interface options is");
        /// Fault while the source address is missing.
        track_src_ip: bool = false,
            key Key::flag("track_src_ip")
                .keepalived(&[("track_src_ip", Some("true"))])
                .unbuilt("tracking of the source address is");
        /// Packets to the virtual addresses are for the master itself.
        accept: bool = true,
            own Key::flag("accept")
                .default("true")
                .keepalived(&[("accept", Some("true")), ("no_accept", Some("false"))]);
        /// The trailer of keepalived that proves who sent an advert.
        hmac: Option<Hmac> = None,
            key Key::new(
                "hmac",
                Kind::Other("a table"),
                "{ keys = [{ id = 1, key = \"...\" }], active_key = 1 }"
            )
            .keepalived(&[("auth_hmac", None)])
            .unbuilt("the HMAC trailer is");
        /// What changes the priority or faults the instance.
        track: Tracking = Tracking::default(), part "";
        /// Scripts that run on changes of state.
        notify: Option<Box<Notify>> = None, part "";
        /// Use a virtual MAC address.
        vmac: Option<Vmac> = None,
            key Key::new("use_vmac", Kind::Other("true, a name, or a table"), "true")
                .keepalived(&[("use_vmac", None)])
                .unbuilt(VMAC);
        /// Adverts leave from the interface below the virtual one.
        vmac_xmit_base: bool = false,
            key Key::flag("vmac_xmit_base")
                .keepalived(&[("vmac_xmit_base", Some("true"))])
                .unbuilt(VMAC);
        /// Addresses of other interfaces get a virtual MAC as well.
        vmac_addresses: bool = false,
            key Key::flag("use_vmac_addr")
                .keepalived(&[("use_vmac_addr", Some("true"))])
                .unbuilt(VMAC);
        /// Use an ipvlan interface.
        ipvlan: Option<Ipvlan> = None,
            key Key::new("use_ipvlan", Kind::Other("true, a name, or a table"), "true")
                .keepalived(&[("use_ipvlan", None)])
                .unbuilt("an ipvlan interface is");
        /// Adverts to peers instead of to the group.
        unicast: Unicast = Unicast::default(), part "";
        /// Another multicast group than the usual one.
        mcast_group: Option<IpAddr> = None,
            own Key::new("mcast_dst_ip", Kind::Other("a multicast group"), "\"224.0.0.18\"")
                .keepalived(&[("mcast_dst_ip", None)])
                .unbuilt("another multicast group is");
        /// The buffer of the receiving socket, in octets.
        kernel_rx_buf_size: Option<u32> = None,
            key Key::whole("kernel_rx_buf_size", 1, i32::MAX as i64, "262144")
                .keepalived(&[("kernel_rx_buf_size", None)])
                .unbuilt("another receive buffer size is");
    }
}

const ADDRESSES: Kind = Kind::Other("a list of addresses");
const VMAC: &str = "a virtual MAC is";

impl Instance {
    /// Whether it has an address of this family in the packet.
    pub fn has_family(&self, family: Family) -> bool {
        self.addresses.iter().any(|address| Family::of(address.address) == family)
    }
}

section! {
    /// What the engine needs to know of an instance: one virtual router per address family that it
    /// has addresses of. Most of it is as it is written; the fields without a key follow from other
    /// sections.
    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub struct InstanceSettings {
        /// As logs and commands use it.
        name: Box<str> = Box::default();
        /// The interface that adverts are sent and received on.
        interface: Box<str> = Box::default(),
            key Key::new("interface", Kind::Interface, "\"eth0\"")
                .keepalived(&[("interface", None)])
                .required("add interface = \"eth0\", as `ip link` shows it");
        /// Gratuitous ARP and unsolicited neighbour advertisements.
        announce: Announce = Announce::default(), part "";
        /// How fast announcements follow each other.
        pacing: Pacing = Pacing::default(), from "vrrp_";
        /// What is installed while master: filter first, then addresses, routes, rules
        /// (`vrrp:S-42`).
        objects: Vec<Object> = Vec::new();
        /// The peers, when adverts go to each of them instead of to the group.
        unicast_peers: Vec<IpAddr> = Vec::new();
        /// Unicast: drop adverts whose source is no configured peer (`vrrp:V-41`).
        check_unicast_source: bool = false;
        /// What changes the priority or faults the instance.
        track: Vec<Track> = Vec::new();
        /// The identifier, the same on all routers that share the addresses, for both families.
        vrid: Vrid = Vrid::LOWEST,
            key Key::whole("virtual_router_id", 1, 255, "51")
                .keepalived(&[("virtual_router_id", None)])
                .required(
                    "add virtual_router_id = 51, the same on all routers that share the addresses"
                );
        /// The router with the highest priority becomes master; the owner of the addresses has 255.
        priority: Priority = Priority::DEFAULT,
            key Key::whole("priority", 1, 255, "150")
                .default("100")
                .keepalived(&[("priority", None)]);
        /// The version sent and accepted; the default is 3 with IPv6 addresses, else `vrrp_version`
        /// (`vrrp:V-8b`, `V-31`).
        version: Version = Version::V2,
            own Key::whole("version", 2, 3, "3")
                .keepalived(&[("version", None)]);
        /// The time between two adverts of the master; whole seconds in version 2.
        interval: Centiseconds = Centiseconds::SECOND,
            own Key::time("advertisement_interval", MIN_INTERVAL, MAX_INTERVAL, "\"1s\"")
                .default("\"1s\"")
                .keepalived(&[("advert_int", None)]);
        /// Adverts that may be missed: the 3 of Master_Down_Interval (`vrrp:T-3`).
        down_timer_adverts: u8 = 3,
            key Key::whole("down_timer_adverts", 1, 100, "4")
                .default("3")
                .keepalived(&[("down_timer_adverts", None)]);
        /// Whether to take over from a lower master.
        preempt: Preempt = Preempt::On,
            key Key::new("preempt", Kind::Other("true, false or \"immediate\""), "true")
                .default("true")
                .keepalived(&[("preempt", Some("true")), ("nopreempt", Some("false"))]);
        /// Take over from a lower master only when it was heard for this long.
        preempt_delay: Duration = NO_TIME,
            key Key::time("preempt_delay", NO_TIME, Duration::from_secs(1000), "\"30s\"")
                .default("\"0s\"")
                .keepalived(&[("preempt_delay", None)]);
        /// The source of adverts, when it is not the interface's own: one of each family.
        source: SourceAddresses = SourceAddresses::NONE,
            key Key::new("source_address", Kind::Other("an address"), "\"192.168.1.2\"")
                .keepalived(&[("mcast_src_ip", None), ("unicast_src_ip", None)]);
        /// Authentication of version 2.
        authentication: Authentication = Authentication::None,
            key Key::new(
                "authentication",
                Kind::Other("a table"),
                "{ type = \"pass\", password = \"...\" }"
            )
            .keepalived(&[("auth_type", None), ("auth_pass", None)]);
        /// What the checksum of version 3 over IPv4 covers (`vrrp:C-4`, `C-5`).
        checksum: Checksum = Checksum::PseudoHeader,
            key Key::choice("checksum", Checksum::WORDS, "\"message\"")
                .default("\"pseudo_header\"")
                .keepalived(&[
                ("v3_checksum_as_v2", Some("\"message\"")),
                ("old_unicast_checksum", Some("\"old_unicast\"")),
            ]);
        /// Do not answer an advert of a lower priority (`vrrp:S-26`).
        lower_prio_no_advert: bool = false,
            key Key::flag("lower_prio_no_advert")
                .keepalived(&[("lower_prio_no_advert", None)]);
        /// Send one more advert before giving way to a higher one (`vrrp:S-29`).
        higher_prio_send_advert: bool = true,
            key Key::flag("higher_prio_send_advert")
                .default("true")
                .keepalived(&[("higher_prio_send_advert", None)]);
        /// As the owner, do not process other routers' adverts (`vrrp:V-38`).
        owner_ignore_adverts: bool = false,
            key Key::flag("owner_ignore_adverts")
                .keepalived(&[("owner_ignore_adverts", None)]);
        /// The RFC without keepalived's extensions; switches the planned hand-over off.
        strict: bool = false,
            key Key::flag("strict_mode")
                .keepalived(&[("strict_mode", None)]);
        /// Compare the address list of a master only when it is new (`vrrp:V-40`).
        skip_check_adv_addr: bool = false,
            key Key::flag("skip_check_adv_addr")
                .keepalived(&[("skip_check_adv_addr", None)]);
        /// Step down after a sleep that a router of this priority would have used (`vrrp:T-8`);
        /// only with preemption off.
        timer_expired_backup: Option<Priority> = None,
            key Key::whole("timer_expired_backup", 1, 254, "254")
                .keepalived(&[("thread_timer_expired", None)]);
        /// When somebody else removes one of our addresses, routes or rules.
        on_foreign_removal: OnForeignRemoval = OnForeignRemoval::Restore,
            key Key::choice("on_foreign_removal", OnForeignRemoval::WORDS, "\"backup\"")
                .default("\"restore\"");
        /// Go on as master after a restart when the last advert is at most this old; the default is
        /// two intervals.
        resume_within: Option<Duration> = None,
            key Key::time("resume_within", NO_TIME, DAY, "\"2s\"");
        /// How many other routers share the identifier, when it is known: for the speed of a
        /// planned hand-over.
        backups: Option<u8> = None,
            key Key::whole("backups", 1, 254, "1");
        /// Planned stops without a gap (architecture.md, hand-over).
        hand_over: bool = true,
            key Key::flag("hand_over")
                .default("true");
        /// The state of the own interface does not matter.
        dont_track_primary: bool = false,
            key Key::flag("dont_track_primary")
                .keepalived(&[("dont_track_primary", Some("true"))]);
    }
}

/// The shortest interval, one unit of version 3.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// The longest interval: that of version 2, a whole octet of seconds.
const MAX_INTERVAL: Duration = Duration::from_secs(255);

/// `preempt` (`vrrp:S-14`, `S-15`, `S-17`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Preempt {
    /// `false`: leave a lower master alone.
    Off,
    /// `true`: take over from a lower master, after `preempt_delay`.
    #[default]
    On,
    /// `"immediate"`: take over at the first advert of a lower master, without waiting out the down
    /// timer.
    Immediate,
}

/// `source_address`: at most one of each family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SourceAddresses {
    /// Of IPv4 adverts; `None`: the interface's primary address.
    pub v4: Option<Ipv4Addr>,
    /// Of IPv6 adverts; `None`: the interface's link-local address.
    pub v6: Option<Ipv6Addr>,
}

impl SourceAddresses {
    /// The interface's own.
    pub const NONE: Self = Self { v4: None, v6: None };

    /// The one of a family.
    pub fn of(self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.map(IpAddr::V4),
            Family::V6 => self.v6.map(IpAddr::V6),
        }
    }
}

/// `authentication` of version 2. What is not built has no value here, so that it cannot be taken
/// for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Authentication {
    /// None.
    #[default]
    None,
    /// `type = "pass"`: eight octets in clear text, padded with NUL (`vrrp:A-1`).
    Password([u8; 8]),
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Checksum {
    /// `"pseudo_header"`: with the pseudo-header, as deployed. For unicast, a peer that uses the
    /// multicast group in it is recognised and followed.
    #[default]
    PseudoHeader,
    /// `"pseudo_header_strict"`: the same without recognising such peers
    /// (`old_unicast_checksum never`).
    PseudoHeaderStrict,
    /// `"old_unicast"`: with the multicast group in the pseudo-header even for unicast
    /// (keepalived's `old_unicast_checksum`).
    OldUnicast,
    /// `"message"`: the message alone (RFC 9568, keepalived's `v3_checksum_as_v2`); any value is
    /// accepted.
    MessageOnly,
}

impl Checksum {
    /// The words for the values, in their order.
    pub const WORDS: &'static [&'static str] =
        &["pseudo_header", "pseudo_header_strict", "old_unicast", "message"];
}

section! {
    /// Gratuitous ARP, unsolicited neighbour advertisements and probes (`vrrp:G-5`).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
    pub struct Announce {
        /// Rounds of announcements on becoming master.
        repeat: u8 = 5,
            key Key::whole("garp_master_repeat", 1, 255, "3")
                .default("5")
                .keepalived(&[("garp_master_repeat", None)]);
        /// When the same number of rounds follows again; zero: never.
        delay: Duration = Duration::from_secs(5),
            key Key::time("garp_master_delay", NO_TIME, DAY, "\"10s\"")
                .default("\"5s\"")
                .keepalived(&[("garp_master_delay", None)]);
        // Off in keepalived; one packet a minute repairs what a lost one left behind.
        /// The time between refreshes of a master; zero: none.
        refresh: Duration = Duration::from_secs(60),
            key Key::time("garp_master_refresh", NO_TIME, DAY, "\"300s\"")
                .default("\"60s\"")
                .keepalived(&[("garp_master_refresh", None)]);
        /// Rounds of a refresh.
        refresh_repeat: u8 = 1,
            key Key::whole("garp_master_refresh_repeat", 1, 255, "2")
                .default("1")
                .keepalived(&[("garp_master_refresh_repeat", None)]);
        /// Rounds after an advert of a lower priority (`vrrp:S-29`).
        lower_prio_repeat: u8 = 5,
            key Key::whole("garp_lower_prio_repeat", 0, 255, "1")
                .default("5")
                .keepalived(&[("garp_lower_prio_repeat", None)]);
        /// When those follow again; zero: never.
        lower_prio_delay: Duration = Duration::from_secs(5),
            key Key::time("garp_lower_prio_delay", NO_TIME, DAY, "\"10s\"")
                .default("\"5s\"")
                .keepalived(&[("garp_lower_prio_delay", None)]);
        /// The time between two probes for a second holder of an address; zero: none.
        probe: Duration = Duration::from_secs(10),
            key Key::time("second_holder_probe", NO_TIME, DAY, "\"30s\"")
                .default("\"10s\"");
    }
}

section! {
    /// The smallest time between two announcements on one interface.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
    pub struct Pacing {
        /// Of gratuitous ARPs.
        garp_interval: Duration = NO_TIME,
            key Key::time("garp_interval", NO_TIME, DAY, "\"100us\"")
                .default("\"0s\"")
                .keepalived(&[("vrrp_garp_interval", None)]);
        /// Of neighbour advertisements.
        gna_interval: Duration = NO_TIME,
            key Key::time("gna_interval", NO_TIME, DAY, "\"100us\"")
                .default("\"0s\"")
                .keepalived(&[("vrrp_gna_interval", None)]);
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum OnForeignRemoval {
    /// `"restore"`: put it back and announce it again.
    #[default]
    Restore,
    /// `"backup"`: step down, as keepalived does (`netlink:N-45`).
    Backup,
}

impl OnForeignRemoval {
    /// The words for the values, in their order.
    pub const WORDS: &'static [&'static str] = &["restore", "backup"];
}

section! {
    /// `use_vmac`.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Vmac {
        /// Its name; the default is `vrrp.` and the identifier.
        name: Option<Box<str>> = None, key Key::new("name", Kind::Interface, "\"vrrp.51\"");
        /// The address, when it is not that of the virtual router.
        mac: Option<Mac> = None,
            key Key::new("mac", Kind::Other("an Ethernet address"), "\"02:00:00:00:00:51\"");
        /// The group number of the interface.
        group: Option<u32> = None, key Key::whole("group", 0, u32::MAX as i64, "1");
    }
}

section! {
    /// `use_ipvlan`.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Ipvlan {
        /// The name of the interface.
        name: Option<Box<str>> = None, key Key::new("name", Kind::Interface, "\"vrrp.51\"");
        /// The address that adverts are sent from.
        address: Option<IpAddr> = None,
            key Key::new("address", Kind::Other("an address"), "\"192.168.1.2\"");
        /// How ipvlan interfaces of one parent see each other.
        mode: IpvlanMode = IpvlanMode::Bridge,
            key Key::choice("mode", IpvlanMode::WORDS, "\"bridge\"");
        /// The group number of the interface.
        group: Option<u32> = None, key Key::whole("group", 0, u32::MAX as i64, "1");
    }
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

impl IpvlanMode {
    /// The words for the values, in their order.
    pub const WORDS: &'static [&'static str] = &["bridge", "private", "vepa"];
}

section! {
    /// Adverts to peers instead of to the group.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Unicast {
        /// The peers; without any, adverts go to the group.
        peers: Vec<UnicastPeer> = Vec::new(),
            key Key::new("unicast_peers", Kind::Other("a list of addresses"), "[\"192.168.1.3\"]")
                .keepalived(&[("unicast_peer", None)])
                .unbuilt(UNICAST);
        /// The TTL of adverts sent.
        ttl: Option<u8> = None,
            key Key::whole("unicast_ttl", 0, 255, "255")
                .keepalived(&[("unicast_ttl", None)])
                .unbuilt(UNICAST);
        /// Fault instead of multicast without peers.
        fault_no_peer: bool = false,
            key Key::flag("unicast_fault_no_peer")
                .keepalived(&[("unicast_fault_no_peer", Some("true"))])
                .unbuilt(UNICAST);
        /// Drop adverts whose source is no peer (`vrrp:V-41`).
        check_source: bool = false,
            key Key::flag("check_unicast_src")
                .keepalived(&[("check_unicast_src", Some("true"))])
                .unbuilt(UNICAST);
    }
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

section! {
    /// `[vrrp.group.NAME]`: instances that move together (`vrrp:S-41`).
    #[derive(Clone, PartialEq, Debug)]
    pub struct Group {
        /// As logs and commands use it.
        name: Box<str> = Box::default();
        /// The instances; the first one decides ties of equal priority for all.
        instances: Vec<Box<str>> = Vec::new(),
            key Key::new("instances", Kind::Text, "[\"lan\", \"wan\"]")
                .keepalived(&[("group", None)])
                .required("add instances = [\"lan\", \"wan\"]");
        /// What counts for every member.
        track: Tracking = Tracking::default(), part "";
        /// Trackers with a weight count in members as well.
        tracking_weight: bool = false,
            key Key::flag("sync_group_tracking_weight")
                .keepalived(&[("sync_group_tracking_weight", Some("true"))]);
        /// Scripts that run on changes of state.
        notify: Option<Box<Notify>> = None, part "";
    }
}
