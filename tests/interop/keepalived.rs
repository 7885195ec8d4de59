//! keepalived and ours, each as master and as backup.

use crate::scenarios;
use crate::settings::Profile;
use crate::speaker::Maker::{Keepalived, Steadfast};

/// All that is the same in every version and family.
macro_rules! with_keepalived {
    ($module:ident, $profile:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn keepalived_dies_and_returns() {
                scenarios::dies_and_returns($profile, Keepalived, Steadfast);
            }

            #[test]
            fn steadfast_dies_and_returns() {
                scenarios::dies_and_returns($profile, Steadfast, Keepalived);
            }

            #[test]
            fn keepalived_is_left_alone() {
                scenarios::stays_backup($profile, Steadfast, Keepalived);
            }

            #[test]
            fn steadfast_is_left_alone() {
                scenarios::stays_backup($profile, Keepalived, Steadfast);
            }

            #[test]
            fn keepalived_has_the_higher_address() {
                scenarios::higher_address_wins($profile, Steadfast, Keepalived);
            }

            #[test]
            fn steadfast_has_the_higher_address() {
                scenarios::higher_address_wins($profile, Keepalived, Steadfast);
            }

            #[test]
            fn keepalived_stops() {
                scenarios::stops($profile, Keepalived, Steadfast);
            }

            #[test]
            fn steadfast_stops() {
                scenarios::stops($profile, Steadfast, Keepalived);
            }
        }
    };
}

with_keepalived!(v2, Profile::V2);
with_keepalived!(v3_ipv4, Profile::V3Ipv4);
with_keepalived!(v3_ipv6, Profile::V3Ipv6);

#[test]
fn steadfast_learns_the_interval_ipv4() {
    scenarios::learns_the_interval(Profile::V3Ipv4, Keepalived, Steadfast);
}

#[test]
fn steadfast_learns_the_interval_ipv6() {
    scenarios::learns_the_interval(Profile::V3Ipv6, Keepalived, Steadfast);
}

#[test]
fn keepalived_learns_the_interval_ipv4() {
    scenarios::learns_the_interval(Profile::V3Ipv4, Steadfast, Keepalived);
}

#[test]
fn keepalived_learns_the_interval_ipv6() {
    scenarios::learns_the_interval(Profile::V3Ipv6, Steadfast, Keepalived);
}

#[test]
fn password_keepalived_dies_and_returns() {
    scenarios::dies_and_returns_with_password(Keepalived, Steadfast);
}

#[test]
fn password_steadfast_dies_and_returns() {
    scenarios::dies_and_returns_with_password(Steadfast, Keepalived);
}

#[test]
fn another_password_is_another_pair() {
    scenarios::other_password();
}
