//! `[global]`: what is not of one instance.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::{Command, Notify};

/// `[global]`. Keys that begin with `vrrp_` and give a default for instances are not here but in
/// each [`super::Instance`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Global {
    /// `router_id`: how this router calls itself; `None`: its host name.
    pub router_id: Option<Box<str>>,
    /// `vrrp_startup_delay`: ignore everything for this long after the start.
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`: the same, counted from the start of the machine.
    pub delay_after_boot: Duration,
    /// `vrrp_mcast_group4`, when it is not 224.0.0.18.
    pub mcast_group4: Option<Ipv4Addr>,
    /// `vrrp_mcast_group6`, when it is not ff02::12.
    pub mcast_group6: Option<Ipv6Addr>,
    /// `log_unknown_vrids`: log adverts with an identifier that no instance has.
    pub log_unknown_vrids: bool,
    /// `script_user`: scripts run as this user.
    pub script_user: Option<Box<str>>,
    /// `enable_script_security`: refuse scripts that others than root can change.
    pub enable_script_security: bool,
    /// `notify_*`, for every instance and group.
    pub notify: Option<Box<Notify>>,
    /// `notify_fifo`: a pipe that every event is written to.
    pub notify_fifo: Option<Box<str>>,
    /// `notify_fifo_script`: reads that pipe.
    pub notify_fifo_script: Option<Command>,
    /// `startup_script`.
    pub startup_script: Option<Command>,
    /// `shutdown_script`.
    pub shutdown_script: Option<Command>,
    /// Mail.
    pub smtp: Smtp,
    /// SNMP.
    pub snmp: Snmp,
    /// `vrrp_priority` and its like: the process that speaks VRRP.
    pub vrrp_process: ProcessOptions,
    /// `checker_priority` and its like.
    pub checker_process: ProcessOptions,
    /// `bfd_priority` and its like.
    pub bfd_process: ProcessOptions,
    /// `hello_interval`: how often the supervisor asks its children whether they work; `None`:
    /// one second, or half the smallest advertisement interval.
    pub hello_interval: Option<Duration>,
    /// `control_socket_group`: may use the control socket beside root.
    pub control_socket_group: Option<Box<str>>,
    /// `watchdog_device`: a device that restarts the machine when the daemon cannot be repaired.
    pub watchdog_device: Option<Box<str>>,
    /// `watchdog_timeout`: so long after the last sign of life, in whole seconds, rounded up;
    /// `None`: ten seconds.
    pub watchdog_timeout: Option<Duration>,
    /// `net_namespace`: run in this network namespace.
    pub net_namespace: Option<Box<str>>,
}

/// How mail is sent.
#[derive(Clone, PartialEq, Debug)]
pub struct Smtp {
    /// `notification_email`: to whom.
    pub to: Vec<Box<str>>,
    /// `notification_email_from`.
    pub from: Option<Box<str>>,
    /// `smtp_server`: host or address, with `:port` when it is not 25.
    pub server: Option<Box<str>>,
    /// `smtp_helo_name`.
    pub helo_name: Option<Box<str>>,
    /// `smtp_connect_timeout`.
    pub connect_timeout: Duration,
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            from: None,
            server: None,
            helo_name: None,
            connect_timeout: Duration::from_secs(30),
        }
    }
}

/// The connection to an SNMP agent.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snmp {
    /// `snmp_socket`; `None`: the agent's usual one.
    pub socket: Option<Box<str>>,
    /// `enable_traps`.
    pub traps: bool,
    /// `enable_snmp_vrrp`: keepalived's own MIB, VRRP part.
    pub vrrp: bool,
    /// `enable_snmp_checker`: keepalived's own MIB, virtual servers.
    pub checker: bool,
    /// `enable_snmp_rfcv2`: the MIB of RFC 2787.
    pub rfc_v2: bool,
    /// `enable_snmp_rfcv3`: the MIB of RFC 6527.
    pub rfc_v3: bool,
}

/// How one of the processes is scheduled.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ProcessOptions {
    /// `*_priority`: nice value, -20 to 19.
    pub nice: Option<i8>,
    /// `*_rt_priority`: real-time round robin, 1 to 99.
    pub realtime: Option<u8>,
    /// `*_rlimit_rttime`: how long it may run without a system call in real time.
    pub rlimit_rttime: Option<Duration>,
    /// `*_cpu_affinity`: the processors that it may use; empty: all.
    pub cpu_affinity: Vec<u16>,
    /// `*_no_swap`: keep its memory in RAM.
    pub no_swap: bool,
}
