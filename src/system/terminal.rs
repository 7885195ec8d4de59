//! The terminal that a person looks at.

use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// How many lines it shows; `None` when it is no terminal or does not say.
pub fn rows(terminal: &impl AsFd) -> Option<u16> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open as long as it is borrowed, and the kernel writes one
    // `winsize` to a place that holds one.
    let result =
        unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_row > 0).then_some(size.ws_row)
}
