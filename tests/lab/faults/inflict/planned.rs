//! What somebody wanted, and what comes between.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::Patient;
use crate::harness::guard;
use crate::harness::router::program;
use crate::harness::until;
use crate::scene::send;

/// How soon something comes between.
const SHORT_PAUSE: Duration = Duration::from_millis(150);

impl Patient<'_> {
    pub fn stop_kill(&mut self) {
        let child = self.scene.child(self.side);
        self.done.to_end.push(child);
        let router = self.scene.sides[self.side].ours();
        router.daemon().signal(Signal::SIGTERM);
        self.pause_for(Duration::ZERO, SHORT_PAUSE);
        send(child, Signal::SIGKILL);
        let router = self.scene.sides[self.side].ours();
        // It has ended already, or this waits for it.
        router.wait_for_stop();
        thread::sleep(Duration::from_millis(20));
        if self.scene.holders.now()[self.side] {
            self.done.wrong.push("the address is still there when the daemon has ended".to_owned());
        }
        self.lift();
        self.scene.sides[self.side].ours().start();
    }

    pub fn hold_kill(&mut self) {
        if !self.fault.on_master {
            self.kill_child(Signal::SIGKILL);
            return;
        }
        self.scene.sides[self.side].ours().ask(&["switchover", "lan"]);
        let is_on_hold = |holds: [bool; 2]| holds == [false, true];
        until("the other one is master", || is_on_hold(self.scene.holders.now()).then_some(()));
        self.kill_child(Signal::SIGKILL);
        let begin = Instant::now();
        while begin.elapsed() < self.scene.quiet() {
            if !is_on_hold(self.scene.holders.now()) {
                self.done.wrong.push("the hold did not last".to_owned());
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.lift();
        let _ = self.scene.sides[self.side].ours().command(&["release", "lan"]);
    }

    pub fn upgrade(&mut self) {
        let ended = self.begin_upgrade().wait().expect("its end");
        if !ended.success() {
            self.done.wrong.push(format!("the upgrade ended with {ended}"));
        }
        self.lift();
    }

    pub fn upgrade_kill(&mut self) {
        let mut upgrade = self.begin_upgrade();
        self.pause_for(Duration::ZERO, 2 * SHORT_PAUSE);
        let child = self.scene.child(self.side);
        send(child, Signal::SIGKILL);
        self.done.to_end.push(child);
        self.lift();
        let _ = upgrade.wait();
    }

    pub fn upgrade_kill_supervisor(&mut self) {
        let mut upgrade = self.begin_upgrade();
        self.pause_for(Duration::ZERO, 2 * SHORT_PAUSE);
        self.scene.sides[self.side].ours().kill_supervisor();
        self.pause(0.0, 2.0);
        self.lift();
        self.scene.sides[self.side].ours().start();
        let _ = upgrade.kill();
        let _ = upgrade.wait();
    }

    /// Starts the command.
    fn begin_upgrade(&mut self) -> Child {
        let router = self.scene.sides[self.side].ours();
        let mut command = Command::new(program());
        command.arg("upgrade").arg("--state-dir").arg(router.state()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let net = &router.host.net;
        net.run(|| guard::spawn(&mut command)).expect("the program")
    }
}
