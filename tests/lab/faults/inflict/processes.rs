//! Processes that die, stop and are started again.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::Patient;
use crate::harness::process::is_alive;
use crate::scene::{self, Side, send};

impl Patient<'_> {
    /// Ends the vrrp process.
    pub fn kill_child(&mut self, signal: Signal) {
        let child = self.scene.child(self.side);
        send(child, signal);
        // The runtime looks whether the stack ended, and waits for the instruction to fault again;
        // this is that. Two that come before the process runs are one.
        let limit = Instant::now() + Duration::from_secs(1);
        while signal == Signal::SIGSEGV && is_alive(child) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(1));
            send(child, signal);
        }
        self.done.to_end.push(child);
        self.lift();
    }

    pub fn kill_both(&mut self) {
        let ours: Vec<usize> =
            (0..2).filter(|&n| matches!(self.scene.sides[n], Side::Ours(_))).collect();
        let children: Vec<Pid> = ours.into_iter().map(|side| self.scene.child(side)).collect();
        for &child in &children {
            send(child, Signal::SIGKILL);
        }
        self.done.to_end = children;
        self.lift();
    }

    pub fn stop(&mut self) {
        let child = self.scene.child(self.side);
        send(child, Signal::SIGSTOP);
        self.done.to_end.push(child);
        self.lift();
        // Meanwhile all looks whole.
        let limit = Instant::now() + self.fault.interval * 4 + Duration::from_secs(5);
        while is_alive(child) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn thaw(&mut self) {
        let child = self.scene.child(self.side);
        send(child, Signal::SIGSTOP);
        // With an advert overdue it counts as hung after half an interval, otherwise after three
        // hello periods, of half an interval each.
        self.pause(0.2, 1.2);
        send(child, Signal::SIGCONT);
        self.lift();
    }

    pub fn crash_loop(&mut self) {
        let mut killed = vec![self.scene.child(self.side)];
        send(killed[0], Signal::SIGKILL);
        for _ in 0..3 {
            let next = self.scene.next_child(self.side, &killed);
            self.pause_for(Duration::ZERO, Duration::from_millis(20));
            send(next, Signal::SIGKILL);
            killed.push(next);
        }
        self.done.to_end = killed;
        self.lift();
    }

    pub fn kill_and_stop(&mut self) {
        self.kill_child(Signal::SIGKILL);
        self.scene.sides[self.side].ours().stop();
        thread::sleep(Duration::from_millis(20));
        if self.scene.holders.now()[self.side] {
            self.done.wrong.push("the address is still there when the daemon has ended".to_owned());
        }
        self.lift();
        self.scene.sides[self.side].ours().start();
    }

    pub fn freeze(&mut self) {
        let child = self.scene.child(self.side);
        let supervisor = self.scene.sides[self.side].ours().daemon().id();
        send(supervisor, Signal::SIGSTOP);
        send(child, Signal::SIGSTOP);
        self.pause(0.5, 6.0);
        let mut both = [supervisor, child];
        self.rng.shuffle(&mut both);
        self.lift();
        for id in both {
            send(id, Signal::SIGCONT);
        }
    }

    pub fn supervisor_kill(&mut self) {
        let child = self.scene.child(self.side);
        self.done.to_end.push(child);
        self.scene.sides[self.side].ours().kill_supervisor();
        self.lift();
        self.pause(0.0, 6.0);
        self.scene.sides[self.side].ours().start();
    }

    pub fn supervisor_restart(&mut self) {
        let child = self.scene.child(self.side);
        self.done.to_end.push(child);
        let router = self.scene.sides[self.side].ours();
        router.kill_supervisor();
        router.start();
        self.lift();
    }

    pub fn supervisor_stop(&mut self) {
        let supervisor = self.scene.sides[self.side].ours().daemon().id();
        send(supervisor, Signal::SIGSTOP);
        self.pause_for(Duration::from_millis(500), Duration::from_secs(4));
        send(supervisor, Signal::SIGCONT);
        self.lift();
    }

    pub fn orphan_stuck(&mut self) {
        let child = self.scene.child(self.side);
        self.done.to_end.push(child);
        send(child, Signal::SIGSTOP);
        let router = self.scene.sides[self.side].ours();
        router.kill_supervisor();
        router.start();
        // The new one waits two seconds for it before it ends it.
        let limit = Instant::now() + Duration::from_secs(5);
        while is_alive(child) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
        }
        self.lift();
    }

    pub fn all_kill(&mut self) {
        self.scene.sides[self.side].ours().kill();
        self.pause(0.0, 6.0);
        self.lift();
        self.scene.sides[self.side].ours().start();
    }

    pub fn all_kill_changed(&mut self) {
        let text = scene::changed_configuration(self.fault, self.side);
        let router = self.scene.sides[self.side].ours();
        router.kill();
        router.configure(&text);
        self.pause(0.0, 6.0);
        self.lift();
        self.scene.sides[self.side].ours().start();
        let excluded = "192.0.2.77".parse().expect("an address");
        let limit = Instant::now() + Duration::from_secs(5);
        while self.scene.holders.addresses()[self.side].contains(&excluded) {
            if Instant::now() > limit {
                self.done.wrong.push("an address of the configuration before stays".to_owned());
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.restore_configuration();
    }
}
