//! What can go wrong.

use std::time::Duration;

macro_rules! kinds {
    ($($kind:ident $name:literal $about:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Kind {
            $(#[doc = $about] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What happens.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$kind => $about,)* }
            }
        }
    };
}

kinds! {
    Kill "kill" "the vrrp process: SIGKILL",
    KillBoth "kill-both" "the vrrp processes of both routers: SIGKILL",
    Segv "segv" "the vrrp process: SIGSEGV",
    Ill "ill" "the vrrp process: SIGILL",
    Oom "oom" "the vrrp process: out of memory (a memory cgroup without room)",
    NoMemory "no-memory" "the vrrp process: allocations fail (RLIMIT_AS)",
    Stop "stop" "the vrrp process: SIGSTOP, and nobody lets it go on",
    Thaw "thaw" "the vrrp process: SIGSTOP, and SIGCONT about when it counts as hung",
    CrashLoop "crash-loop" "the vrrp process: SIGKILL, and the next three as well",
    KillAndStop "kill-and-stop" "the vrrp process: SIGKILL, and SIGTERM to the supervisor at once",
    Freeze "freeze" "both processes stand still for up to six intervals",
    SupervisorKill "supervisor-kill" "the supervisor: SIGKILL; started again some intervals later",
    SupervisorRestart "supervisor-restart" "the supervisor: SIGKILL; started again at once",
    SupervisorStop "supervisor-stop" "the supervisor: SIGSTOP for some seconds",
    OrphanStuck "orphan-stuck" "the vrrp process: SIGSTOP; the supervisor: SIGKILL; started again",
    AllKill "all-kill" "everything: SIGKILL; started again some intervals later",
    AllKillChanged "all-kill-changed" "the same, and another configuration at the start",
    StopKill "stop-kill" "the supervisor: SIGTERM; the vrrp process, handing over: SIGKILL",
    HoldKill "hold-kill" "on hold after a switchover, the vrrp process: SIGKILL",
    Upgrade "upgrade" "steadfast upgrade, to the same program",
    UpgradeKill "upgrade-kill" "steadfast upgrade, and SIGKILL to a vrrp process meanwhile",
    UpgradeKillSupervisor "upgrade-kill-supervisor" "steadfast upgrade, and SIGKILL to the supervisor meanwhile; started again",
    Descriptors "fds" "no descriptor left for the vrrp process (the soft limit); a reload",
    DescriptorsLink "fds-link" "the same, and its interface is made anew",
    SupervisorDescriptors "supervisor-fds" "no descriptor left for the supervisor (the soft limit); the vrrp process: SIGKILL",
    StateFull "state-full" "the state directory is full; the vrrp process: SIGKILL",
    StateReadOnly "state-read-only" "the state directory is read-only; the vrrp process: SIGKILL",
    StateAllKill "state-all-kill" "the state directory is full; everything: SIGKILL; started again",
    LogStuck "log-stuck" "nobody reads the system's log; the vrrp process: SIGKILL",
    LogGone "log-gone" "the system's log is gone; the vrrp process: SIGKILL",
    Memory "memory" "others take all memory of the daemon's cgroup, again and again",
    Cpu "cpu" "busy loops on all processors",
    Clock "clock" "the clock of the machine: an hour forth and back (--clock)",
    Overrun "overrun" "the kernel tells more than the netlink socket can take",
    SendRefused "send-refused" "the firewall refuses adverts for up to three intervals",
    SendRefusedLong "send-refused-long" "the firewall refuses adverts for six to ten intervals",
    AddressRemoved "address-removed" "somebody removes the virtual address",
    Flush "flush" "somebody flushes all addresses; the own ones come back",
    LinkDown "link-down" "the interface goes down and comes up",
    LinkAgain "link-again" "the interface is deleted and made anew",
    Cable "cable" "the cable is pulled and put in again",
    Split "split" "the routers do not hear each other for up to eight intervals",
    Storm "storm" "thousands of bad packets",
}

/// From when on two holders count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Both {
    /// Always.
    Always,
    /// When the cause is gone: no program that is dead or cut off can give anything up.
    Afterwards,
}

/// What a fault may cost at most.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Takeovers by the other router.
    pub failovers: Option<usize>,
    /// Questions of the client without an answer.
    pub lost: Option<usize>,
    /// How often the vrrp process is started again, at least and at most; of no interest when the
    /// supervisor is another one.
    pub restarts: (u32, u32),
    /// How long both may have the address.
    pub both: (Both, Duration),
}

/// What a machine with other work to do adds.
const SLACK: Duration = Duration::from_millis(300);
/// Adverts this far apart leave the time to replace a process.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

impl Kind {
    /// What it may cost when it hits the master or the backup, with an advert every `interval`.
    pub fn bounds(self, on_master: bool, interval: Duration) -> Bounds {
        use Kind::{
            AddressRemoved, AllKill, AllKillChanged, Cable, Clock, Cpu, CrashLoop, Descriptors,
            DescriptorsLink, Flush, Freeze, HoldKill, Ill, Kill, KillAndStop, KillBoth, LinkAgain,
            LinkDown, LogGone, LogStuck, Memory, NoMemory, Oom, OrphanStuck, Overrun, Segv,
            SendRefused, SendRefusedLong, Split, StateAllKill, StateFull, StateReadOnly, Stop,
            StopKill, Storm, SupervisorDescriptors, SupervisorKill, SupervisorRestart,
            SupervisorStop, Thaw, Upgrade, UpgradeKill, UpgradeKillSupervisor,
        };
        let restarts = match self {
            Kill | KillBoth | Segv | Ill | Oom | NoMemory | Stop | StateFull | StateReadOnly
            | LogStuck | LogGone | HoldKill => (1, 1),
            // What counts as one is a matter of taste.
            Upgrade | UpgradeKill => (0, 3),
            CrashLoop => (4, 4),
            // How often it is tried in vain depends on the time.
            SupervisorDescriptors => (1, 5),
            // A process whose advert is overdue may be replaced before it goes on.
            Freeze | Overrun | Thaw => (0, 1),
            _ => (0, 0),
        };
        let since = match self {
            Freeze | AllKill | AllKillChanged | StateAllKill | OrphanStuck | Split => {
                Both::Afterwards
            }
            _ => Both::Always,
        };
        // The other one's skew time at priority 100 is 0.61 intervals.
        let both = (since, interval + interval.mul_f64(0.61) + SLACK);
        let (failovers, lost) = match self {
            // The other router never hears of it, and has the address all the time.
            Split => (Some(1), None),
            // So many packets may leave no room for three adverts in a row.
            Storm if interval < LONG_ENOUGH => (None, None),
            _ if !on_master => (Some(0), Some(0)),
            _ if interval < LONG_ENOUGH => (None, None),
            Kill
            | KillBoth
            | Segv
            | Ill
            | Oom
            | NoMemory
            | Thaw
            | SupervisorStop
            | Descriptors
            | StateFull
            | StateReadOnly
            | LogStuck
            | LogGone
            | Memory
            | Cpu
            | Clock
            | Overrun
            | SendRefused
            | Storm
            | SupervisorDescriptors
            | CrashLoop
            | Upgrade => (Some(0), Some(0)),
            // Until it is back.
            AddressRemoved => (Some(0), None),
            // Handed over.
            HoldKill | SupervisorKill | SupervisorRestart | SendRefusedLong => (Some(1), Some(0)),
            Stop
            | StopKill
            | UpgradeKill
            | UpgradeKillSupervisor
            | Freeze
            | KillAndStop
            | OrphanStuck
            | AllKill
            | AllKillChanged
            | StateAllKill
            | DescriptorsLink
            | Flush
            | LinkDown
            | LinkAgain
            | Cable => (Some(1), None),
        };
        Bounds { failovers, lost, restarts, both }
    }

    /// Whether the whole machine feels it.
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Cpu | Self::Clock)
    }

    /// Whether it needs a log of the system, which is one for all.
    pub const fn needs_syslog(self) -> bool {
        matches!(self, Self::LogStuck | Self::LogGone)
    }

    /// Whether the state directory is a file system of its own.
    pub const fn needs_state_mount(self) -> bool {
        matches!(self, Self::StateFull | Self::StateReadOnly | Self::StateAllKill)
    }

    /// Whether it is about the vrrp process being replaced in time, which takes an interval of a
    /// second to be shown.
    pub const fn wants_a_second(self) -> bool {
        use Kind::{
            Cpu, Descriptors, Ill, Kill, KillBoth, LogGone, LogStuck, Memory, NoMemory, Oom,
            Overrun, Segv, StateFull, StateReadOnly, SupervisorKill, SupervisorRestart,
            SupervisorStop, Thaw, Upgrade,
        };
        matches!(
            self,
            Kill | KillBoth
                | Segv
                | Ill
                | Oom
                | NoMemory
                | Thaw
                | SupervisorStop
                | SupervisorKill
                | SupervisorRestart
                | Descriptors
                | StateFull
                | StateReadOnly
                | LogStuck
                | LogGone
                | Memory
                | Cpu
                | Overrun
                | Upgrade
        )
    }
}
