//! Inflicts a fault, and undoes it if nothing else does.

mod memory;
mod network;
mod planned;
mod processes;
mod surroundings;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::harness::until;
use crate::kind::Kind;
use crate::plan::Fault;
use crate::rng::{Purpose, Rng};
use crate::scene::{self, Scene};

/// A fault in a scene.
#[derive(Debug)]
pub struct Patient<'a> {
    /// Where.
    pub scene: &'a mut Scene,
    /// What.
    pub fault: &'a Fault,
    /// Which router.
    pub side: usize,
    rng: Rng,
    done: Done,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Done {
    /// When the cause was gone.
    pub lifted: Instant,
    /// Processes that have to be gone in the end.
    pub to_end: Vec<Pid>,
    /// What was wrong already.
    pub wrong: Vec<String>,
    /// What is good to know.
    pub notes: Vec<&'static str>,
}

impl<'a> Patient<'a> {
    /// A router that has been well until now.
    pub fn new(scene: &'a mut Scene, fault: &'a Fault, side: usize) -> Self {
        let lifted = Instant::now();
        let done = Done { lifted, to_end: Vec::new(), wrong: Vec::new(), notes: Vec::new() };
        Self { scene, fault, side, rng: Rng::new(fault.seed, Purpose::Driver), done }
    }

    /// Does it all, and undoes it.
    #[track_caller]
    pub fn suffer(mut self) -> Done {
        match self.fault.kind {
            Kind::Kill => self.kill_child(Signal::SIGKILL),
            Kind::KillBoth => self.kill_both(),
            Kind::Segv => self.kill_child(Signal::SIGSEGV),
            Kind::Ill => self.kill_child(Signal::SIGILL),
            Kind::Stop => self.stop(),
            Kind::Thaw => self.thaw(),
            Kind::CrashLoop => self.crash_loop(),
            Kind::KillAndStop => self.kill_and_stop(),
            Kind::Freeze => self.freeze(),
            Kind::SupervisorKill => self.supervisor_kill(),
            Kind::SupervisorRestart => self.supervisor_restart(),
            Kind::SupervisorStop => self.supervisor_stop(),
            Kind::OrphanStuck => self.orphan_stuck(),
            Kind::AllKill => self.all_kill(),
            Kind::AllKillChanged => self.all_kill_changed(),
            Kind::StopKill => self.stop_kill(),
            Kind::HoldKill => self.hold_kill(),
            Kind::Upgrade => self.upgrade(),
            Kind::UpgradeKill => self.upgrade_kill(),
            Kind::UpgradeKillSupervisor => self.upgrade_kill_supervisor(),
            Kind::Oom => self.oom(),
            Kind::NoMemory => self.no_memory(),
            Kind::Memory => self.memory(),
            Kind::Descriptors => self.descriptors(),
            Kind::DescriptorsLink => self.descriptors_link(),
            Kind::SupervisorDescriptors => self.supervisor_descriptors(),
            Kind::StateFull => self.state_full(),
            Kind::StateReadOnly => self.state_read_only(),
            Kind::StateAllKill => self.state_all_kill(),
            Kind::LogStuck => self.log_stuck(),
            Kind::LogGone => self.log_gone(),
            Kind::Cpu => self.cpu(),
            Kind::Clock => self.clock(),
            Kind::Overrun => self.overrun(),
            Kind::SendRefused => self.send_refused(0.3, 1.9),
            Kind::SendRefusedLong => self.send_refused(6.0, 10.0),
            Kind::AddressRemoved => self.address_removed(),
            Kind::Flush => self.flush(),
            Kind::LinkDown => self.link_down(),
            Kind::LinkAgain => self.link_again(),
            Kind::Cable => self.cable(),
            Kind::Split => self.split(),
            Kind::Storm => self.storm(),
        }
        self.done
    }

    /// Waits for so many intervals, drawn.
    fn pause(&mut self, least: f64, most: f64) {
        let interval = self.fault.interval;
        let time = self.rng.duration(interval.mul_f64(least), interval.mul_f64(most));
        thread::sleep(time);
    }

    /// Waits for a time, drawn.
    fn pause_for(&mut self, least: Duration, most: Duration) {
        let time = self.rng.duration(least, most);
        thread::sleep(time);
    }

    /// The cause is gone.
    fn lift(&mut self) {
        self.done.lifted = Instant::now();
    }

    /// Loads the configuration as it was, however often it takes: the vrrp process may have just
    /// been started.
    #[track_caller]
    fn restore_configuration(&mut self) {
        let text = scene::configuration(self.fault, self.side, &[]);
        let router = self.scene.sides[self.side].ours();
        router.configure(&text);
        let mut said = String::new();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            let output = router.command(&["reload"]);
            if output.status.success() {
                return;
            }
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            thread::sleep(Duration::from_millis(100));
        }
        self.done.wrong.push(format!("the reload is refused: {said}"));
    }

    /// Loads a configuration with so many more addresses; whether that works does not matter.
    fn load_many(&mut self, count: usize) {
        let more: Vec<String> =
            (0..count).map(|n| format!("10.9.{}.{}/32", n / 250, n % 250 + 1)).collect();
        let text = scene::configuration(self.fault, self.side, &more);
        let router = self.scene.sides[self.side].ours();
        router.configure(&text);
        let _ = router.command(&["reload"]);
    }

    /// Waits until the router has none of the many addresses any more.
    #[track_caller]
    fn until_few(&self) {
        until("the additional addresses are gone", || {
            let addresses: &BTreeSet<_> = &self.scene.holders.addresses()[self.side];
            let many = |address: &std::net::IpAddr| address.to_string().starts_with("10.9.");
            (!addresses.iter().any(many)).then_some(())
        });
    }
}
