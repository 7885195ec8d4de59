//! Programs, and when they run.

use crate::config::keys::{Key, Kind};
use crate::config::section::section;

/// A program to run, without a shell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Command {
    /// The program and its arguments; at least one.
    pub argv: Vec<Box<str>>,
    /// The user that it runs as, when it is not `script_user`.
    pub user: Option<Box<str>>,
    /// The group, when it is not the user's.
    pub group: Option<Box<str>>,
}

/// A program: a text of words, a list, or a table.
pub const PROGRAM: Kind = Kind::Other("a program and its arguments");

const EXAMPLE: &str = "[\"/path/to/program\", \"argument\"]";
const FEATURE: &str = "notification is";

/// A key for a script that runs at an event.
const fn script(
    name: &'static str,
    keyword: &'static [(&'static str, Option<&'static str>)],
) -> Key {
    Key::new(name, PROGRAM, EXAMPLE).keepalived(keyword).unbuilt(FEATURE)
}

section! {
    /// Scripts that run on changes of state, and mail that is sent.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Notify {
        /// Runs on the change to master.
        master: Option<Command> = None,
            key script("notify_master", &[("notify_master", None)]);
        /// Runs on the change to backup.
        backup: Option<Command> = None,
            key script("notify_backup", &[("notify_backup", None)]);
        /// Runs on the change to fault.
        fault: Option<Command> = None,
            key script("notify_fault", &[("notify_fault", None)]);
        /// Runs when the instance or the daemon stops.
        stop: Option<Command> = None,
            key script("notify_stop", &[("notify_stop", None)]);
        /// Runs when a reload removes the instance.
        deleted: Option<Command> = None,
            key script("notify_deleted", &[("notify_deleted", None)]);
        /// Runs when a master hears a lower priority.
        master_rx_lower_pri: Option<Command> = None,
            key script("notify_master_rx_lower_pri", &[("notify_master_rx_lower_pri", None)]);
        /// Runs on every change, with arguments that say which.
        any: Option<Command> = None,
            key script("notify", &[("notify", None)]);
        /// Run on changes of the priority as well.
        priority_changes: bool = false,
            key Key::flag("notify_priority_changes")
                .keepalived(&[("notify_priority_changes", None)])
                .unbuilt(FEATURE);
        /// Send mail on changes of state.
        smtp_alert: bool = false,
            key Key::flag("smtp_alert")
                .keepalived(&[("smtp_alert", None)]).unbuilt(FEATURE);
    }
}
