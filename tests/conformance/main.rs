//! c

mod purity;
