//! What a daemon needs beside memory: descriptors, its directory, the log, processors, the clock.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};
use nix::unistd::Pid;

use super::Patient;
use crate::scene::{run, send};
use crate::syslog::Syslog;

/// Steps of the clock.
const STEP: Duration = Duration::from_secs(3_600);

impl Patient<'_> {
    pub fn descriptors(&mut self) {
        let child = self.scene.child(self.side);
        limit_descriptors(child, 3);
        self.load_many(1);
        self.pause(0.5, 2.0);
        limit_descriptors(child, 1024);
        self.restore_configuration();
        self.until_few();
        self.lift();
    }

    pub fn descriptors_link(&mut self) {
        let child = self.scene.child(self.side);
        limit_descriptors(child, 3);
        self.make_link_again(0.0, 2.0);
        self.pause(0.5, 2.0);
        limit_descriptors(child, 1024);
        self.lift();
    }

    pub fn supervisor_descriptors(&mut self) {
        let supervisor = self.scene.sides[self.side].ours().daemon().id();
        limit_descriptors(supervisor, 3);
        self.kill_child(Signal::SIGKILL);
        self.pause_for(Duration::from_millis(1_500), Duration::from_secs(3));
        limit_descriptors(supervisor, 1024);
    }

    pub fn state_full(&mut self) {
        let ballast = self.fill();
        let child = self.scene.child(self.side);
        send(child, Signal::SIGKILL);
        self.done.to_end.push(child);
        self.scene.next_child(self.side, &[child]);
        self.scene.sides[self.side].ours().daemon().signal(Signal::SIGUSR1);
        self.pause(1.0, 3.0);
        fs::remove_file(ballast).expect("the file is there");
        self.lift();
    }

    pub fn state_read_only(&mut self) {
        let state = self.scene.sides[self.side].ours().state();
        let state = state.to_str().expect("a path");
        // Over the old one, where files are open for writing; what is opened from now on is here.
        run("mount", &["--bind", state, state]);
        run("mount", &["-o", "remount,bind,ro", state]);
        let child = self.scene.child(self.side);
        send(child, Signal::SIGKILL);
        self.done.to_end.push(child);
        self.scene.next_child(self.side, &[child]);
        self.scene.sides[self.side].ours().daemon().signal(Signal::SIGUSR1);
        self.pause(1.0, 3.0);
        run("umount", &[state]);
        self.lift();
    }

    pub fn state_all_kill(&mut self) {
        let ballast = self.fill();
        self.all_kill();
        self.pause(1.0, 5.0);
        fs::remove_file(ballast).expect("the file is there");
    }

    /// Fills the state directory.
    fn fill(&mut self) -> PathBuf {
        let path = self.scene.sides[self.side].ours().state().join("ballast");
        let mut file = File::create(&path).expect("a file");
        for size in [4096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        path
    }

    pub fn log_stuck(&mut self) {
        let syslog = self.scene.syslog.as_ref().expect("it logs to it");
        syslog.read(false);
        // Far more lines than the socket takes.
        let router = self.scene.sides[self.side].ours();
        for _ in 0..20 {
            let _ = router.command(&["reload"]);
        }
        self.kill_child(Signal::SIGKILL);
        self.pause(1.0, 3.0);
        self.scene.syslog.as_ref().expect("it logs to it").read(true);
        self.lift();
    }

    pub fn log_gone(&mut self) {
        self.scene.syslog = None;
        self.kill_child(Signal::SIGKILL);
        self.pause(1.0, 3.0);
        self.scene.syslog = Some(Syslog::start());
        self.lift();
    }

    pub fn cpu(&mut self) {
        let stop = AtomicBool::new(false);
        let threads = 2 * thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            self.pause_for(Duration::from_secs(2), Duration::from_secs(4));
            stop.store(true, Ordering::Relaxed);
        });
        self.lift();
    }

    pub fn clock(&mut self) {
        let forth = self.rng.percent(50);
        step(forth);
        self.pause(1.0, 3.0);
        step(!forth);
        self.pause(1.0, 3.0);
        self.lift();
    }
}

/// The soft limit.
fn limit_descriptors(id: Pid, count: u32) {
    run("prlimit", &["--pid", &id.to_string(), &format!("--nofile={count}:")]);
}

fn step(forth: bool) {
    let clock = ClockId::CLOCK_REALTIME;
    let now = Duration::from(clock_gettime(clock).expect("a clock"));
    let then = if forth { now + STEP } else { now - STEP };
    clock_settime(clock, TimeSpec::from(then)).expect("the right to set the clock");
}
