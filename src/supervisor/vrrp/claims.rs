//! One daemon for each virtual router of a network namespace: two with different state directories
//! would fight for its addresses.
//!
//! A claim is a socket with an abstract name, which is the kernel's per network namespace, goes with
//! the process, and is nobody's twice. One for each virtual router and not one for each daemon, since
//! several daemons may run beside each other with different ones.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket};
use nix::unistd::{Pid, geteuid};

use crate::config::model::Model;
use crate::sorted::{Map, Set};
use crate::supervisor::state_dir::process_in_words;
use crate::system::inherited_fds::{pass_on, take};
use crate::system::limits::max_descriptors;
use crate::units::Vrid;

/// Of all descriptors that there may be, this part at most is for claims.
const MAX_CLAIM_SHARE: usize = 2;

/// A virtual router, in whichever family.
type Router = (Box<str>, Vrid);

/// What this daemon claims.
#[derive(Debug, Default)]
pub struct Claims(Map<Router, OwnedFd>);

/// What another daemon has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// By whom: "another steadfast, process 7 ("steadfast run"), runs virtual router ...".
    pub what: String,
    /// What to do about it.
    pub help: &'static str,
}

fn name((interface, vrid): &Router) -> String {
    format!("steadfast-vr-{interface}-{vrid}")
}

/// The virtual routers of a configuration.
fn routers(model: &Model) -> impl Iterator<Item = Router> {
    model
        .instances
        .iter()
        .map(|instance| (instance.settings.interface.clone(), instance.settings.vrid))
}

impl Claims {
    /// Claims what the configuration has and was not claimed yet; to be followed by
    /// [`Claims::give_back`].
    ///
    /// # Errors
    /// Another daemon has some of it. Then nothing has changed.
    pub fn add(&mut self, model: &Model) -> Result<(), Taken> {
        let mut new = Map::new();
        let most = max_descriptors().map_or(usize::MAX, |most| {
            // The type of a limit depends on the system.
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        let most = most / MAX_CLAIM_SHARE;
        for router in routers(model) {
            if self.0.contains_key(&router) || new.contains_key(&router) {
                continue;
            }
            // Rather without a claim than without descriptors for the work.
            if self.0.len() + new.len() >= most {
                break;
            }
            let bound = SocketAddr::from_abstract_name(name(&router))
                .and_then(|address| UnixListener::bind_addr(&address));
            match bound {
                Ok(listener) => drop(new.insert(router, listener.into())),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    if let Some(taken) = taken(&router) {
                        return Err(taken);
                    }
                }
                // Where there are no such sockets there are no claims.
                Err(_) => {}
            }
        }
        self.0.append(&mut new);
        Ok(())
    }

    /// Gives back what the configuration has no more.
    pub fn give_back(&mut self, model: &Model) {
        let wanted: Set<Router> = routers(model).collect();
        self.0.retain(|router, _| wanted.contains(router));
    }

    /// Leaves them to the program that takes the place of this one.
    ///
    /// # Errors
    /// What the system says.
    pub fn leave(self) -> io::Result<(Vec<FormerClaim>, Vec<OwnedFd>)> {
        let mut numbers = Vec::new();
        for ((interface, vrid), claim) in &self.0 {
            numbers.push((interface.clone(), *vrid, pass_on(claim)?));
        }
        Ok((numbers, self.0.into_values().collect()))
    }

    /// Those that the program before has left.
    pub fn adopt(former: Vec<FormerClaim>) -> Self {
        let claims = former
            .into_iter()
            .filter_map(|(interface, vrid, fd)| Some(((interface, vrid), take(fd).ok()?)));
        Self(claims.collect())
    }
}

/// A claim as one program leaves it to the next.
pub type FormerClaim = (Box<str>, Vrid, RawFd);

/// Who has a virtual router. `None`: nobody who may, only somebody who has taken the name.
fn taken(router: &Router) -> Option<Taken> {
    let (interface, vrid) = router;
    let who = match holder(&name(router)) {
        Ok((_, uid)) if ![0, geteuid().as_raw()].contains(&uid) => return None,
        // Of another namespace of process ids.
        Ok((pid, _)) if pid.as_raw() <= 0 => String::new(),
        Ok((pid, _)) => format!(", {},", process_in_words(pid)),
        Err(_) => String::new(),
    };
    Some(Taken {
        what: format!(
            "another steadfast{who} runs virtual router {vrid} on {interface} in this network \
             namespace"
        ),
        help: "stop it, or leave the instance out of one of the two configurations",
    })
}

/// The process that listens at a name, and its user. Nobody ever accepts: when too many have asked
/// that way, this fails, and does not wait.
fn holder(name: &str) -> io::Result<(Pid, u32)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_fd().as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
    let credentials = getsockopt(&socket, PeerCredentials)?;
    Ok((Pid::from_raw(credentials.pid()), credentials.uid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_router_is_claimed_once_until_it_is_given_back() {
        // Of no interface, and of no other run of this test.
        let interface = format!("t{}", std::process::id());
        let model = |vrids: &[u8]| {
            let mut text = String::new();
            for vrid in vrids {
                text += &format!(
                    "[vrrp.instance.a{vrid}]\ninterface = \"{interface}\"\n\
                     virtual_router_id = {vrid}\nvirtual_addresses = [\"10.0.0.{vrid}/24\"]\n"
                );
            }
            crate::config::parse(&text, None).model.unwrap()
        };
        let (mut first, mut second) = (Claims::default(), Claims::default());
        assert_eq!(first.add(&model(&[1, 2])), Ok(()));
        assert_eq!(first.add(&model(&[2, 3])), Ok(()), "its own");
        let taken = second.add(&model(&[4, 3])).unwrap_err().what;
        let who = format!("another steadfast, process {} (\"", std::process::id());
        assert!(taken.starts_with(&who), "{taken}");
        let what = format!(" runs virtual router 3 on {interface} in this network namespace");
        assert!(taken.ends_with(&what), "{taken}");
        assert_eq!(second.0.len(), 0, "none of a configuration that is refused");
        first.give_back(&model(&[2]));
        assert_eq!(second.add(&model(&[4, 3, 1])), Ok(()));
        assert!(second.add(&model(&[2])).is_err());
        let (numbers, kept) = first.leave().unwrap();
        let numbers = numbers.into_iter().zip(kept).map(|((interface, vrid, _), fd)| {
            (interface, vrid, std::os::fd::IntoRawFd::into_raw_fd(fd))
        });
        let next = Claims::adopt(numbers.collect());
        assert!(second.add(&model(&[2])).is_err(), "it went on");
        drop(next);
        assert_eq!(second.add(&model(&[2])), Ok(()));
    }
}
