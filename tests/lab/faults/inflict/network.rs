//! Links, addresses and packets.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::Patient;
use crate::harness::guard;
use crate::harness::inject::{Injector, advert};
use crate::scene::{INTERFACE, NAMES, OWN, send};

/// Addresses that come and go while nobody listens: several times what a socket keeps.
const FLOOD: u32 = 4_000;
/// Bad packets.
const STORM: usize = 20_000;
/// Octets before the VRRP message.
const IP_HEADER: usize = 20;

impl Patient<'_> {
    fn ip(&self, words: &str) {
        // What is gone cannot be removed.
        let _ = self.scene.sides[self.side].host().net.try_ip(words);
    }

    pub fn overrun(&mut self) {
        let child = self.scene.child(self.side);
        send(child, Signal::SIGSTOP);
        let mut lines = String::new();
        for word in ["add", "del"] {
            for n in 0..FLOOD {
                let (high, low) = (n / 250, n % 250 + 1);
                writeln!(lines, "address {word} 10.8.{high}.{low}/32 dev lo").unwrap();
            }
        }
        let interval = self.fault.interval;
        let still = self.rng.duration(interval.mul_f64(0.1), interval.mul_f64(0.3));
        let net = &self.scene.sides[self.side].host().net;
        thread::scope(|scope| {
            scope.spawn(|| net.ip_batch(&lines));
            // A busy machine takes longer for it than a process may be silent.
            thread::sleep(still);
            send(child, Signal::SIGCONT);
        });
        self.lift();
    }

    /// The firewall drops adverts on their way out, which is an error for the sender.
    pub fn send_refused(&mut self, least: f64, most: f64) {
        self.nft(
            "table inet faults {\n chain out {\n type filter hook output priority 0;\n \
             meta l4proto 112 drop;\n }\n }\n",
        );
        self.pause(least, most);
        self.nft("delete table inet faults");
        self.lift();
    }

    fn nft(&self, script: &str) {
        let mut command = Command::new("nft");
        command.args(["-f", "-"]).stdin(Stdio::piped());
        let net = &self.scene.sides[self.side].host().net;
        let child = net.run(|| guard::spawn(&mut command));
        let mut child = child.expect("nft; install it with: apt-get install nftables");
        child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("nft reads");
        assert!(child.wait().expect("its end").success(), "nft: {script}");
    }

    pub fn address_removed(&mut self) {
        self.ip(&format!("address del 192.0.2.1/24 dev {INTERFACE}"));
        self.lift();
    }

    pub fn flush(&mut self) {
        self.ip(&format!("address flush dev {INTERFACE}"));
        self.pause(0.0, 5.0);
        let link_local = format!("fe80::ff:fe00:{}/64", self.side + 1);
        for address in OWN[self.side].into_iter().chain([link_local.as_str()]) {
            self.ip(&format!("address add {address} dev {INTERFACE}"));
        }
        self.lift();
    }

    pub fn link_down(&mut self) {
        self.ip(&format!("link set {INTERFACE} down"));
        self.pause(0.0, 5.0);
        self.ip(&format!("link set {INTERFACE} up"));
        // The kernel took it away.
        self.ip(&format!("address add {} dev {INTERFACE}", OWN[self.side][1]));
        self.lift();
    }

    pub fn link_again(&mut self) {
        self.make_link_again(0.0, 5.0);
        self.lift();
    }

    pub fn make_link_again(&mut self, least: f64, most: f64) {
        self.ip(&format!("link del {INTERFACE}"));
        self.pause(least, most);
        let is_same = self.rng.percent(50);
        let number = if is_same { self.side + 1 } else { self.side + 0x21 };
        let mac = format!("02:00:00:00:00:{number:02x}");
        let host = self.scene.sides[self.side].host();
        self.scene.lan.attach_with(host, INTERFACE, &mac, &OWN[self.side]);
    }

    pub fn cable(&mut self) {
        self.scene.lan.cable(self.scene.sides[self.side].host(), false);
        self.pause(0.0, 6.0);
        self.scene.lan.cable(self.scene.sides[self.side].host(), true);
        self.lift();
    }

    pub fn split(&mut self) {
        self.isolate("on");
        self.pause(0.5, 8.0);
        self.isolate("off");
        self.lift();
    }

    fn isolate(&self, word: &str) {
        for name in NAMES {
            self.scene.lan.net.ip(&format!("link set {name} type bridge_slave isolated {word}"));
        }
    }

    pub fn storm(&mut self) {
        let injector = Injector::start(&self.scene.client.net, "192.0.2.10");
        let good = [
            advert("192.0.2.3", 51, 200, &["192.0.2.1"]),
            advert("192.0.2.2", 51, 255, &["192.0.2.1"]),
            advert("192.0.2.10", 52, 100, &["192.0.2.9"]),
        ];
        let end = Instant::now() + Duration::from_secs(2);
        for _ in 0..STORM {
            if Instant::now() > end {
                break;
            }
            let mut packet = good[self.rng.index(good.len())].clone();
            match self.rng.below(4) {
                0 => packet.truncate(IP_HEADER + self.rng.index(packet.len() - IP_HEADER)),
                // From beyond a router.
                1 => packet[8] = self.rng.below(255) as u8,
                _ => {
                    // One octet that differs is never the same sum.
                    let at = IP_HEADER + self.rng.index(packet.len() - IP_HEADER);
                    packet[at] ^= self.rng.between(1, 255) as u8;
                }
            }
            injector.send(&packet);
        }
        self.lift();
    }
}
