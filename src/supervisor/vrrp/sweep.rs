//! Removes from the kernel what a vrrp process that is no more has left there.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use async_io::Async;
use nix::net::if_::if_nametoindex;

use super::installed::Held;
use crate::control::event::text;
use crate::net::VirtualAddress;
use crate::netlink::address::Address;
use crate::netlink::batch::{NotTaken, Outcome, Request};
use crate::netlink::command::Commands;
use crate::netlink::link::{Link, LinkIndex};
use crate::netlink::monitor::{Left, Monitor, RECEIVE_BUFFER_OCTETS};
use crate::netlink::route::Resolved;
use crate::sorted::{Map, Set};
use crate::supervisor::timeouts::within;
use crate::system::limits::raise_descriptors;
use crate::vrrp::settings::Object;

/// How long the kernel may take.
const KERNEL_TIMEOUT: Duration = Duration::from_secs(2);

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// How many objects were there and are gone.
    pub removed: u64,
    /// What the kernel refused to remove, in words.
    pub refused: Vec<String>,
}

/// Where what is listed comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// This daemon has seen to it until a moment ago.
    Present,
    /// A daemon that was killed has left it: an address may be somebody else's by now.
    Past,
}

/// What is to be asked for, with words for it.
type Requests<'a> = Vec<(Request<'a>, String)>;

/// Removes the objects. What was there a moment ago is asked to go at once, without a look; all
/// else is looked for on all links, since an interface may have another name by now, and an address
/// that carries somebody else's mark stays.
///
/// # Errors
/// What the system says.
pub async fn sweep(held: &[Held], source: Source) -> io::Result<Swept> {
    // Whatever somebody has set: this has to work. Should it fail, there are as many as there were.
    let _ = raise_descriptors();
    let slow = || io::Error::new(io::ErrorKind::TimedOut, "the kernel does not answer");
    within(KERNEL_TIMEOUT, run(held, source)).await.ok_or_else(slow)?
}

async fn run(held: &[Held], source: Source) -> io::Result<Swept> {
    let mut commands = Commands::open()?;
    let mut swept = Swept::default();
    let addresses = by_address(held);
    if source == Source::Present {
        let requests = promoting(by_name(held), None);
        let wanted = addresses.values().map(|found| found.len() as u64).sum::<u64>();
        let removed = ask(&mut commands, requests, &mut swept).await?;
        if removed >= wanted {
            routes_and_rules(&mut commands, held, &mut swept).await?;
            return Ok(swept);
        }
    }
    let monitor = everything(&commands).await?;
    let marks = marks();
    let mut found = Vec::new();
    for link in monitor.cache().links() {
        for there in monitor.cache().addresses(link.index) {
            let mut listed = addresses.get(&there.address).into_iter().flatten();
            // With our mark it is ours, whatever its prefix length.
            let is_ours = listed.any(|(owner, address)| {
                there.is_own || !owner && !marks && is_same(there, address)
            });
            if is_ours {
                let address = VirtualAddress {
                    peer: there.peer,
                    ..VirtualAddress::new(there.address, there.prefix_len)
                };
                found.push((link, address));
            }
        }
    }
    let of = |(link, address): &(&Link, VirtualAddress)| (link.index, words(address, &link.name));
    let requests = found.iter().map(|one| {
        let (index, words) = of(one);
        (Request::Delete(index, &one.1), words)
    });
    ask(&mut commands, promoting(requests.collect(), Some(&monitor)), &mut swept).await?;
    routes_and_rules(&mut commands, held, &mut swept).await?;
    Ok(swept)
}

/// The same requests, with `promote_secondaries` before and as it was behind them, so that they cost
/// no other address of the subnets (`netlink:N-44`).
fn promoting<'a>(requests: Requests<'a>, links: Option<&Monitor>) -> Requests<'a> {
    let is_v4 = |request: &Request<'_>| {
        let &Request::Delete(link, address) = request else { return None };
        address.address.is_ipv4().then_some(link)
    };
    let mut all: Requests<'a> = Vec::new();
    let links_of: Set<LinkIndex> = requests.iter().filter_map(|(r, _)| is_v4(r)).collect();
    let request = |link, promote| (Request::Promote(link, promote), String::new());
    all.extend(links_of.iter().map(|link| request(*link, true)));
    all.extend(requests);
    let was_off = |link: &&LinkIndex| {
        let known = links.and_then(|links| links.cache().link(**link));
        known.is_some_and(|known| known.promotes == Some(false))
    };
    all.extend(links_of.iter().filter(was_off).map(|link| request(*link, false)));
    all
}

fn words(address: &VirtualAddress, interface: &str) -> String {
    format!("{}/{} on {interface}", address.address, address.prefix_len)
}

/// The addresses, on the links that have the names of their interfaces. Not those of an owner.
fn by_name(held: &[Held]) -> Requests<'_> {
    let mut requests = Vec::new();
    for one in held.iter().filter(|one| !one.owner) {
        for object in &one.objects {
            if let Object::Address(address) | Object::Excluded(address) = object {
                let interface = address.interface.as_ref().unwrap_or(&one.interface);
                if let Ok(index) = if_nametoindex(&**interface) {
                    let request = Request::Delete(LinkIndex(index), address);
                    requests.push((request, words(address, interface)));
                }
            }
        }
    }
    requests
}

async fn routes_and_rules(
    commands: &mut Commands<String>,
    held: &[Held],
    swept: &mut Swept,
) -> io::Result<()> {
    let index = |name: &str| if_nametoindex(name).ok().map(LinkIndex);
    let objects = || held.iter().flat_map(|one| &one.objects);
    let routes: Vec<(Resolved<'_>, String)> = objects()
        .filter_map(|object| match object {
            Object::Route(route) => Some((Resolved::to_delete(route, index), text::object(object))),
            Object::Filter | Object::Address(_) | Object::Excluded(_) | Object::Rule(_) => None,
        })
        .collect();
    let mut requests: Requests<'_> = Vec::new();
    for (route, words) in &routes {
        requests.push((Request::DeleteRoute(route), words.clone()));
    }
    for object in objects() {
        match object {
            Object::Rule(rule) => requests.push((Request::DeleteRule(rule), text::object(object))),
            Object::Route(_) | Object::Filter | Object::Address(_) | Object::Excluded(_) => {}
        }
    }
    ask(commands, requests, swept).await.map(drop)
}

/// Asks the kernel; how many of them were there and are gone.
async fn ask(
    commands: &mut Commands<String>,
    requests: Requests<'_>,
    swept: &mut Swept,
) -> io::Result<u64> {
    let readable = Async::new(commands.as_fd().try_clone_to_owned()?)?;
    let mut requests = requests.into_iter();
    let mut next = requests.next();
    let mut answers = Vec::new();
    let mut removed = 0;
    while next.is_some() || commands.in_flight() > 0 {
        while let Some((request, words)) = next.take() {
            match commands.push(request, words.clone()) {
                Ok(()) | Err(NotTaken::Unencodable) => next = requests.next(),
                Err(NotTaken::Full) => {
                    next = Some((request, words));
                    break;
                }
            }
        }
        while commands.send()? == Left::More {}
        if commands.read(&mut answers)? == Left::Nothing && answers.is_empty() {
            readable.readable().await?;
        }
        for answer in answers.drain(..) {
            // Anything but a removal has no text here; the sweep goes on without it.
            if answer.token.is_empty() {
                continue;
            }
            match answer.outcome {
                Outcome::Done(_) => removed += 1,
                Outcome::Unchanged | Outcome::Found(_) => {}
                Outcome::Refused(error) => {
                    swept.refused.push(format!("{}: {}", answer.token, error));
                }
                Outcome::Lost => swept.refused.push(format!("{}: no answer", answer.token)),
            }
        }
    }
    swept.removed += removed;
    Ok(removed)
}

/// All links and addresses.
async fn everything<T>(commands: &Commands<T>) -> io::Result<Monitor> {
    let mut monitor = Monitor::open(Some(commands.port()), RECEIVE_BUFFER_OCTETS)?;
    let readable = Async::new(monitor.as_fd().try_clone_to_owned()?)?;
    let mut changes = Vec::new();
    while !monitor.is_current() {
        readable.readable().await?;
        monitor.read(&mut changes)?;
        changes.clear();
    }
    Ok(monitor)
}

/// What is listed, by address, with whether it is its owner's.
fn by_address(held: &[Held]) -> Map<IpAddr, Vec<(bool, &VirtualAddress)>> {
    let mut all: Map<IpAddr, Vec<_>> = Map::new();
    for one in held {
        for object in &one.objects {
            if let Object::Address(address) | Object::Excluded(address) = object {
                all.entry(address.address).or_default().push((one.owner, address));
            }
        }
    }
    all
}

/// Whether an address of the kernel is what was listed.
fn is_same(there: &Address, listed: &VirtualAddress) -> bool {
    let peer = listed.peer.filter(|peer| *peer != listed.address);
    (there.prefix_len, there.peer) == (listed.prefix_len, peer)
}

/// Whether the kernel keeps who added an address (IFA_PROTO, since 5.18). Where it does not, one that
/// is listed is ours, unless its owner is, who has it anyway.
fn marks() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (5, 18),
        // Rather leave an address than take somebody else's.
        (_, _) => true,
    }
}
