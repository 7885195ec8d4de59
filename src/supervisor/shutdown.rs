//! The end of a daemon: children hand over and end, or stay for the next program.

use std::rc::Rc;
use std::time::Duration;

use smol::future::or;

use super::daemon::Daemon;
use super::signals::{Asked, Signals};
use super::timeouts::{patience, within};
use super::upgrade_plan::Plan;
use crate::control::child_messages::ToChild;
use crate::control::record::Level;

/// Added to the time that stopping may take by the protocol.
const STOP_MARGIN: Duration = Duration::from_secs(2);
/// How long the end of killed children, and the removal of what they held, is waited for.
const KILL_TIMEOUT: Duration = Duration::from_secs(3);

/// Before another program goes on: whether the children that survive this can stay until it does.
/// The others end, and leave everything as it is.
pub async fn make_room(daemon: &Daemon, plan: &Plan) -> bool {
    let (program, version) = (plan.program.display(), &plan.version);
    daemon.note(Level::Notice, format!("{program} (steadfast {version}) takes over"));
    if !plan.seamless {
        let text = "it does not understand what this one leaves: addresses are handed over first";
        daemon.note(Level::Notice, text);
        return false;
    }
    for child in daemon.children.iter().filter(|child| child.role.survives_upgrade) {
        // One that waits to be started is started by the next program.
        let Some(link) = child.link() else { continue };
        if !link.quiesce().await {
            let text = format!(
                "the {} process does not come to rest: addresses are handed over first",
                child.role.name
            );
            daemon.note(Level::Warning, text);
            return false;
        }
    }
    for child in daemon.children.iter().filter(|child| !child.role.survives_upgrade) {
        let Some(process) = child.take_child() else { continue };
        child.say(ToChild::Leave);
        if within(KILL_TIMEOUT, process.ended()).await.is_none() {
            process.kill();
        }
    }
    true
}

/// Lets the children hand over and end. After a second signal nobody waits for them: they hand over
/// and end by themselves, since their connection does. One that takes longer than its protocol is
/// killed.
pub async fn stop(
    daemon: &Rc<Daemon>,
    keepers: Vec<smol::Task<()>>,
    signals: &Signals,
    goes_on: bool,
) {
    daemon.note(Level::Notice, "stopping: addresses are handed over");
    daemon.common.stopping.begun.happen();
    let longest =
        daemon.children.iter().map(|child| (child.role.stop_time)(&daemon.configuration.model()));
    let limit = patience(longest.max().unwrap_or_default() + STOP_MARGIN);
    if !goes_on {
        daemon.sd_notify.stopping(&daemon.log, limit + KILL_TIMEOUT + STOP_MARGIN);
    }
    let running = || daemon.children.iter().filter_map(|child| child.link());
    let told = running().fold(true, |told, link| told & link.say(ToChild::Stop).is_ok());
    let mut all = std::pin::pin!(async {
        for keeper in keepers {
            keeper.await;
        }
    });
    let ended = async {
        all.as_mut().await;
        None
    };
    let hurry = async {
        loop {
            match signals.next().await {
                Ok(Asked::Stop) => return Some(Cut::Hurry),
                Ok(Asked::Reload | Asked::Dump | Asked::Statistics) => {}
                Err(_) => std::future::pending().await,
            }
        }
    };
    let cut = match told {
        true => within(limit, or(ended, hurry)).await.unwrap_or(Some(Cut::Late)),
        false => Some(Cut::Late),
    };
    match cut {
        None => {}
        Some(Cut::Hurry) => {
            let names: Vec<&str> = daemon
                .children
                .iter()
                .filter(|child| child.link().is_some())
                .map(|child| child.role.name)
                .collect();
            let names = names.join(", the ");
            daemon.note(
                Level::Warning,
                format!("stopping at once: the {names} process ends by itself"),
            );
        }
        Some(Cut::Late) => {
            daemon.common.stopping.in_a_hurry.set(true);
            for child in &daemon.children {
                if let Some(link) = child.link() {
                    let text =
                        format!("the {} process took too long to hand over", child.role.name);
                    daemon.note(Level::Error, text);
                    link.condemn();
                }
            }
            within(KILL_TIMEOUT, all).await;
        }
    }
    if !goes_on {
        daemon.note(Level::Notice, "stopped");
    }
}

/// Why the end is not waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    /// A second signal.
    Hurry,
    /// A child takes too long.
    Late,
}
