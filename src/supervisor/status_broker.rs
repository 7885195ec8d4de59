//! Where all who want to know the status at the same time share one question to a child.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Receiver, Sender, bounded};

use super::child_link::{Link, Report};
use super::notify::Notify;
use super::timeouts::within;
use crate::system::clock;
use crate::units::Instant;

/// How long a status waits for a child.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// The questions that wait for the next report of one child.
#[derive(Debug)]
pub struct StatusBroker {
    waiting: RefCell<Vec<Sender<Rc<Report>>>>,
    asked: Notify,
}

impl StatusBroker {
    /// Without a question.
    pub fn new() -> Self {
        Self { waiting: RefCell::default(), asked: Notify::new() }
    }

    /// Asks the child whenever a client wants to know. A client that asks while a question is under way
    /// gets the answer to the next one, never an older answer.
    pub async fn serve(&self, link: impl Fn() -> Option<Rc<Link>>) {
        loop {
            self.asked.notified().await;
            let waiting = self.waiting.take();
            let report = within(REPORT_TIMEOUT, async {
                let link = link()?;
                link.ask_status().ok()?.wait().await
            });
            if let Some(report) = report.await.flatten().map(Rc::new) {
                for to in waiting {
                    // Whoever has stopped waiting does not hear it.
                    let _ = to.try_send(Rc::clone(&report));
                }
            }
        }
    }

    /// Asks what the child says now. Children that are asked together are waited for together.
    pub fn ask(&self) -> PendingReport {
        let (to, answer) = bounded(1);
        self.waiting.borrow_mut().push(to);
        self.asked.notify();
        PendingReport { answer, until: clock::now() + REPORT_TIMEOUT }
    }
}

/// A report that will come.
#[derive(Debug)]
pub struct PendingReport {
    answer: Receiver<Rc<Report>>,
    until: Instant,
}

impl PendingReport {
    /// Waits for it; `None` when the child does not answer in time.
    pub async fn wait(self) -> Option<Rc<Report>> {
        within(self.until.since(clock::now()), self.answer.recv()).await?.ok()
    }
}
