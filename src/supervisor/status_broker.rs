//! Where all who want to know the status at the same time share one question to a child.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Sender, bounded};

use super::child_link::Report;
use super::notify::Notify;
use super::supervised::Supervised;
use super::timeouts::within;

/// How long a status waits for a child.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// The questions that wait for the next report.
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

    /// Asks a child whenever somebody wants to know, for ever: whoever comes while a question is on
    /// its way gets the answer to the next one, never an older one.
    pub async fn serve(&self, child: &Supervised) {
        loop {
            self.asked.notified().await;
            let waiting = self.waiting.take();
            let report = within(REPORT_TIMEOUT, async {
                let link = child.link()?;
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

    /// What the child says now; `None` when it does not answer in time.
    pub async fn report(&self) -> Option<Rc<Report>> {
        let (to, answer) = bounded(1);
        self.waiting.borrow_mut().push(to);
        self.asked.notify();
        within(REPORT_TIMEOUT, answer.recv()).await?.ok()
    }
}
