//! The tests themselves: with the same program on both sides, what they expect of two routers
//! comes true.

use crate::scenarios;
use crate::settings::Profile;
use crate::speaker::Maker::{Frr, Keepalived};

#[test]
fn keepalived_and_keepalived() {
    scenarios::dies_and_returns(Profile::V3Ipv4, Keepalived, Keepalived);
}

#[test]
fn frr_and_frr() {
    scenarios::dies_and_returns(Profile::V3Ipv6, Frr, Frr);
}
