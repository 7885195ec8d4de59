//! Packets for the engine, on the way that the process takes them.

use std::net::IpAddr;

use steadfast::units::{Centiseconds, Family, Priority, Vrid};
use steadfast::vrrp::{Event, InterfaceId};
use steadfast::vrrp_process::advert_receiver::Datagram;
use steadfast::wire::checksum::PseudoHeader;
use steadfast::wire::ip::{IPV4_HEADER_LEN, Ipv4Repr};
use steadfast::wire::vrrp::{Addresses, Authentication, Format, PROTOCOL, Repr, group};

use super::super::input::Input;
use super::driver::Driver;
use super::settings::{FIRST_VRID, address};

/// The first address of another pair of routers, below those of the instances.
const OF_ANOTHER_PAIR: u8 = 4;

/// Octets as they are.
pub fn raw(driver: &mut Driver, input: &mut Input<'_>) {
    let interface = driver.interface(input);
    let family = input.one_of(&Family::ALL);
    let cut = usize::from(input.u8() & 3);
    let octets = input.some();
    let (source, destination) = match (address(0x80 | input.u8()), group(Family::V6)) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => (source, destination),
        (IpAddr::V4(_) | IpAddr::V6(_), _) => return,
    };
    let len = octets.len() + cut;
    hand_over(
        driver,
        interface,
        &match family {
            Family::V4 => Datagram::V4 { octets, len },
            Family::V6 => Datagram::V6 { octets, len, source, destination, hop_limit: 255 },
        },
    );
}

/// An advert that is right in most ways, with a good checksum.
pub fn made(driver: &mut Driver, input: &mut Input<'_>) {
    let [kind, number, priority] = input.array();
    let family = if kind & 1 == 0 { Family::V4 } else { Family::V6 };
    let high = if kind & 1 == 0 { 0 } else { 0x80 };
    let format = match kind >> 6 {
        0 | 1 => Format::V3,
        2 => Format::V2(Authentication::None),
        _ => Format::V2(Authentication::Password(*b"secret\0\0")),
    };
    let interval = match input.u8() {
        0 => Centiseconds::SECOND,
        255 => Centiseconds(input.u16()),
        other => Centiseconds(other.into()),
    };
    let own = 32 * (number % 4 + 1);
    let count = 1 + ((number >> 2) & 3);
    // Sometimes those of another pair of routers.
    let foreign = number >> 4 == 15;
    let first = if foreign { OF_ANOTHER_PAIR } else { own };
    let list: Vec<IpAddr> = (0..count).map(|host| address(high | (first + host))).collect();
    let repr = Repr {
        format,
        vrid: Vrid::new(FIRST_VRID + number % 4).expect("not 0"),
        priority: Priority(priority),
        interval,
        addresses: Addresses::of_family(family, &list),
    };
    let source = address(high | ((number >> 4) & 7));
    let destination = if kind & 2 == 0 { group(family) } else { address(high) };
    let covered = if kind & 4 == 0 { destination } else { group(family) };
    let pseudo_header = if kind & 8 == 0 { PseudoHeader::new(source, covered) } else { None };
    let mut message = vec![0; repr.buffer_len()];
    repr.emit(pseudo_header, &mut message).expect("a few addresses fit");
    if kind & 0x10 != 0 {
        // Not so right after all.
        let [at, change] = input.array();
        let at = usize::from(at) % message.len();
        message[at] ^= change;
    }
    let hop_limit = if kind & 0x20 == 0 { 255 } else { input.u8() };
    let interface = driver.interface(input);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Repr {
                tos: 0,
                identification: 0,
                dont_fragment: false,
                ttl: hop_limit,
                protocol: PROTOCOL,
                source,
                destination,
                payload_len: message.len(),
            };
            let mut octets = vec![0; IPV4_HEADER_LEN];
            header.emit(&mut octets).expect("it fits");
            octets.extend(message);
            let len = octets.len();
            let datagram = Datagram::V4 { octets: &octets, len };
            hand_over_of(driver, interface, &datagram, foreign);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let (octets, len) = (&message[..], message.len());
            let datagram = Datagram::V6 { octets, len, source, destination, hop_limit };
            hand_over_of(driver, interface, &datagram, foreign);
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            panic!("both are of one family")
        }
    }
}

/// An advert without any of our addresses changes nothing (`vrrp:V-40`).
fn hand_over_of(
    driver: &mut Driver,
    interface: InterfaceId,
    datagram: &Datagram<'_>,
    foreign: bool,
) {
    let before = foreign.then(|| driver.election());
    hand_over(driver, interface, datagram);
    if let Some(before) = before {
        assert_eq!(before, driver.election(), "an advert of another pair of routers");
    }
}

fn hand_over(driver: &mut Driver, interface: InterfaceId, datagram: &Datagram<'_>) {
    let Ok(received) = datagram.received(interface) else { return };
    let before = driver.counted_packets();
    let _ = driver.engine.burst_is_over(&received);
    driver.feed(Event::Received(received));
    let after = driver.counted_packets();
    let counted = after.wrapping_sub(before);
    assert!(counted <= 1, "one packet was counted {counted} times");
}
