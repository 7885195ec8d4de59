//! Addresses of the router's own in the subnet of virtual ones, beside keepalived in the same scene:
//! which source its connections have, and what is left at the end. What keepalived does is printed.

use crate::harness::until;
use crate::scene::Scene;
use crate::settings::{Instance, Profile};
use crate::speaker::{Maker, Role};

const OWN: &str = "192.0.2.2";

/// The virtual addresses are there first, so that the own one is secondary when it comes.
/// `promote_secondaries` is 0, as the kernel has it.
#[derive(Debug)]
struct Seen {
    /// Of a connection into the subnet.
    source: String,
    /// The own address, and a route with it as a source, are there after the end.
    own: bool,
    route: bool,
}

fn see(maker: Maker, promote: &str) -> Seen {
    let told = |priority| {
        let profile = Profile::V3Ipv4;
        vec![Instance::new(profile, priority), Instance::beside(profile, priority)]
    };
    let mut scene = Scene::new((maker, told(150)), (Maker::Steadfast, told(100)));
    let a = &mut scene.a;
    a.net().sysctl("net/ipv4/conf/eth0/promote_secondaries", promote);
    a.net().ip("address add 198.51.100.2/24 dev eth0");
    a.net().ip(&format!("address del {OWN}/24 dev eth0"));
    a.start();
    a.becomes(Role::Master);
    a.kernel.until_address("eth0", "192.0.2.1", true);
    a.kernel.until_address("eth0", "192.0.2.11", true);
    a.net().ip(&format!("address add {OWN}/24 dev eth0"));
    let source = || {
        let words = a.net().try_ip("route get 192.0.2.99").expect("a route");
        let (_, rest) = words.split_once(" src ").expect("a source");
        rest.split_whitespace().next().expect("an address").to_owned()
    };
    if maker == Maker::Steadfast {
        until("the own address is the source", || (source() == OWN).then_some(()));
    } else {
        // There is nothing to wait for.
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let source = source();
    a.net().ip(&format!("route add 203.0.113.0/24 via 192.0.2.99 src {OWN}"));
    a.stop();
    let shown = a.net().try_ip("-4 -o address show dev eth0").expect("its addresses");
    let address = |line: &str| line.split_whitespace().nth(3).map(str::to_owned);
    let left: Vec<String> = shown.lines().filter_map(address).collect();
    let routes = a.net().try_ip("route").expect("its routes");
    println!("{maker:?}, promote_secondaries {promote}: at the end {}", left.join(", "));
    let own = left.contains(&format!("{OWN}/24"));
    let route = routes.contains("203.0.113.0/24");
    let seen = Seen { source, own, route };
    println!("{maker:?}, promote_secondaries {promote}: {seen:?}");
    seen
}

#[test]
fn the_own_address_is_the_source_and_stays() {
    for promote in ["0", "1"] {
        let _ = see(Maker::Keepalived, promote);
        let ours = see(Maker::Steadfast, promote);
        assert_eq!(ours.source, OWN);
        assert!(ours.own && ours.route, "{ours:?}");
    }
}
