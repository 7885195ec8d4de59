//! Validation of received packets, in the order of section 4 of the rules.

/// Why a packet is not counted, or is counted with a remark. In the order in which the tests are
/// made (`vrrp:V-20` to `V-41`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Reject {
    /// Too short for a header (V-21).
    TooShort,
}
