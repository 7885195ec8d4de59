//! The successor of a process that dies has to know that it was master: the shared memory says so before
//! the first advert leaves (architecture.md, processes).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::time::Instant as Wall;

use nix::net::if_::if_nametoindex;
use nix::unistd::Pid;
use steadfast::control::shared_memory::{Key, Shared, SlotId, WORDS};
use steadfast::netlink::link::LinkIndex;
use steadfast::system::scheduling::{Offspring, SELF, set_real_time};
use steadfast::system::shared_memory::Region;
use steadfast::units::{Family, Instant, State, Vrid};
use steadfast::vrrp_process::advert_receiver::{Buffer, Datagram, Receiver};

use crate::harness::config::Instance;
use crate::harness::lan::{Host, Lan};
use crate::harness::router::Router;
use crate::harness::scratch::Scratch;
use crate::harness::{AWAIT_TIMEOUT, readable, until};

/// Virtual routers whose first adverts leave in one batch: what is stored after it is late for most.
const ROUTERS: u8 = 250;

/// Octet of the packet, after an IPv4 header without options.
const VRID_AT: usize = 20 + 1;

/// The memory that a supervisor shares with its child.
fn memory_of(supervisor: Pid) -> Option<Region> {
    for entry in fs::read_dir(format!("/proc/{supervisor}/fd")).ok()? {
        let path = entry.ok()?.path();
        let name = fs::read_link(&path).unwrap_or_default();
        if name.to_string_lossy().starts_with("/memfd:") {
            let file = File::options().read(true).write(true).open(path).ok()?;
            return Region::open(OwnedFd::from(file), WORDS).ok();
        }
    }
    None
}

#[test]
fn a_mastership_is_stored_before_its_first_advert_leaves() {
    let (scratch, lan) = (Scratch::new(), Lan::new());
    let mut router = Router::new(&scratch, "gw");
    lan.attach(&router.host, "eth0", &["192.0.2.2/24"]);
    let client = Host::new("client");
    lan.attach(&client, "eth0", &["192.0.2.3/24"]);
    let mut text = String::new();
    for vrid in 1..=ROUTERS {
        let address = format!("198.51.100.{vrid}/32");
        // Time enough to find the memory before the first of them.
        let instance =
            Instance::lan(150, &[&address]).named(&format!("i{vrid}"), vrid).every("500ms");
        text.push_str(&instance.to_string());
    }
    router.configure(&text);
    let receiver = client.net.run(|| {
        let link = LinkIndex(if_nametoindex("eth0").unwrap());
        Receiver::open(link, Family::V4).unwrap()
    });
    router.start();
    let supervisor = router.daemon().id();
    let memory = until("there is a memory", || memory_of(supervisor));
    let shared = Shared::open(&memory).unwrap();
    let slots: BTreeMap<u8, SlotId> = until("every instance has its slot", || {
        let mut found = BTreeMap::new();
        for (slot, key, saved) in shared.iter() {
            let is =
                |vrid: &u8| Key::new(&format!("i{vrid}"), "eth0", Vrid::new(*vrid).unwrap()) == key;
            found.extend((1..=ROUTERS).find(is).map(|vrid| (vrid, slot)));
            assert_ne!(saved.map(|saved| saved.state), Some(State::Master), "too late");
        }
        (found.len() == usize::from(ROUTERS)).then_some(found)
    });

    let mut buffer = Buffer::new();
    let mut wrong = BTreeMap::new();
    let mut waiting: Vec<u8> = slots.keys().copied().collect();
    let deadline = Wall::now() + AWAIT_TIMEOUT;
    // What comes in is to be seen while the next one is still being sent. Where that is not
    // permitted, less is seen.
    let _ = set_real_time(SELF, Some(1), Offspring::Normal);
    while !waiting.is_empty() {
        let heard = readable(&receiver, deadline);
        assert!(heard, "no advert of {waiting:?}\n{}", router.words());
        let check = |datagram: &Datagram<'_>| {
            let Datagram::V4 { octets, .. } = datagram else { return };
            let vrid = octets[VRID_AT];
            let saved = shared.load(slots[&vrid]).unwrap();
            let is_first = waiting.iter().position(|other| *other == vrid);
            let Some(place) = is_first else { return };
            waiting.swap_remove(place);
            if saved.state != State::Master || saved.last_advert == Instant::ORIGIN {
                wrong.insert(vrid, saved);
            }
        };
        receiver.read(&mut buffer, check).unwrap();
    }
    assert!(wrong.is_empty(), "sent, and not stored: {wrong:?}");
    router.kill();
}
