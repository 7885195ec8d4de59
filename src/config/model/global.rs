//! `[global]`: what is not of one instance.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::notify::PROGRAM;
use super::{Announce, Command, Instance, InstanceSettings, Notify, Pacing, UNICAST, Unicast};
use crate::config::keys::{DAY, Key, Kind, NO_TIME};
use crate::config::section::section;
use crate::units::Version;

const SCRIPTS: &str = "running scripts is";
const MAIL: &str = "sending mail is";
const SNMP: &str = "SNMP is";
const GROUP: &str = "another multicast group is";
const PATH: &str = "[\"/path/to/program\", \"argument\"]";

section! {
    /// `[global]`. Keys that begin with `vrrp_` and give a default for instances are not here but
    /// in [`Defaults`].
    #[derive(Clone, PartialEq, Debug)]
    pub struct Global {
        /// How this router calls itself; the default is its host name.
        router_id: Option<Box<str>> = None,
            key Key::text("router_id", "\"gw-a\"")
                .keepalived(&[("router_id", None)]);
        /// Ignore everything for this long after the start.
        startup_delay: Duration = NO_TIME,
            key Key::time("vrrp_startup_delay", NO_TIME, DAY, "\"5s\"")
                .default("\"0s\"")
                .keepalived(&[("vrrp_startup_delay", None)]);
        /// The same, counted from the start of the machine.
        delay_after_boot: Duration = NO_TIME,
            key Key::time("vrrp_delay_after_boot", NO_TIME, DAY, "\"60s\"")
                .default("\"0s\"")
                .unbuilt("a delay that counts from boot is");
        /// The multicast group of IPv4, when it is not 224.0.0.18.
        mcast_group4: Option<Ipv4Addr> = None,
            own Key::new("vrrp_mcast_group4", Kind::Other("a multicast group"), "\"224.0.0.18\"")
                .keepalived(&[("vrrp_mcast_group4", None)])
                .unbuilt(GROUP);
        /// The multicast group of IPv6, when it is not ff02::12.
        mcast_group6: Option<Ipv6Addr> = None,
            own Key::new("vrrp_mcast_group6", Kind::Other("a multicast group"), "\"ff02::12\"")
                .keepalived(&[("vrrp_mcast_group6", None)])
                .unbuilt(GROUP);
        /// Log adverts with an identifier that no instance has.
        log_unknown_vrids: bool = false,
            key Key::flag("log_unknown_vrids")
                .keepalived(&[("log_unknown_vrids", Some("true"))])
                .unbuilt("logging of unknown identifiers is");
        /// Scripts run as this user.
        script_user: Option<Box<str>> = None,
            key Key::text("script_user", "\"nobody\"")
                .keepalived(&[("script_user", None)])
                .unbuilt(SCRIPTS);
        /// Refuse scripts that others than root can change.
        enable_script_security: bool = false,
            key Key::flag("enable_script_security")
                .keepalived(&[("enable_script_security", Some("true"))])
                .unbuilt(SCRIPTS);
        /// For every instance and group.
        notify: Option<Box<Notify>> = None, part "";
        /// A pipe that every event is written to.
        notify_fifo: Option<Box<str>> = None,
            key Key::text("notify_fifo", "\"/run/steadfast/notify\"")
                .keepalived(&[("notify_fifo", None)])
                .unbuilt("notification is");
        /// Reads that pipe.
        notify_fifo_script: Option<Command> = None,
            key Key::new("notify_fifo_script", PROGRAM, PATH)
                .keepalived(&[("notify_fifo_script", None)])
                .unbuilt("notification is");
        /// Runs before anything else starts.
        startup_script: Option<Command> = None,
            key Key::new("startup_script", PROGRAM, PATH)
                .keepalived(&[("startup_script", None)])
                .unbuilt(SCRIPTS);
        /// Runs when everything has ended.
        shutdown_script: Option<Command> = None,
            key Key::new("shutdown_script", PROGRAM, PATH)
                .keepalived(&[("shutdown_script", None)])
                .unbuilt(SCRIPTS);
        /// How mail is sent.
        smtp: Smtp = Smtp::default(), part "";
        /// The connection to an SNMP agent.
        snmp: Snmp = Snmp::default(), part "";
        /// How the process that speaks VRRP is scheduled.
        vrrp_process: ProcessOptions = ProcessOptions::default(), part "vrrp_";
        /// How the process that checks real servers is scheduled.
        checker_process: UnbuiltProcessOptions = UnbuiltProcessOptions::default(), part "checker_";
        /// How the process that speaks BFD is scheduled.
        bfd_process: UnbuiltProcessOptions = UnbuiltProcessOptions::default(), part "bfd_";
        /// How often the supervisor looks at its children; the default is one second, or half the
        /// smallest advertisement interval.
        hello_interval: Option<Duration> = None,
            key Key::time("hello_interval", Duration::from_millis(50), DAY, "\"1s\"");
        /// May use the control socket beside root.
        control_socket_group: Option<Box<str>> = None,
            key Key::text("control_socket_group", "\"adm\"");
        /// A device that restarts the machine when the daemon cannot be repaired.
        watchdog_device: Option<Box<str>> = None,
            own Key::new(
                "watchdog_device",
                Kind::Other("the path of a device"),
                "\"/dev/watchdog\""
            );
        /// So long after the last sign of life, in whole seconds, rounded up; the default is ten
        /// seconds.
        watchdog_timeout: Option<Duration> = None,
            key Key::time("watchdog_timeout", MIN_WATCHDOG, MAX_WATCHDOG, "\"30s\"")
                .default("\"10s\"");
        /// Run in this network namespace.
        net_namespace: Option<Box<str>> = None,
            key Key::text("net_namespace", "\"blue\"")
                .keepalived(&[("net_namespace", None)])
                .unbuilt("changing the network namespace is");
    }
}

/// Below that a busy machine could be restarted.
const MIN_WATCHDOG: Duration = Duration::from_secs(2);
/// A longer time-out would restart a machine too late to be of use.
const MAX_WATCHDOG: Duration = Duration::from_secs(3_600);

section! {
    /// Keys of `[global]` that instances have when they do not say otherwise. They are copied into
    /// the instances, so that a change of one shows as a change of those.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Defaults {
        /// The version of instances without IPv6 addresses.
        version: Version = Version::V2,
            own Key::whole("vrrp_version", 2, 3, "3")
                .default("2")
                .keepalived(&[("vrrp_version", None)]);
        /// Adverts that may be missed.
        down_timer_adverts: u8 = 3,
            key Key::whole("vrrp_down_timer_adverts", 1, 100, "4")
                .default("3")
                .keepalived(&[("vrrp_down_timer_adverts", None)]);
        /// Announcements and probes.
        announce: Announce = Announce::default(), part "vrrp_";
        /// How fast announcements follow each other.
        pacing: Pacing = Pacing::default(), part "vrrp_";
        /// Do not answer an advert of a lower priority.
        lower_prio_no_advert: bool = false,
            key Key::flag("vrrp_lower_prio_no_advert")
                .keepalived(&[("vrrp_lower_prio_no_advert", None)]);
        // keepalived's default is off. But a router that was cut off and steps down in silence
        // leaves its announcements in the caches of its neighbours, and the winner never learns
        // that it has to announce again.
        /// Send one more advert before giving way to a higher one.
        higher_prio_send_advert: bool = true,
            key Key::flag("vrrp_higher_prio_send_advert")
                .default("true")
                .keepalived(&[("vrrp_higher_prio_send_advert", None)]);
        /// As the owner, do not process other routers' adverts.
        owner_ignore_adverts: bool = false,
            key Key::flag("vrrp_owner_ignore_adverts")
                .keepalived(&[("vrrp_owner_ignore_adverts", None)]);
        /// The RFC without keepalived's extensions.
        strict: bool = false,
            key Key::flag("vrrp_strict")
                .keepalived(&[("vrrp_strict", None)]);
        /// Compare the address list of a master only when it is new.
        skip_check_adv_addr: bool = false,
            key Key::flag("vrrp_skip_check_adv_addr")
                .keepalived(&[("vrrp_skip_check_adv_addr", None)]);
        /// Drop adverts whose source is no peer.
        check_unicast_source: bool = false,
            key Key::flag("vrrp_check_unicast_src")
                .keepalived(&[("vrrp_check_unicast_src", None)])
                .unbuilt(UNICAST);
    }
}

impl Defaults {
    /// An instance of which nothing is written yet.
    pub fn instance(&self, name: &str) -> Instance {
        Instance {
            settings: InstanceSettings {
                name: name.into(),
                version: self.version,
                down_timer_adverts: self.down_timer_adverts,
                lower_prio_no_advert: self.lower_prio_no_advert,
                higher_prio_send_advert: self.higher_prio_send_advert,
                owner_ignore_adverts: self.owner_ignore_adverts,
                strict: self.strict,
                skip_check_adv_addr: self.skip_check_adv_addr,
                announce: self.announce,
                pacing: self.pacing,
                ..InstanceSettings::default()
            },
            unicast: Unicast { check_source: self.check_unicast_source, ..Unicast::default() },
            ..Instance::default()
        }
    }
}

section! {
    /// The whole of `[global]`.
    #[derive(Clone, PartialEq, Debug)]
    pub struct GlobalTable {
        /// Of the daemon.
        global: Global = Global::default(), part "";
        /// Of the instances.
        defaults: Defaults = Defaults::default(), part "";
    }
}

section! {
    /// How mail is sent.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Smtp {
        /// To whom.
        to: Vec<Box<str>> = Vec::new(),
            key Key::text("notification_email", "[\"admin@example.org\"]")
                .keepalived(&[("notification_email", None)])
                .unbuilt(MAIL);
        /// From whom.
        from: Option<Box<str>> = None,
            key Key::text("notification_email_from", "\"gw-a@example.org\"")
                .keepalived(&[("notification_email_from", None)])
                .unbuilt(MAIL);
        /// Host or address, with `:port` when it is not 25.
        server: Option<Box<str>> = None,
            key Key::text("smtp_server", "\"192.168.1.9\"")
                .keepalived(&[("smtp_server", None)])
                .unbuilt(MAIL);
        /// How this router calls itself to the server.
        helo_name: Option<Box<str>> = None,
            key Key::text("smtp_helo_name", "\"gw-a.example.org\"")
                .keepalived(&[("smtp_helo_name", None)])
                .unbuilt(MAIL);
        /// How long a connection may take.
        connect_timeout: Duration = Duration::from_secs(30),
            key Key::time("smtp_connect_timeout", Duration::from_secs(1), DAY, "\"10s\"")
                .default("\"30s\"")
                .keepalived(&[("smtp_connect_timeout", None)])
                .unbuilt(MAIL);
    }
}

section! {
    /// The connection to an SNMP agent.
    #[derive(Clone, PartialEq, Debug)]
    pub struct Snmp {
        /// The agent's socket; the default is its usual one.
        socket: Option<Box<str>> = None,
            key Key::text("snmp_socket", "\"/var/agentx/master\"")
                .keepalived(&[("snmp_socket", None)])
                .unbuilt(SNMP);
        /// Send traps.
        traps: bool = false,
            key Key::flag("enable_traps")
                .keepalived(&[("enable_traps", Some("true"))])
                .unbuilt(SNMP);
        /// keepalived's own MIB, VRRP part.
        vrrp: bool = false,
            key Key::flag("enable_snmp_vrrp")
                .keepalived(&[
                    ("enable_snmp_vrrp", Some("true")),
                    ("enable_snmp_keepalived", Some("true")),
                ])
                .unbuilt(SNMP);
        /// keepalived's own MIB, virtual servers.
        checker: bool = false,
            key Key::flag("enable_snmp_checker")
                .keepalived(&[("enable_snmp_checker", Some("true"))])
                .unbuilt(SNMP);
        /// The MIBs of both RFCs.
        rfc: bool = false,
            key Key::flag("enable_snmp_rfc")
                .keepalived(&[("enable_snmp_rfc", Some("true"))])
                .unbuilt(SNMP);
        /// The MIB of RFC 2787.
        rfc_v2: bool = false,
            key Key::flag("enable_snmp_rfcv2")
                .keepalived(&[("enable_snmp_rfcv2", Some("true"))])
                .unbuilt(SNMP);
        /// The MIB of RFC 6527.
        rfc_v3: bool = false,
            key Key::flag("enable_snmp_rfcv3")
                .keepalived(&[("enable_snmp_rfcv3", Some("true"))])
                .unbuilt(SNMP);
    }
}

/// Declares how a process is scheduled: the same keys for each process, some of which are not built.
macro_rules! process_options {
    ($doc:literal, $name:ident, $complete:expr) => {
        section! {
            #[doc = $doc]
            #[derive(Clone, PartialEq, Debug)]
            pub struct $name {
                /// The nice value.
                nice: Option<i8> = None, key $complete(Key::whole("priority", -20, 19, "-10"));
                /// Real-time round robin with this priority.
                realtime: Option<u8> = None, key $complete(Key::whole("rt_priority", 1, 99, "50"));
                /// How long it may run without a system call in real time.
                rlimit_rttime: Option<Duration> = None,
                    key $complete(Key::time(
                        "rlimit_rttime",
                        Duration::from_micros(2),
                        DAY,
                        "\"10ms\""
                    ));
                /// The processors that it may use; the default is all.
                cpu_affinity: Vec<u16> = Vec::new(),
                    key $complete(Key::whole("cpu_affinity", 0, 4095, "[0]"));
                /// Keep its memory in RAM.
                no_swap: bool = false, key $complete(Key::flag("no_swap"));
            }
        }
    };
}

const fn built(key: Key) -> Key {
    key
}

const fn unbuilt(key: Key) -> Key {
    key.unbuilt("that process is")
}

process_options!("How a process is scheduled.", ProcessOptions, built);
process_options!(
    "How a process that is not built yet is scheduled.",
    UnbuiltProcessOptions,
    unbuilt
);
