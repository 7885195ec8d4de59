//! What is said to a running child, and what it answers.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use async_io::Async;
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::io::AsyncWriteExt;

use super::liveness::{Liveness, Look, Loop, Work};
use super::notify::Once;
use super::ready;
use super::timeouts::within;
use crate::control::child_messages::{FromChild, Ticket, ToChild};
use crate::control::frame::{self, Decoder};
use crate::control::status::{Heap, InstanceStatus, ProcessReport};
use crate::sorted::Map;
use crate::system::clock;
use crate::units::Instant;

/// Messages that wait for a child at most. One that reads has read them long before.
const MAX_WAITING_MESSAGES: usize = 64;
/// Octets that are read at once.
const READ_OCTETS: usize = 16 * 1024;
/// How long everything may take to be answered before another program goes on.
const QUIESCE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often is looked whether it is.
const QUIESCE_POLL_PERIOD: Duration = Duration::from_millis(5);

/// What a child says about everything.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Each instance.
    pub instances: Vec<InstanceStatus>,
    /// The process.
    pub process: ProcessReport,
    /// What it counted of its memory.
    pub heap: Option<Heap>,
}

/// A child does not take any more messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// A question that has no answer yet.
#[derive(Debug)]
enum Question {
    Status { instances: Vec<InstanceStatus>, to: Sender<Report> },
    Command(Sender<Result<String, String>>),
}

/// The supervisor's end of the connection to one child.
#[derive(Debug)]
pub struct Link {
    messages: Sender<ToChild>,
    outgoing: Receiver<ToChild>,
    questions: RefCell<Map<Ticket, Question>>,
    last: Cell<u32>,
    waiting_for_applied: RefCell<Vec<(u32, Sender<()>)>>,
    liveness: Cell<Liveness>,
    /// Happens when it has answered for the first time: it has read the configuration then.
    met: Once,
    /// How long it was silent when it was given up.
    hung: Cell<Option<Duration>>,
    applied: Cell<Option<u32>>,
    stopped: Cell<bool>,
    left: Cell<bool>,
    /// Nothing is said any more, since another program goes on.
    quiet: Cell<bool>,
    /// A message is on its way out.
    writing: Cell<bool>,
    /// What has come of a message.
    decoder: RefCell<Decoder>,
    /// Nobody waits for this child any more, or it is hung.
    given_up: Once,
}

impl Link {
    /// To a child that was told nothing yet.
    pub fn new() -> Self {
        let (messages, outgoing) = bounded(MAX_WAITING_MESSAGES);
        Self {
            messages,
            outgoing,
            questions: RefCell::default(),
            last: Cell::new(0),
            waiting_for_applied: RefCell::default(),
            liveness: Cell::default(),
            met: Once::new(),
            hung: Cell::new(None),
            applied: Cell::new(None),
            stopped: Cell::new(false),
            left: Cell::new(false),
            quiet: Cell::new(false),
            writing: Cell::new(false),
            decoder: RefCell::default(),
            given_up: Once::new(),
        }
    }

    /// Puts a message in the queue.
    ///
    /// # Errors
    /// The child has not read for so long that the queue is full.
    pub fn say(&self, message: ToChild) -> Result<(), Busy> {
        if self.quiet.get() {
            return Err(Busy);
        }
        self.messages.try_send(message).map_err(|_| Busy)
    }

    /// Nobody waits for this child any more.
    pub fn condemn(&self) {
        self.given_up.happen();
    }

    /// Says nothing any more, and waits until everything is answered and nothing is on its way, so
    /// that another program can go on from here. `false`: that takes too long, and all is as before.
    pub async fn quiesce(&self) -> bool {
        self.quiet.set(true);
        let quiet = async {
            while !self.is_quiet() {
                Timer::after(QUIESCE_POLL_PERIOD).await;
            }
        };
        let is_quiet = within(QUIESCE_TIMEOUT, quiet).await.is_some();
        // Otherwise there are things to say to it yet.
        self.quiet.set(is_quiet);
        is_quiet
    }

    fn is_quiet(&self) -> bool {
        self.outgoing.is_empty()
            && self.questions.borrow().is_empty()
            && self.waiting_for_applied.borrow().is_empty()
            && self.liveness.get().is_answered()
            && !self.writing.get()
            && self.decoder.borrow().is_empty()
    }

    /// Waits until nobody waits for it any more; for how long it was silent, if that is why.
    pub async fn given_up(&self) -> Option<Duration> {
        self.given_up.wait().await;
        self.hung.get()
    }

    /// Gives the child a configuration, or what is different from the one of `base`, which it
    /// [follows](Link::follows). The receiver hears when it is in effect, or that the child is
    /// gone.
    ///
    /// # Errors
    /// As [`Link::say`].
    pub fn configure(
        &self,
        generation: u32,
        base: Option<u32>,
        body: Vec<u8>,
    ) -> Result<Receiver<()>, Busy> {
        self.say(ToChild::Configuration { generation, base, body })?;
        let (to, applied) = bounded(1);
        self.waiting_for_applied.borrow_mut().push((generation, to));
        Ok(applied)
    }

    /// Whether the child works with this configuration, and was told no other one.
    pub fn follows(&self, generation: u32) -> bool {
        self.applied.get() == Some(generation) && self.waiting_for_applied.borrow().is_empty()
    }

    /// Asks about everything.
    ///
    /// # Errors
    /// As [`Link::say`].
    pub fn ask_status(&self) -> Result<Answer<'_, Report>, Busy> {
        let (to, answer) = bounded(1);
        let ticket = self.ticket();
        self.say(ToChild::Status { ticket })?;
        let question = Question::Status { instances: Vec::new(), to };
        self.questions.borrow_mut().insert(ticket, question);
        Ok(Answer { link: self, ticket, answer })
    }

    /// Gives a command that is answered in words.
    ///
    /// # Errors
    /// As [`Link::say`].
    pub fn command(
        &self,
        message: impl FnOnce(Ticket) -> ToChild,
    ) -> Result<Answer<'_, Result<String, String>>, Busy> {
        let (to, answer) = bounded(1);
        let ticket = self.ticket();
        self.say(message(ticket))?;
        self.questions.borrow_mut().insert(ticket, Question::Command(to));
        Ok(Answer { link: self, ticket, answer })
    }

    /// Looks whether it works, and asks it when its loop stands still. `None`: nothing is said any
    /// more. `holds`: it holds something.
    pub fn look(&self, now: Instant, seen: Loop, period: Duration, holds: bool) -> Option<Look> {
        let is_settled =
            self.applied.get().is_some() && self.waiting_for_applied.borrow().is_empty();
        let work = match (is_settled, holds) {
            (false, _) => Work::Configuring,
            (true, true) => Work::Holding,
            (true, false) => Work::Waiting,
        };
        let mut liveness = self.liveness.get();
        let look = liveness.look(now, seen, period, work);
        match look {
            Look::Works(_) | Look::Again(_) => {}
            // It would not be asked, and so never answer.
            Look::Ask(..) if self.quiet.get() => return None,
            // A question that does not fit in the queue stays without an answer.
            Look::Ask(number, _) => drop(self.say(ToChild::Hello { number })),
            Look::Hung(silent) => {
                self.hung.set(Some(silent));
                self.given_up.happen();
            }
        }
        self.liveness.set(liveness);
        Some(look)
    }

    /// The last configuration that it has taken over.
    pub fn applied(&self) -> Option<u32> {
        self.applied.get()
    }

    /// For how long it has not answered, when that is too long.
    pub fn silent(&self) -> Option<Duration> {
        self.liveness.get().silent(clock::now())
    }

    /// Waits until it has answered for the first time: it has read the configuration then.
    pub async fn met(&self) {
        self.met.wait().await;
    }

    /// Whether it has ended so that another one resumes.
    pub fn has_left(&self) -> bool {
        self.left.get()
    }

    /// Whether it has said that all is handed over.
    pub fn has_stopped(&self) -> bool {
        self.stopped.get()
    }

    fn ticket(&self) -> Ticket {
        self.last.set(self.last.get().wrapping_add(1));
        Ticket(self.last.get())
    }

    /// Sends what is put in the queue, until it ends or the child hangs up.
    pub async fn send(&self, stream: &Async<UnixStream>) -> io::Result<()> {
        let mut octets = Vec::new();
        while let Ok(message) = self.outgoing.recv().await {
            self.writing.set(true);
            octets.clear();
            frame::encode(&message, &mut octets).map_err(io::Error::other)?;
            let mut stream = stream;
            stream.write_all(&octets).await?;
            self.writing.set(false);
        }
        Ok(())
    }

    /// Takes what the child says, until it hangs up.
    pub async fn receive(&self, stream: &Async<UnixStream>) -> io::Result<()> {
        let mut chunk = vec![0; READ_OCTETS];
        loop {
            let len = ready::read(stream, |mut stream| stream.read(&mut chunk)).await?;
            if len == 0 {
                return Ok(());
            }
            self.push(chunk.get(..len).unwrap_or_default())?;
        }
    }

    /// Takes what a child has said that has ended.
    pub fn receive_rest(&self, mut stream: &UnixStream) {
        let mut chunk = vec![0; READ_OCTETS];
        while let Ok(len @ 1..) = stream.read(&mut chunk) {
            if self.push(chunk.get(..len).unwrap_or_default()).is_err() {
                return;
            }
        }
    }

    fn push(&self, octets: &[u8]) -> io::Result<()> {
        let mut decoder = self.decoder.borrow_mut();
        decoder.push(octets);
        while let Some(message) = decoder.message().map_err(io::Error::other)? {
            self.take(message);
        }
        Ok(())
    }

    /// Takes a message. Whoever has stopped waiting for it does not hear it.
    fn take(&self, message: FromChild) {
        let mut questions = self.questions.borrow_mut();
        match message {
            FromChild::Hello { number } => {
                let mut liveness = self.liveness.get();
                liveness.answered(number);
                self.liveness.set(liveness);
                self.met.happen();
            }
            FromChild::Applied { generation } => {
                self.applied.set(Some(generation));
                // A later configuration has taken the place of those before it.
                self.waiting_for_applied.borrow_mut().retain(|(waiting, to)| {
                    let done = *waiting <= generation;
                    if done {
                        let _ = to.try_send(());
                    }
                    !done
                });
            }
            FromChild::Instance { ticket, status } => {
                if let Some(Question::Status { instances, .. }) = questions.get_mut(&ticket) {
                    instances.push(*status);
                }
            }
            FromChild::Process { ticket, report, heap } => {
                if let Some(Question::Status { instances, to }) = questions.remove(&ticket) {
                    let _ = to.try_send(Report { instances, process: report, heap });
                }
            }
            FromChild::Answer { ticket, result } => {
                if let Some(Question::Command(to)) = questions.remove(&ticket) {
                    let _ = to.try_send(result);
                }
            }
            FromChild::Stopped => self.stopped.set(true),
            FromChild::Leaving => self.left.set(true),
        }
    }

    /// The child is gone: nobody has to wait for an answer any more.
    pub fn end(&self) {
        self.messages.close();
        self.questions.borrow_mut().clear();
        self.waiting_for_applied.borrow_mut().clear();
    }
}

/// An answer that will come. Dropping it forgets the question.
#[derive(Debug)]
pub struct Answer<'a, T> {
    link: &'a Link,
    ticket: Ticket,
    answer: Receiver<T>,
}

impl<T> Answer<'_, T> {
    /// Waits for it; `None` when the child is gone.
    pub async fn wait(&self) -> Option<T> {
        self.answer.recv().await.ok()
    }
}

impl<T> Drop for Answer<'_, T> {
    fn drop(&mut self) {
        self.link.questions.borrow_mut().remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use smol::future::or;

    use super::*;

    #[test]
    fn parts_come_together_and_late_ones_go_nowhere() {
        let link = Link::new();
        let answer = link.ask_status().unwrap();
        let Ok(ToChild::Status { ticket }) = link.outgoing.try_recv() else { panic!() };
        let said = ProcessReport { records_lost: 7, ..ProcessReport::default() };
        let heap = Heap { live: 1, peak: 2, blocks: 3, allocations: 4 };
        for (ticket, heap) in [(Ticket(99), None), (ticket, Some(heap))] {
            link.take(FromChild::Process { ticket, report: said.clone(), heap });
        }
        let report = async_io::block_on(answer.wait()).unwrap();
        assert_eq!(report, Report { instances: Vec::new(), process: said, heap: Some(heap) });
        drop(answer);
        drop(link.ask_status().unwrap());
        assert!(link.questions.borrow().is_empty());
    }

    #[test]
    fn a_later_configuration_answers_for_those_before() {
        let link = Link::new();
        let waiting: Vec<_> =
            (1..4).map(|n| link.configure(n, None, Vec::new()).unwrap()).collect();
        link.take(FromChild::Applied { generation: 2 });
        let done: Vec<bool> = waiting.iter().map(|applied| applied.try_recv().is_ok()).collect();
        assert_eq!(done, [true, true, false]);
        link.end();
        assert!(async_io::block_on(waiting[2].recv()).is_err());
    }

    #[test]
    fn who_does_not_come_to_rest_can_still_be_told_to_stop() {
        let link = Link::new();
        let question = link.ask_status().unwrap();
        assert!(!async_io::block_on(link.quiesce()));
        link.say(ToChild::Stop).unwrap();
        drop(question);
        while link.outgoing.try_recv().is_ok() {}
        let hello = async {
            let seen = Loop { turns: 0, due: Instant::ORIGIN };
            assert_eq!(link.look(clock::now(), seen, Duration::from_secs(1), true), None);
            std::future::pending().await
        };
        assert!(async_io::block_on(or(link.quiesce(), hello)));
        assert_eq!(link.say(ToChild::Stop), Err(Busy));
    }

    #[test]
    fn a_child_that_does_not_read_takes_no_memory() {
        let link = Link::new();
        let taken =
            (0..1_000).filter(|number| link.say(ToChild::Hello { number: *number }).is_ok());
        assert_eq!(taken.count(), MAX_WAITING_MESSAGES);
        assert!(link.ask_status().is_err());
        assert!(link.questions.borrow().is_empty());
    }
}
