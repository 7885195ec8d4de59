//! Options of sockets that nix and socket2 do not have, in nix's form.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::net::if_::if_indextoname;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;
use nix::{libc, setsockopt_impl, sockopt_impl};

/// `SO_BINDTOIFINDEX`, which libc has for Android only; the same number wherever Linux runs but on
/// SPARC and PA-RISC.
const SO_BINDTOIFINDEX: libc::c_int = 62;

sockopt_impl!(
    /// Netlink: errors come with words.
    ExtendedAcknowledgement,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_EXT_ACK,
    bool
);
sockopt_impl!(
    /// Netlink: answers do not repeat the request.
    CappedAcknowledgement,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_CAP_ACK,
    bool
);
sockopt_impl!(
    /// Netlink: requests for lists are checked.
    StrictChecking,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_GET_STRICT_CHK,
    bool
);
sockopt_impl!(
    /// Netlink: into a multicast group, given by its number.
    JoinGroup,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_ADD_MEMBERSHIP,
    u32
);
sockopt_impl!(
    /// Netlink: out of a multicast group, given by its number.
    LeaveGroup,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_DROP_MEMBERSHIP,
    u32
);
sockopt_impl!(
    /// IPv6 raw sockets: where the checksum is that the kernel writes and checks (`vrrp:C-3`).
    ChecksumAt,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_CHECKSUM,
    libc::c_int
);
sockopt_impl!(
    /// Only packets of the interface with this index.
    BindToIndex,
    SetOnly,
    libc::SOL_SOCKET,
    SO_BINDTOIFINDEX,
    libc::c_int
);

/// An option that older kernels do not know is done without.
///
/// # Errors
/// Every other one.
pub fn if_supported(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ENOPROTOOPT) => Ok(()),
        other => other,
    }
}

/// Binds a socket to the interface with that index: it hears no other.
///
/// # Errors
/// `ENODEV` or `ENXIO` when there is none with that index; `EPERM` without `CAP_NET_RAW`.
pub fn bind_to_interface(socket: &impl AsFd, index: u32) -> io::Result<()> {
    let number = libc::c_int::try_from(index).map_err(|_| Errno::ENODEV)?;
    match setsockopt(socket, BindToIndex, &number) {
        // Linux before 5.1 takes a name only.
        Err(Errno::ENOPROTOOPT) => {
            let name = if_indextoname(index)?;
            let name = std::ffi::OsString::from(name.to_string_lossy().into_owned());
            Ok(setsockopt(socket, BindToDevice, &name)?)
        }
        other => Ok(other?),
    }
}
