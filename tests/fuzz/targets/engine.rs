//! A whole engine: packets of others, time, the kernel, the operator, reloads; and what has to hold
//! after each of them.

mod driver;
mod packet;
mod settings;

use std::net::IpAddr;
use std::time::Duration;
use steadfast::vrrp::CommandId;

use steadfast::units::{Instant, Mac};
use steadfast::vrrp::{Command, Event, InterfaceState, TrackerState};

use super::input::Input;
use driver::Driver;

/// Steps of one run: longer ones find nothing more.
const STEPS: usize = 300;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let manners = input.u8();
    let settings = settings::some(&mut input);
    let mut driver = Driver::new(&settings, manners);
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        step(&mut driver, &mut input);
    }
    driver.end();
}

fn step(driver: &mut Driver, input: &mut Input<'_>) {
    match input.u8() % 20 {
        0..=2 => driver.pass(Duration::from_nanos(1 << (input.u8() % 40))),
        3..=5 => driver.run_to_deadline(),
        6..=9 => packet::made(driver, input),
        10 => packet::raw(driver, input),
        11 => {
            let interface = driver.interface(input);
            let state = interface_state(input);
            driver.report(interface, state);
        }
        12 => {
            let name = input.one_of(&["script", "file", "nobody"]);
            let state =
                input.one_of(&[TrackerState::Up, TrackerState::Down, TrackerState::Unknown]);
            driver.feed(Event::Tracker { name, state });
        }
        13 => driver.somebody_else(input),
        14 => driver.answer(),
        15 => {
            let interface = driver.interface(input);
            let address = settings::address(input.u8());
            let mac = Mac(input.array());
            driver.feed(Event::Announced { interface, address, mac });
        }
        16 => {
            if let Some(instance) = driver.instance(input) {
                let command = match input.u8() % 4 {
                    0 => Command::Release { instance },
                    1 => Command::Announce { instance },
                    kind => Command::Switchover {
                        instance,
                        hold_for: input
                            .flag()
                            .then(|| Duration::from_nanos(1 << (input.u8() % 40))),
                        force: kind == 3,
                    },
                };
                driver.feed(Event::Command(CommandId(0), command));
            }
        }
        17 => {
            let settings = settings::some(input);
            let by_change = input.flag();
            driver.reload(&settings, by_change);
        }
        18 => match input.u8() % 4 {
            0 => driver.start(),
            1 => {
                let manners = input.u8();
                driver.refusals = manners % 8;
                driver.mute = manners & 0x80 != 0;
                if manners & 0x40 != 0 {
                    driver.refuse_out_of_turn(input);
                }
            }
            2 => driver.feed(Event::SocketsDrained),
            _ => {
                if let Some(instance) = driver.instance(input) {
                    let last_advert = Instant::from_nanos(input.u64());
                    driver.feed(Event::Resume { instance, last_advert });
                }
            }
        },
        _ => {
            if input.u8() == 0 {
                driver.shutdown();
            }
        }
    }
}

fn interface_state(input: &mut Input<'_>) -> InterfaceState {
    let bits = input.u8();
    let own = |number: u8| match settings::address(number) {
        IpAddr::V4(address) => (Some(address), None),
        IpAddr::V6(address) => (None, Some(address)),
    };
    let (ipv4, ipv6) = (own((bits >> 4) & 3).0, own(0x80 | (bits >> 6)).1);
    InterfaceState {
        present: bits & 1 == 0,
        up: bits & 3 == 0,
        port: bits & 0x33 == 0x30,
        mac: Some(Mac([2, 0, 0, 0, 0, bits >> 5])),
        ipv4: ipv4.filter(|_| bits & 4 == 0),
        ipv6: ipv6.filter(|_| bits & 8 == 0),
    }
}
