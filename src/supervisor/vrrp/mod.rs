//! What only VRRP needs in the supervisor: what its process has installed in the kernel, and who
//! removes it when the process is gone (architecture.md, "When a process ends").
//!
//! | module | for |
//! |---|---|
//! | [`installed`] | what is in the kernel: in memory, and in a file for the case that everything dies |
//! | `withdraw` | the removal when nobody resumes in time |
//! | `sweep` | the requests to the kernel for that |
//! | `orphan_adoption` | going on with what a killed supervisor has left |
//! | `claims` | one daemon for each virtual router |

pub mod claims;
mod holdings;
pub mod installed;
mod orphan_adoption;
mod sweep;
mod withdraw;

use std::time::Duration;

pub use holdings::Holdings;
pub use orphan_adoption::take_over as orphan_memory;

use crate::config::model::Model;

/// How often the loop of a process has to turn that holds addresses, when the configuration says
/// nothing else and no interval is shorter.
const PERIOD: Duration = Duration::from_secs(1);
/// The shortest period.
const SHORTEST_PERIOD: Duration = Duration::from_millis(50);

/// How often the loop of the process has to turn: as configured, or once a second, or twice in the
/// shortest advertisement interval if that is less.
pub fn period(model: &Model) -> Duration {
    let shortest =
        model.instances.iter().map(|instance| instance.settings.interval.duration() / 2).min();
    let usual = shortest.map_or(PERIOD, |half| half.clamp(SHORTEST_PERIOD, PERIOD));
    model.global.hello_interval.unwrap_or(usual)
}

/// The longest time that another router may take to notice that this one is gone.
pub fn longest_down_interval(model: &Model) -> Duration {
    let down = model.instances.iter().map(|instance| {
        // The skew is less than one interval more.
        instance.settings.interval.duration()
            * (u32::from(instance.settings.down_timer_adverts) + 1)
    });
    down.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_follows_the_shortest_interval() {
        let model = |global: &str, interval: &str| {
            let text = format!(
                "[global]\n{global}\n[vrrp.instance.a]\ninterface = \"eth0\"\n\
                 virtual_router_id = 1\nversion = 3\nvirtual_addresses = [\"10.0.0.1/24\"]\n\
                 advertisement_interval = \"{interval}\"\n"
            );
            crate::config::parse(&text, None).model.unwrap()
        };
        let millis = |global, interval| period(&model(global, interval)).as_millis();
        assert_eq!(millis("", "10s"), 1_000);
        assert_eq!(millis("", "1s"), 500);
        assert_eq!(millis("", "50ms"), 50);
        assert_eq!(millis("hello_interval = \"200ms\"", "1s"), 200);
        assert_eq!(period(&Model::default()), PERIOD);
    }
}
