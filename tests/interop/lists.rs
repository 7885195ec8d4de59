//! Address lists that differ (`vrrp:V-40`): what keepalived does in the scene, and what ours does.
//! What was seen is printed.

use std::net::IpAddr;

use steadfast::control::status::VerdictLevel;
use steadfast::units::{Centiseconds, Family};

use crate::harness::inject::{Claim, Impostor};
use crate::harness::lan::Host;
use crate::harness::until;
use crate::scene::Scene;
use crate::settings::{INTERFACE, Instance, Profile};
use crate::speaker::{Maker, Role};

const HIGH: u8 = 150;
const LOW: u8 = 100;

/// A third host announces other addresses with the VRID of a pair: the master stays one.
#[track_caller]
fn another_pair(profile: Profile, maker: Maker, priority: u8) {
    let told = |priority| vec![Instance::new(profile, priority)];
    let scene = &mut Scene::new((maker, told(HIGH)), (maker, told(LOW)));
    let third = Host::new("third");
    third.net.sysctl("net/ipv6/conf/default/addr_gen_mode", "1");
    third.net.sysctl("net/ipv6/conf/default/accept_dad", "0");
    scene.lan.attach(&third, INTERFACE, &["192.0.2.66/24", "fe80::66/64"]);
    let Scene { wire, a, b, .. } = scene;
    a.start();
    a.becomes(Role::Master);
    b.start();
    b.becomes(Role::Backup);
    let (source, addresses): (_, [&str; 1]) = match profile.family() {
        Family::V4 => ("192.0.2.66", ["192.0.2.99"]),
        Family::V6 => ("fe80::66", ["2001:db8::99"]),
    };
    let addresses: Vec<IpAddr> = addresses.map(|a| a.parse().unwrap()).to_vec();
    let interval = Centiseconds::from_duration(profile.interval()).unwrap();
    let version = profile.version();
    let claim = Claim { version, vrid: 51, priority, interval, addresses };
    wire.mark();
    let impostor =
        Impostor::start(&third.net, INTERFACE, profile.interval() / 2, &[(source, claim)]);
    wire.wait_for_many(3, "adverts of the master", |p| a.sent(p));
    wire.wait_for_many(9, "adverts of the third host", |p| p.is_of_master("third"));
    let (sent, backup) = (impostor.sent(), wire.packets().iter().filter(|p| b.sent(p)).count());
    println!(
        "{profile:?}, {maker:?}: {sent} adverts of priority {priority} with other addresses: \
         gw-a is {:?}, gw-b {:?}, which sent {backup} adverts",
        a.role(),
        b.role()
    );
    assert_eq!(a.role(), Role::Master);
    // keepalived 2.2.7 discards them as well, but each one disturbs its timers: when they come often
    // its master sends late, and its backup is master for a moment now and then.
    if maker == Maker::Steadfast {
        assert_eq!((b.role(), backup), (Role::Backup, 0));
    }
    a.kill();
    b.becomes(Role::Master);
    println!("{profile:?}, {maker:?}: gw-a is dead, gw-b is {:?}", b.role());
}

#[test]
fn keepalived_ignores_another_pair() {
    for profile in [Profile::V2, Profile::V3Ipv4, Profile::V3Ipv6] {
        another_pair(profile, Maker::Keepalived, 200);
    }
}

#[test]
fn steadfast_ignores_another_pair() {
    for profile in [Profile::V2, Profile::V3Ipv4, Profile::V3Ipv6] {
        another_pair(profile, Maker::Steadfast, 200);
    }
}

/// keepalived makes no exception for the owner, which RFC 3768 7.1 has.
#[test]
fn an_owner_of_another_pair_is_no_exception() {
    for maker in [Maker::Keepalived, Maker::Steadfast] {
        another_pair(Profile::V2, maker, 255);
    }
}

/// The master has one address more than its backup, as after a reload of one router. A router that
/// discards such adverts becomes a second master.
#[track_caller]
fn one_address_more(profile: Profile, backup: Maker) {
    let mut more = Instance::new(profile, HIGH);
    more.addresses.push(match profile.family() {
        Family::V4 => "192.0.2.7/24".to_owned(),
        Family::V6 => "2001:db8::7/64".to_owned(),
    });
    let scene = &mut Scene::new(
        (Maker::Steadfast, vec![more]),
        (backup, vec![Instance::new(profile, LOW)]),
    );
    let Scene { wire, a, b, .. } = scene;
    a.start();
    a.becomes(Role::Master);
    wire.mark();
    b.start();
    if backup == Maker::Steadfast {
        b.becomes(Role::Backup);
        wire.wait_for_many(4, "adverts of the master", |p| a.sent(p));
        let beside = wire.packets().iter().filter(|p| b.sent(p)).count();
        println!("{profile:?}: beside a longer list {backup:?} is {:?}", b.role());
        assert_eq!((b.role(), beside), (Role::Backup, 0));
        return;
    }
    b.becomes(Role::Master);
    // One, since those that it discards keep it from sending at its interval.
    wire.wait_for_many(1, "an advert of the second master", |p| b.sent(p));
    println!("{profile:?}: beside a longer list {backup:?} is {:?}", b.role());
    let document = until("the split is known, and why", || {
        let document = a.status();
        let split = document.verdict.level == VerdictLevel::Split;
        split.then_some(document)
    });
    println!("{}", document.verdict.text);
    document.warnings.iter().for_each(|warning| println!("  {}", warning.text));
    let address = b.address.to_string();
    let discards = format!("{address} discards our adverts since its list differs");
    assert!(document.verdict.text.contains("it discards our adverts"), "{}", document.verdict.text);
    assert!(document.warnings.iter().any(|w| w.text.contains(&discards)));
    assert!(document.warnings.iter().all(|w| !w.text.contains("filter")), "no firewall");
}

#[test]
fn keepalived_discards_a_longer_list() {
    for profile in [Profile::V2, Profile::V3Ipv4, Profile::V3Ipv6] {
        one_address_more(profile, Maker::Keepalived);
    }
}

#[test]
fn steadfast_follows_a_longer_list() {
    for profile in [Profile::V2, Profile::V3Ipv4, Profile::V3Ipv6] {
        one_address_more(profile, Maker::Steadfast);
    }
}
