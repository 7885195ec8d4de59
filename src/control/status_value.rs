//! The status document and events as values: what clients of the control socket read.

use super::event::json::Event;
use super::event::{Kind, Level};
use super::status::{
    Configuration, Crash, Daemon, Document, Heap, Hold, InstanceStatus, MasterStatus, Memory,
    ObjectStatus, ProcessReport, ProcessStatus, Refused, RouterStatus, State, TimerStatus,
    TrackerStatus, Upgraded, Verdict, VerdictLevel, Warning, WarningKind,
};
use super::value::{ToValue, Value};

/// An object with a key for each field.
macro_rules! object_of {
    ($($type:ident { $($field:ident),+ $(,)? })+) => {
        $(impl ToValue for $type {
            fn to_value(&self) -> Value {
                // Whoever adds a field is told to add it here.
                let Self { $($field),+ } = self;
                Value::object([$((stringify!($field), $field.to_value())),+])
            }
        })+
    };
}

object_of! {
    Document {
        schema, time, verdict, daemon, instances, transitions, warnings
    }
    Verdict {
        level, text
    }
    Daemon {
        version, router_id, pid, uptime, upgraded, state_dir, configuration, log_level, records_lost, memory, processes
    }
    ProcessStatus {
        name, pid, uptime, loop_late_max, restarts, crash, starts_in, report, memory
    }
    ProcessReport {
        records_limited, records_lost, counters
    }
    Memory {
        heap, resident, proportional, anonymous, unknown
    }
    Heap {
        live, peak, blocks, allocations
    }
    Upgraded {
        age, from
    }
    Crash {
        age, end, in_a_minute, handed_over, ran, loop_stood, loop_late_max, last_lines
    }
    Configuration {
        file, generation, loaded_age, refused
    }
    Refused {
        age, reason
    }
    InstanceStatus {
        name, interface, virtual_router_id, version, state, state_age, cause, fault, group, base_priority, effective_priority, advertisement_interval, preempt, handing_over, hold, transitions, routers, objects, trackers, timers, warnings
    }
    Hold {
        ends_in
    }
    RouterStatus {
        family, source, master, rival, adverts_sent, last_sent_age, adverts_received, last_received_age, last_received_from, priority_zero_sent, priority_zero_received, announcements_sent, become_master, release_master, lower_priority_received, address_list_errors, interval_differs, rejected
    }
    MasterStatus {
        address, priority, advertisement_interval, addresses_differ, heard_age
    }
    ObjectStatus {
        kind, what, interface, wanted, present, flags
    }
    TrackerStatus {
        name, kind, up, weight, reverse
    }
    TimerStatus {
        name, due_in
    }
    Warning {
        kind, instance, process, text, from, count, last_age, ended_age
    }
    Event {
        time, level, kind, event, instance, from, to, cause, text, left_out, peer, details
    }
}

impl ToValue for Kind {
    fn to_value(&self) -> Value {
        let name = match self {
            Self::Transition => "transition",
            Self::Priority => "priority",
            Self::Fault => "fault",
            Self::Packet => "packet",
            Self::Warning => "warning",
            Self::HandOver => "hand_over",
            Self::Kernel => "kernel",
            Self::Configuration => "configuration",
            Self::Process => "process",
        };
        Value::Text(name.into())
    }
}

impl ToValue for WarningKind {
    fn to_value(&self) -> Value {
        let name = match self {
            Self::SplitBrain => "split_brain",
            Self::Process => "process",
            Self::SendFailed => "send_failed",
            Self::NoMaster => "no_master",
            Self::Fault => "fault",
            Self::AddressMissing => "address_missing",
            Self::LeftBehind => "left_behind",
            Self::Flapping => "flapping",
            Self::SameSender => "same_sender",
            Self::SecondOwner => "second_owner",
            Self::AddressTaken => "address_taken",
            Self::VridConflict => "vrid_conflict",
            Self::AddressesDiffer => "addresses_differ",
            Self::KernelRefused => "kernel_refused",
            Self::ForeignRemoval => "foreign_removal",
            Self::ReloadRefused => "reload_refused",
            Self::Empty => "empty",
            Self::Held => "held",
            Self::PriorityLowered => "priority_lowered",
            Self::BadPackets => "bad_packets",
            Self::IntervalDiffers => "interval_differs",
            Self::Storage => "storage",
            Self::RecordsLost => "records_lost",
        };
        Value::Text(name.into())
    }
}

impl ToValue for State {
    fn to_value(&self) -> Value {
        Value::Text(self.name().into())
    }
}

impl ToValue for VerdictLevel {
    fn to_value(&self) -> Value {
        Value::Text(self.name().into())
    }
}

impl ToValue for Level {
    fn to_value(&self) -> Value {
        Value::Text(self.name().into())
    }
}
