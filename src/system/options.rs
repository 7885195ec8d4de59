//! Socket options that nix and socket2 lack, in the form of nix.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::net::if_::if_indextoname;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;
use nix::{libc, setsockopt_impl, sockopt_impl};

/// `SO_BINDTOIFINDEX`, which libc has for Android only. The number is the same on all architectures
/// except SPARC and PA-RISC.
const SO_BINDTOIFINDEX: libc::c_int = 62;

sockopt_impl!(
    /// Netlink: errors come with a text.
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
    /// Netlink: the kernel checks requests for dumps strictly.
    StrictChecking,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_GET_STRICT_CHK,
    bool
);
sockopt_impl!(
    /// Netlink: join a multicast group, given by its number.
    JoinGroup,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_ADD_MEMBERSHIP,
    u32
);
sockopt_impl!(
    /// Netlink: leave a multicast group, given by its number.
    LeaveGroup,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_DROP_MEMBERSHIP,
    u32
);
sockopt_impl!(
    /// IPv6 raw sockets: the offset of the checksum, which the kernel writes and checks (`vrrp:C-3`).
    ChecksumAt,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_CHECKSUM,
    libc::c_int
);
sockopt_impl!(
    /// Bind to the interface with this index.
    BindToIndex,
    SetOnly,
    libc::SOL_SOCKET,
    SO_BINDTOIFINDEX,
    libc::c_int
);

/// Ignores the error of an option that this kernel does not know.
///
/// # Errors
/// All other errors.
pub fn if_supported(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ENOPROTOOPT) => Ok(()),
        other => other,
    }
}

/// Binds a socket to the interface with this index, so that it receives no packets of others.
///
/// # Errors
/// `ENODEV` or `ENXIO` when no interface has that index; `EPERM` without `CAP_NET_RAW`.
pub fn bind_to_interface(socket: &impl AsFd, index: u32) -> io::Result<()> {
    let number = libc::c_int::try_from(index).map_err(|_| Errno::ENODEV)?;
    match setsockopt(socket, BindToIndex, &number) {
        // Linux before 5.1 accepts only a name.
        Err(Errno::ENOPROTOOPT) => {
            let name = if_indextoname(index)?;
            let name = std::ffi::OsString::from(name.to_string_lossy().into_owned());
            Ok(setsockopt(socket, BindToDevice, &name)?)
        }
        other => Ok(other?),
    }
}
