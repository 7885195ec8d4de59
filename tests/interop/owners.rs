//! Two owners of one address (`vrrp:S-32`): the one with the higher address stays master, without a
//! time in which nobody sends.

use crate::scene::Scene;
use crate::settings::{INTERFACE, Instance, Profile};
use crate::speaker::{Maker, Role};

const OWNER: u8 = 255;

#[test]
fn keepalived_with_the_higher_address_comes_second() {
    for profile in [Profile::V2, Profile::V3Ipv4, Profile::V3Ipv6] {
        let told = || vec![Instance::new(profile, OWNER)];
        let scene = &mut Scene::new((Maker::Steadfast, told()), (Maker::Keepalived, told()));
        let Scene { wire, a, b, .. } = scene;
        // An owner has the address anyway.
        for address in &a.instance().addresses {
            a.net().ip(&format!("address add {address} dev {INTERFACE} nodad"));
        }
        a.start();
        a.becomes(Role::Master);
        wire.mark();
        b.start();
        b.becomes(Role::Master);
        a.becomes(Role::Backup);
        wire.wait_for_many(5, "adverts of keepalived", |p| b.sent(p));
        let ours = wire.packets().iter().filter(|p| a.sent(p)).count();
        println!("{profile:?}: gw-b {:?}, gw-a {:?} after {ours} adverts", b.role(), a.role());
        assert_eq!((b.role(), a.role()), (Role::Master, Role::Backup), "{profile:?}");
    }
}
