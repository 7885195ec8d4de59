//! One task that looks at all children: a look at their memory each time when one of them could be
//! overdue. As long as their loops turn, that is one timer for all of them and not a message.

use std::io;
use std::rc::Rc;

use async_io::Async;
use smol::future::or;

use super::child_link::Link;
use super::liveness::Loop;
use super::notify::Notify;
use super::scheduling;
use super::supervised::Supervised;
use crate::system::clock;
use crate::system::timer::Timer;
use crate::units::Instant;

/// Looks, for ever.
///
/// # Errors
/// There is no timer.
pub async fn watch(children: &[Rc<Supervised>], look: &Notify) -> io::Result<()> {
    let timer = Async::new_nonblocking(Timer::new()?)?;
    loop {
        let now = clock::now();
        let next = children.iter().filter_map(|child| look_at(child, now)).min();
        timer.get_ref().set(next, now)?;
        let fired = async {
            timer.readable().await?;
            timer.get_ref().fired();
            io::Result::Ok(())
        };
        let asked = async {
            look.notified().await;
            Ok(())
        };
        or(fired, asked).await?;
    }
}

/// Looks at one child; when to look again.
fn look_at(child: &Supervised, now: Instant) -> Option<Instant> {
    if child.holdings.is_outdated(now) {
        child.account.notify();
    }
    let link = child.link()?;
    if let Some(pid) = child.pid() {
        scheduling::watch(child, pid);
    }
    look_at_loop(child, &link, now)
}

fn look_at_loop(child: &Supervised, link: &Link, now: Instant) -> Option<Instant> {
    let shared = child.shared()?;
    let seen = Loop { turns: shared.beats(), due: shared.due(now) };
    link.look(now, seen, child.period(), child.holdings.is_held())
}
