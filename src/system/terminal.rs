//! The terminal that a person looks at.

use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// How much text a terminal shows at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// How much it shows; `None` when it is no terminal or does not say.
pub fn size(terminal: &impl AsFd) -> Option<Size> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open as long as it is borrowed, and the kernel writes one
    // `winsize` to a place that holds one.
    let result =
        unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    let known = result == 0 && size.ws_row > 0 && size.ws_col > 0;
    known.then_some(Size { rows: size.ws_row, columns: size.ws_col })
}
