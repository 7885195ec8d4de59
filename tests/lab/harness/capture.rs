//! What goes over a switch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, setsockopt, socket,
};
use nix::sys::time::TimeSpec;
use socket2::{SockFilter, Socket};
use steadfast::units::Mac;
use steadfast::wire::ethernet;

use super::lan::{BRIDGE, Lan};
use super::namespace::Namespace;
use super::packet::{Packet, read};
use super::{AWAIT_TIMEOUT, readable};

/// Octets that the kernel keeps until somebody looks.
const RECEIVE_BUFFER_OCTETS: usize = 64 * 1024 * 1024;
/// Packets that a failed test prints.
const SHOWN_PACKETS: usize = 60;

/// Every VRRP packet, ARP and neighbour advertisement that hosts of a switch send, in the order
/// in which they reach it. The kernel collects them; they are read when somebody looks.
///
/// When it is dropped because the test failed, all goes to a file, and the last ones are printed.
#[derive(Debug)]
pub struct Capture {
    socket: Socket,
    net: Arc<Namespace>,
    ports: BTreeMap<usize, String>,
    ignored: Option<String>,
    packets: Vec<Packet>,
    start: usize,
}

impl Capture {
    /// Starts one.
    #[track_caller]
    pub fn start(lan: &Lan) -> Self {
        let socket = lan.net.run(|| open().expect("a packet socket"));
        Self {
            socket,
            net: Arc::clone(&lan.net),
            ports: BTreeMap::new(),
            ignored: None,
            packets: Vec::new(),
            start: 0,
        }
    }

    /// From now on, what this host sends is left out.
    pub fn ignore(&mut self, host: &str) {
        self.ignored = Some(host.to_owned());
    }

    /// Forgets what was seen until now: everything below begins here.
    pub fn mark(&mut self) {
        self.drain();
        self.start = self.packets.len();
    }

    /// All since the mark.
    pub fn packets(&mut self) -> &[Packet] {
        self.drain();
        self.packets.get(self.start..).unwrap_or_default()
    }

    /// Waits for a packet; the first one since the mark.
    ///
    /// # Panics
    /// When none comes in time.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, is_it: impl Fn(&Packet) -> bool) -> Packet {
        self.wait_within(AWAIT_TIMEOUT, &is_it)
            .unwrap_or_else(|| panic!("not seen within {} s: {what}", AWAIT_TIMEOUT.as_secs()))
    }

    /// Waits for so many packets since the mark.
    ///
    /// # Panics
    /// When they do not come in time.
    #[track_caller]
    pub fn wait_for_many(&mut self, count: usize, what: &str, is_it: impl Fn(&Packet) -> bool) {
        let deadline = Instant::now() + AWAIT_TIMEOUT;
        loop {
            let found = self.packets().iter().filter(|packet| is_it(packet)).count();
            if found >= count {
                return;
            }
            assert!(readable(&self.socket, deadline), "seen {found} of {count}: {what}");
        }
    }

    /// Waits for a packet, at most so long.
    pub fn wait_within(
        &mut self,
        limit: Duration,
        is_it: impl Fn(&Packet) -> bool,
    ) -> Option<Packet> {
        let deadline = Instant::now() + limit;
        let mut looked = self.start;
        loop {
            self.drain();
            let new = self.packets.get(looked..).unwrap_or_default();
            if let Some(found) = new.iter().find(|packet| is_it(packet)) {
                return Some(found.clone());
            }
            looked = self.packets.len();
            if !readable(&self.socket, deadline) {
                return None;
            }
        }
    }

    /// The last packet since the mark.
    pub fn last(&mut self, is_it: impl Fn(&Packet) -> bool) -> Option<Packet> {
        self.packets().iter().rev().find(|packet| is_it(packet)).cloned()
    }

    /// Writes all, also what was before the mark, in the format of tcpdump.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = Vec::new();
        // Magic number of times in nanoseconds, version 2.4, no offset, all octets, Ethernet.
        let header: [u32; 6] = [0xa1b2_3c4d, 0x0004_0002, 0, 0, u32::from(u16::MAX), 1];
        file.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        for packet in &self.packets {
            let length = u32::try_from(packet.frame.len()).unwrap_or(u32::MAX);
            let seconds = u32::try_from(packet.at.as_secs()).unwrap_or(u32::MAX);
            let words = [seconds, packet.at.subsec_nanos(), length, length];
            file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            file.extend(&packet.frame);
        }
        fs::write(path, file)
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 65_536];
        let mut control = nix::cmsg_space!(TimeSpec);
        loop {
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let fd = self.socket.as_raw_fd();
            let (length, index, at) =
                match recvmsg::<LinkAddr>(fd, &mut slices, Some(&mut control), MsgFlags::empty()) {
                    Ok(message) => {
                        let index = message.address.map_or(0, |from| from.ifindex());
                        let at = message.cmsgs().expect("room for a time").find_map(time);
                        (message.bytes, index, at.expect("a time of the kernel"))
                    }
                    Err(Errno::EINTR) => continue,
                    // A switch whose last port went down says so once.
                    Err(Errno::ENETDOWN) => continue,
                    Err(Errno::EAGAIN) => return,
                    Err(error) => panic!("cannot read a packet socket: {error}"),
                };
            let frame = buffer.get(..length).unwrap_or_default().to_vec();
            let host = self.port(index);
            if self.ignored.as_ref() == Some(&host) {
                continue;
            }
            let mac = ethernet::Packet::new_checked(&frame).map_or(Mac([0; 6]), |f| f.source());
            self.packets.push(Packet { at, host, mac, what: read(&frame), frame });
        }
    }

    /// The name of a port.
    fn port(&mut self, index: usize) -> String {
        let net = &self.net;
        let look = || {
            let index = u32::try_from(index).unwrap_or_default();
            let name = net.run(|| if_indextoname(index).ok());
            name.map_or_else(|| format!("port {index}"), |n| n.to_string_lossy().into_owned())
        };
        self.ports.entry(index).or_insert_with(look).clone()
    }

    /// Where a failed test leaves the packets.
    fn keep(&self) -> io::Result<PathBuf> {
        let directory = std::env::temp_dir().join("steadfast-lab-failed");
        fs::create_dir_all(&directory)?;
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("capture").replace(|c: char| !c.is_alphanumeric(), "-");
        let path = directory.join(format!("{name}.pcap"));
        self.write(&path)?;
        Ok(path)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let from = self.packets.len().saturating_sub(SHOWN_PACKETS);
        let last = self.packets.get(from..).unwrap_or_default();
        let text = last.iter().fold(String::new(), |mut text, packet| {
            let _ = writeln!(text, "{packet}");
            text
        });
        match self.keep() {
            Ok(path) => eprintln!("-- on the wire, all in {}:\n{text}--", path.display()),
            Err(error) => eprintln!("-- on the wire, not written ({error}):\n{text}--"),
        }
    }
}

fn time(message: ControlMessageOwned) -> Option<Duration> {
    match message {
        ControlMessageOwned::ScmTimestampns(time) => Some(time.into()),
        _ => None,
    }
}

/// A socket for all that comes in by the ports of the bridge of the current namespace.
fn open() -> io::Result<Socket> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER_OCTETS)
        .or_else(|_| setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER_OCTETS))?;
    let socket = Socket::from(socket);
    socket.attach_filter(&filter(if_nametoindex(BRIDGE)?))?;
    Ok(socket)
}

/// Keeps VRRP, ARP and neighbour advertisements that come in by a port: what leaves by one, and
/// what the bridge gives to its own host, was seen before.
fn filter(bridge: u32) -> [SockFilter; 17] {
    const WORD: u16 = 0x20;
    const HALF: u16 = 0x28;
    const BYTE: u16 = 0x30;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    // Values that the kernel has beside the packet.
    const PACKET_TYPE: u32 = 0xffff_f004;
    const INTERFACE: u32 = 0xffff_f008;
    const OUTGOING: u32 = 4;
    let load = |size, at| SockFilter::new(size, 0, 0, at);
    let equal = |value, then, otherwise| SockFilter::new(EQUAL, then, otherwise, value);
    [
        load(WORD, PACKET_TYPE),
        equal(OUTGOING, 14, 0),
        load(WORD, INTERFACE),
        equal(bridge, 12, 0),
        load(HALF, 12),
        equal(0x0806, 9, 0),
        equal(0x0800, 0, 2),
        load(BYTE, 23),
        equal(112, 6, 7),
        equal(0x86dd, 0, 6),
        load(BYTE, 20),
        equal(112, 3, 0),
        equal(58, 0, 3),
        load(BYTE, 54),
        equal(136, 0, 1),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}
