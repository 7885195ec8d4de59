//! What happens to the daemon, its processes and its configuration: what it is, what it is called,
//! and its renderings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::entries::{Entries, name, seconds};
use super::kind::{Kind, Level, Name};
use crate::control::humanize::{decimals, plural};
use crate::control::value::{ToValue, Value};

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DaemonEvent {
    /// A program began its work as the daemon.
    Started {
        /// Its version.
        version: Name,
        /// The file of the configuration.
        file: Name,
        /// The version of the program that it took the place of, if it did.
        after: Option<Name>,
    },
    /// Another program takes the place of this one.
    Upgrade {
        /// Its file.
        program: Name,
        /// Its version.
        version: Name,
    },
    /// The daemon stops.
    Stopping {
        /// How long that may take.
        within: Duration,
    },
    /// The daemon has stopped.
    Stopped,
    /// A process was started.
    ProcessStarted {
        /// Its role.
        role: Name,
        /// Its process id.
        pid: i32,
    },
    /// A process ended that nobody had asked to.
    ProcessEnded {
        /// Its role.
        role: Name,
        /// How, and what is known about it.
        how: Name,
        /// When it is started again.
        restart_in: Duration,
    },
    /// Addresses, routes and rules were removed on behalf of a process that cannot do so.
    Withdrawn {
        /// The instances that they were of.
        instances: Vec<Name>,
        /// How many.
        count: u32,
        /// Why.
        why: Name,
    },
    /// Another configuration is in effect.
    ConfigurationLoaded {
        /// Its file.
        file: Name,
        /// How much is different, each told by a [`DaemonEvent::ConfigurationChange`].
        changes: u32,
    },
    /// The configuration was read again and says the same.
    ConfigurationSame {
        /// Its file.
        file: Name,
    },
    /// A line about what is different in the configuration.
    ConfigurationChange(Name),
    /// A configuration is not taken: the one before stays in effect.
    ConfigurationRefused {
        /// Its file.
        file: Name,
        /// Why.
        why: ConfigurationFault,
    },
    /// A line about an error in the configuration.
    ConfigurationError(Name),
    /// A line about what is odd in the configuration.
    ConfigurationWarning(Name),
}

/// Why a configuration is not taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ConfigurationFault {
    /// It has so many errors, each told by a [`DaemonEvent::ConfigurationError`].
    Errors(u32),
    /// It cannot be in effect beside something else.
    Conflict(Name),
}

impl DaemonEvent {
    /// Name, kind and level.
    pub const fn class(&self) -> Class {
        use Kind as K;
        use Level as L;

        let (name, kind, level) = match self {
            Self::Started { .. } => ("daemon_started", K::Process, L::Notice),
            Self::Upgrade { .. } => ("daemon_upgrade", K::Process, L::Notice),
            Self::Stopping { .. } => ("daemon_stopping", K::Process, L::Notice),
            Self::Stopped => ("daemon_stopped", K::Process, L::Notice),
            Self::ProcessStarted { .. } => ("process_started", K::Process, L::Info),
            Self::ProcessEnded { .. } => ("process_ended", K::Process, L::Error),
            Self::Withdrawn { .. } => ("withdrawn", K::Kernel, L::Warning),
            Self::ConfigurationLoaded { .. } => {
                ("configuration_loaded", K::Configuration, L::Notice)
            }
            Self::ConfigurationSame { .. } => ("configuration_same", K::Configuration, L::Notice),
            Self::ConfigurationChange(_) => ("configuration_change", K::Configuration, L::Notice),
            Self::ConfigurationRefused { .. } => {
                ("configuration_refused", K::Configuration, L::Error)
            }
            Self::ConfigurationError(_) => ("configuration_error", K::Configuration, L::Error),
            Self::ConfigurationWarning(_) => {
                ("configuration_warning", K::Configuration, L::Warning)
            }
        };
        Class { name, kind, level }
    }

    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Started { version, file, after: None } => {
                format!("steadfast {version} started with {file}")
            }
            Self::Started { version, file, after: Some(former) } => {
                format!("steadfast {version} goes on after {former} with {file}")
            }
            Self::Upgrade { program, version } => {
                format!("{program} (steadfast {version}) takes over")
            }
            Self::Stopping { within } => format!(
                "stopping: addresses are handed over, and stay until another router has them, \
                 {} s at most; a second signal or \"steadfast stop --now\" gives them up at \
                 once",
                decimals(within.as_secs_f64(), 1)
            ),
            Self::Stopped => "stopped".to_owned(),
            Self::ProcessStarted { role, pid } => format!("{role} process {pid} started"),
            Self::ProcessEnded { how, restart_in, .. } => match restart_in.as_secs() {
                0 => format!("{how}; it is started again at once"),
                seconds => format!("{how}; it is started again in {seconds} s"),
            },
            Self::Withdrawn { instances, count, why } => {
                let what = match count {
                    1 => "1 address, route or rule".to_owned(),
                    several => format!("{several} addresses, routes and rules"),
                };
                format!("removed {what} of {}: {why}", instances.join(", "))
            }
            Self::ConfigurationLoaded { file, changes } => {
                format!("{file} is loaded again, with {}", plural(*changes, "change"))
            }
            Self::ConfigurationSame { file } => {
                format!("{file} says the same as before, nothing changes")
            }
            Self::ConfigurationRefused { file, why: ConfigurationFault::Errors(count) } => format!(
                "{file} is refused ({}): the configuration before stays in effect",
                plural(*count, "error")
            ),
            Self::ConfigurationRefused { file, why: ConfigurationFault::Conflict(what) } => {
                format!("{file} is refused, the configuration before stays: {what}")
            }
            Self::ConfigurationChange(text)
            | Self::ConfigurationError(text)
            | Self::ConfigurationWarning(text) => text.to_string(),
        }
    }

    /// Its data.
    pub(super) fn details(&self) -> Entries {
        match self {
            Self::Started { version, file, after } => vec![
                ("version", name(version)),
                ("file", name(file)),
                ("after", after.as_ref().map_or(Value::Null, name)),
            ],
            Self::Upgrade { program, version } => {
                vec![("program", name(program)), ("version", name(version))]
            }
            Self::Stopping { within } => vec![("within", seconds(*within))],
            Self::ProcessStarted { role, pid } => {
                vec![("role", name(role)), ("pid", Value::Integer((*pid).into()))]
            }
            Self::ProcessEnded { role, how, restart_in } => {
                vec![("role", name(role)), ("how", name(how)), ("restart_in", seconds(*restart_in))]
            }
            Self::Withdrawn { instances, count, why } => vec![
                ("instances", Value::List(instances.iter().map(name).collect())),
                ("count", count.to_value()),
                ("why", name(why)),
            ],
            Self::ConfigurationLoaded { file, changes } => {
                vec![("file", name(file)), ("changes", changes.to_value())]
            }
            Self::ConfigurationSame { file } => vec![("file", name(file))],
            Self::ConfigurationRefused { file, why } => {
                let why = match why {
                    ConfigurationFault::Errors(count) => ("errors", count.to_value()),
                    ConfigurationFault::Conflict(what) => ("conflict", name(what)),
                };
                vec![("file", name(file)), why]
            }
            Self::Stopped
            | Self::ConfigurationChange(_)
            | Self::ConfigurationError(_)
            | Self::ConfigurationWarning(_) => Vec::new(),
        }
    }
}
