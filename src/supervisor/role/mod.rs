//! The roles: which processes the supervisor keeps running, and what each of them gets.
//!
//! Everything else in the supervisor works from this table. A new role is one row here, a hidden
//! command in [`cli`](crate::cli), and a state with a message handler on [`child`](crate::child).

mod holdings;

use std::time::Duration;

use super::role_context::RoleContext;
pub use super::vrrp::claims::{Claims, FormerClaim, Taken};
pub use super::vrrp::installed::Held;
use crate::config::model::{Model, ProcessOptions};
use crate::control::status::VRRP;
use crate::vrrp::change::Change;
pub use holdings::Holdings;

/// The way from a configuration, and the one before it if only the difference is wanted, to what a
/// child is told.
pub type Part = fn(Option<&Model>, &Model) -> Result<Vec<u8>, postcard::Error>;

/// A role.
#[derive(Debug)]
pub struct Role {
    /// In messages, the status and the name of the process: "vrrp".
    pub name: &'static str,
    /// The hidden command that makes this program a process of the role.
    pub command: &'static str,
    /// The file whose lock the process of the role holds.
    pub lock: &'static str,
    /// Whether the configuration needs such a process.
    pub is_needed: fn(&Model) -> bool,
    /// Its process has the instances: it tells their status, and takes commands about them.
    pub has_instances: bool,
    /// What part of the configuration the process gets.
    pub part: Part,
    /// When the process runs, and on which processors.
    pub options: fn(&Model) -> &ProcessOptions,
    /// What the keys of `options` begin with.
    pub options_prefix: &'static str,
    /// The supervisor runs in real time when a process of this role does, one step below it.
    pub leads_supervisor: bool,
    /// How often the loop of a process that holds something has to turn; three of these without a
    /// turn are a hang.
    pub period: fn(&Model) -> Duration,
    /// How long a process may take to stop, by its protocol.
    pub stop_time: fn(&Model) -> Duration,
    /// The process goes on when another program takes the place of the supervisor. Others end, and
    /// the next program starts its own, which adopt what is in the kernel.
    pub survives_upgrade: bool,
    /// What a process leaves in the kernel, and who sees to it.
    pub holdings: fn(RoleContext) -> Holdings,
}

/// All roles.
pub static ROLES: &[Role] = &[
    Role {
        name: VRRP,
        command: crate::vrrp_process::COMMAND,
        lock: "vrrp.lock",
        is_needed: |_| true,
        has_instances: true,
        part: |base, model| postcard::to_allocvec(&Change::between_models(base, model)),
        options: |model| &model.global.vrrp_process,
        options_prefix: "vrrp_",
        leads_supervisor: true,
        period: super::vrrp::period,
        stop_time: super::vrrp::longest_down_interval,
        survives_upgrade: true,
        holdings: |context| Holdings::Vrrp(Box::new(super::vrrp::Holdings::new(context))),
    },
    #[cfg(debug_assertions)]
    IDLE,
];

/// A role that does nothing, for the tests of the supervisor: it is needed when `hello_interval` is
/// as many milliseconds as `STEADFAST_IDLE_ROLE` says.
#[cfg(debug_assertions)]
const IDLE: Role = Role {
    name: "idle",
    command: crate::child::idle::COMMAND,
    lock: "idle.lock",
    is_needed: |model| {
        let wanted = std::env::var("STEADFAST_IDLE_ROLE").ok();
        let interval = model.global.hello_interval.map(|interval| interval.as_millis().to_string());
        wanted.is_some() && interval == wanted
    },
    has_instances: false,
    part: |_, model| postcard::to_allocvec(&model.global.hello_interval),
    options: |model| &model.global.vrrp_process,
    options_prefix: "checker_",
    leads_supervisor: false,
    period: |_| Duration::from_secs(1),
    stop_time: |_| Duration::ZERO,
    survives_upgrade: false,
    holdings: |_| Holdings::Nothing,
};
