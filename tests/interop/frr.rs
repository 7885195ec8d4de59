//! FRR and ours, each as master and as backup. FRR has version 3 in both families.

use crate::scenarios;
use crate::settings::Profile;
use crate::speaker::Maker::{Frr, Steadfast};

/// All that is the same in both families.
macro_rules! with_frr {
    ($module:ident, $profile:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn frr_dies_and_returns() {
                scenarios::dies_and_returns($profile, Frr, Steadfast);
            }

            #[test]
            fn steadfast_dies_and_returns() {
                scenarios::dies_and_returns($profile, Steadfast, Frr);
            }

            #[test]
            fn frr_is_left_alone() {
                scenarios::stays_backup($profile, Steadfast, Frr);
            }

            #[test]
            fn frr_has_the_higher_address() {
                scenarios::higher_address_wins($profile, Steadfast, Frr);
            }

            #[test]
            fn steadfast_has_the_higher_address() {
                scenarios::higher_address_wins($profile, Frr, Steadfast);
            }

            #[test]
            fn frr_stops() {
                scenarios::stops($profile, Frr, Steadfast);
            }

            #[test]
            fn steadfast_stops() {
                scenarios::stops($profile, Steadfast, Frr);
            }
        }
    };
}

with_frr!(ipv4, Profile::V3Ipv4);
with_frr!(ipv6, Profile::V3Ipv6);
