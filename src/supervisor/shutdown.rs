//! The end of a daemon: children hand over and end, or stay for the next program.

use std::rc::Rc;
use std::time::Duration;

use smol::future::or;

use super::daemon::Daemon;
use super::signals::{Asked, Signals};
use super::timeouts::{end_timeout, within};
use super::upgrade_plan::Plan;
use crate::control::child_messages::ToChild;
use crate::control::event::{DaemonEvent, Level, What};

/// Added to the time that stopping may take by the protocol.
const STOP_MARGIN: Duration = Duration::from_secs(2);
/// How long the end of killed children, and the removal of what they held, is waited for.
const KILL_TIMEOUT: Duration = Duration::from_secs(3);

/// Before another program goes on: whether the children that survive this can stay until it does.
pub async fn make_room(daemon: &Daemon, plan: &Plan) -> bool {
    let (program, version) = (plan.program.display().to_string(), &*plan.version);
    let upgrade = DaemonEvent::Upgrade { program: program.into(), version: version.into() };
    daemon.log.tell(What::Daemon(upgrade));
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
    true
}

/// Lets the processes end that do not survive an upgrade; they leave everything as it is. The others
/// are left to the next program.
pub async fn leave(daemon: &Daemon, tasks: Vec<smol::Task<()>>) {
    let all = daemon.children.iter().zip(tasks);
    let (stay, leave): (Vec<_>, Vec<_>) = all.partition(|(child, _)| child.role.survives_upgrade);
    for (child, task) in leave {
        child.leaves.happen();
        child.say(ToChild::Leave);
        let mut task = std::pin::pin!(task);
        if within(KILL_TIMEOUT, task.as_mut()).await.is_none()
            && let Some(link) = child.link()
        {
            link.condemn();
            task.await;
        }
    }
    // Last, since nobody watches them from here on.
    for (_, task) in stay {
        task.cancel().await;
    }
}

/// Lets the children hand over and end. A second signal, or `stop --now`, gives up at once what
/// nobody has taken over yet. A child that takes longer than its protocol is killed.
pub async fn stop(
    daemon: &Rc<Daemon>,
    tasks: Vec<smol::Task<()>>,
    signals: &Signals,
    goes_on: bool,
) {
    let stop_time = {
        let model = daemon.configuration.model();
        let times = daemon.children.iter().map(|child| (child.role.stop_time)(&model));
        times.max().unwrap_or_default()
    };
    daemon.log.tell(What::Daemon(DaemonEvent::Stopping { within: stop_time }));
    daemon.common.stopping.begun.happen();
    let limit = end_timeout(stop_time + STOP_MARGIN);
    if !goes_on {
        daemon.sd_notify.stopping(&daemon.log, limit + KILL_TIMEOUT + STOP_MARGIN);
    }
    let told = say(daemon, &ToChild::Stop);
    let mut all = std::pin::pin!(async {
        for task in tasks {
            task.await;
        }
    });
    let hurried = async {
        let hurry = or(second_signal(signals), daemon.stop_now.notified());
        hurry.await;
        daemon.note(Level::Warning, "stopping at once: what nobody has taken over is given up");
        say(daemon, &ToChild::StopNow);
        std::future::pending().await
    };
    let ended = told && within(limit, or(all.as_mut(), hurried)).await.is_some();
    if !ended {
        daemon.common.stopping.in_a_hurry.set(true);
        for child in &daemon.children {
            if let Some(link) = child.link() {
                let text = format!("the {} process took too long to hand over", child.role.name);
                daemon.note(Level::Error, text);
                link.condemn();
            }
        }
        within(KILL_TIMEOUT, all).await;
    }
    if !goes_on {
        daemon.log.tell(What::Daemon(DaemonEvent::Stopped));
    }
}

/// Tells all children; whether they take it.
fn say(daemon: &Daemon, message: &ToChild) -> bool {
    let running = daemon.children.iter().filter_map(|child| child.link());
    running.fold(true, |told, link| told & link.say(message.clone()).is_ok())
}

/// Waits for another signal that asks for the end.
async fn second_signal(signals: &Signals) {
    loop {
        match signals.next().await {
            Ok(Asked::Stop) => return,
            Ok(Asked::Reload | Asked::Dump | Asked::Statistics) => {}
            Err(_) => std::future::pending().await,
        }
    }
}
