//! Keeps the process of a role running: starts it, attends to it, and starts it again.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use async_io::Async;
use nix::sys::socket::{MsgFlags, recv};
use smol::Timer;
use smol::channel::{Receiver, bounded};
use smol::future::{or, pending, yield_now, zip};

use super::backoff::{BackOff, Next};
use super::child_link::Link;
use super::child_process::Child;
use super::crash::Crash;
use super::supervised::Supervised;
use super::timeouts::{end_timeout, within};
use super::{ready, role_lock, scheduling};
use crate::control::child_messages::ToChild;
use crate::control::event::{DaemonEvent, Event, Kind, Level, MAX_EVENT_OCTETS, What};
use crate::control::humanize::decimals;
use crate::system::{clock, limits};

/// How long a child may take to end after its connection has, beside what its protocol takes.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How long what an ended child has left behind is read.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// So many times as long as an account of the kernel takes, none is made.
const ACCOUNT_PAUSE_FACTOR: u32 = 9;
/// Events that are taken before others have their turn.
const EVENTS_PER_TURN: usize = 64;
/// Octets of a line on a child's standard error that are logged.
const MAX_LINE_OCTETS: usize = 1_024;

/// Why nobody talks to a child any more.
enum Over {
    /// It has not answered for so long.
    Hung(Duration),
    /// It hung up, or what it said makes no sense.
    Hangup(String),
    /// Nobody waits for it any more.
    Condemned,
}

/// Keeps a process of the role running as long as the configuration needs one, until the daemon
/// stops. `first` hears how the first start went.
pub async fn keep(child: Rc<Supervised>, first: impl Fn(Result<(), String>)) {
    while !child.is_stopping() && !child.leaves.has_happened() {
        if child.is_needed() || child.former.borrow().is_some() {
            keep_needed(&child, &first).await;
        } else {
            first(Ok(()));
            let ends = or(child.common.stopping.begun.wait(), child.leaves.wait());
            or(ends, child.reloaded.notified()).await;
        }
    }
}

/// The same, while it is needed.
async fn keep_needed(child: &Supervised, first: &impl Fn(Result<(), String>)) {
    let name = child.role.name;
    let mut back_off = BackOff::default();
    let mut cleaned = false;
    let mut former = child.former.take();
    let mut stand_back = false;
    loop {
        let began = clock::now();
        let mut crash = run(child, former.take(), stand_back, first).await;
        first(Err(crash.end.clone()));
        child.holdings.update();
        let now = clock::now();
        let resumable = child.holdings.is_resumable(now);
        let Next { wait, ends, hand_over } = back_off.after(now, now.since(began), resumable);
        let standing = child.holdings.stand_back().filter(|_| hand_over);
        (crash.ends, crash.handed_over) = (ends, standing.is_some());
        stand_back = standing.is_some();
        let link = child.forget_process();
        let has_stopped = link.is_some_and(|link| link.has_stopped() || link.has_left());
        if has_stopped || child.leaves.has_happened() {
            child.context.note(Level::Info, crash.end);
            return;
        }
        child.history(|history| history.crash = Some(crash.clone()));
        if child.is_stopping() {
            if give_up(child, &crash.end, &mut cleaned).await {
                continue;
            }
            return;
        }
        let (role, how) = (name.into(), crash.to_string().into());
        let ended = DaemonEvent::ProcessEnded { role, how, restart_in: wait };
        child.context.log.tell(What::Daemon(ended));
        if let Some((_, time)) = standing {
            let text = format!(
                "the {name} process ended {ends} times within a minute: its addresses are handed \
                 over, and it stays backup for {} s after its start",
                time.as_secs()
            );
            child.context.note(Level::Error, text);
        }
        for line in crash.unlogged(child.context.log.level()) {
            child.context.note(Level::Error, format!("it had said: {line}"));
        }
        child.set_starts_at(Some(clock::now() + wait));
        let stops = child.common.stopping.begun.wait();
        within(wait, or(stops, child.holdings.remove_when_due())).await;
        child.set_starts_at(None);
        if child.is_stopping() && !give_up(child, &crash.end, &mut cleaned).await {
            return;
        }
        if !child.is_needed() && !child.is_stopping() {
            return;
        }
        child.history(|history| history.restarts += 1);
    }
}

/// Whether to start the process once more, although all is to end: the one before held addresses,
/// and nobody else hands them over. The second time they are just removed.
async fn give_up(child: &Supervised, end: &str, cleaned: &mut bool) -> bool {
    let held = child.holdings.is_held();
    let in_a_hurry = child.common.stopping.in_a_hurry.get();
    let again = held && !in_a_hurry && !std::mem::replace(cleaned, true);
    let then = match (held, again) {
        (false, _) => "",
        (true, true) => "; it is started once more to hand its addresses over",
        (true, false) => "; its addresses are removed",
    };
    child.context.note(Level::Error, format!("{end} before it had handed over{then}"));
    if held && !again {
        child.holdings.remove_all().await;
    }
    again
}

/// Lets a process of the program before this one make room for its successor, as soon as that has
/// answered or ended. Until then it works, and should this process be killed, it hands over.
async fn make_room(child: &Supervised, former: Child, successor: Option<(&Link, &Receiver<()>)>) {
    let (name, pid) = (child.role.name, former.pid());
    let former = Rc::new(former);
    let link = Rc::new(Link::new());
    let leave = async {
        if let Some((link, ended)) = successor {
            let ended = async {
                let _ = ended.recv().await;
            };
            within(END_TIMEOUT, or(link.met(), ended)).await;
        }
        let text = format!("{name} process {pid} makes room for its successor");
        child.context.note(Level::Notice, text);
        // Nothing was said before, so there is room.
        let _ = link.say(ToChild::Leave);
        Timer::after(END_TIMEOUT).await;
        link.condemn();
        pending().await
    };
    let end = or(attend(child, &former, &link, pending()), leave).await;
    let level = if link.has_left() { Level::Info } else { Level::Error };
    child.context.note(level, format!("{name} process {pid} {end}"));
    link.end();
}

/// One life of the process; how it ended. `former`: the process that has the addresses, and leaves
/// when this one can take its place. `stand_back`: it hands over what it resumes, and stays backup.
async fn run(
    child: &Supervised,
    mut former: Option<Child>,
    stand_back: bool,
    first: &impl Fn(Result<(), String>),
) -> Crash {
    let (role, context) = (child.role, &child.context);
    let name = role.name;
    let cannot = |why: String| {
        Crash::not_started(clock::now(), format!("the {name} process cannot be started: {why}"))
    };
    // Whatever somebody has set; the lock takes one, too. Should it fail, there are as many as there
    // were.
    let _ = limits::raise_descriptors();
    child.holdings.set_taking_over(former.is_some());
    let shared = former.as_ref().and_then(|_| role_lock::share(child));
    let lock = match shared {
        Some(lock) => Some(lock),
        None => {
            // Nothing would keep the two apart.
            if let Some(former) = former.take() {
                make_room(child, former, None).await;
            }
            let lock = match role_lock::take(child).await {
                Ok(lock) => lock,
                Err(why) => return cannot(why),
            };
            child.holdings.before_start().await;
            lock
        }
    };
    if let Some(shared) = child.shared() {
        shared.forget_late();
    }
    let began = clock::now();
    let locks = (role.options)(&context.configuration.model()).no_swap;
    let started =
        Child::start(role, &*context.memory, &child.common.inherited, lock.as_ref(), locks);
    let process = match started {
        Ok(process) => Rc::new(process),
        Err(error) => {
            if let Some(former) = former {
                make_room(child, former, None).await;
            }
            return cannot(limits::explained(&error));
        }
    };
    let pid = process.pid();
    child.history(|history| history.events.clear());
    let started = DaemonEvent::ProcessStarted { role: name.into(), pid: pid.as_raw() };
    context.log.tell(What::Daemon(started));
    scheduling::begin(child, pid);
    let link = Rc::new(Link::new());
    child.set_running(&link, &process, began);
    let (over, ended) = bounded::<()>(1);
    let live = async {
        let end = match introduce(child, &link, stand_back) {
            Ok(applied) => {
                let confirmed = async {
                    if applied.recv().await.is_err() {
                        pending().await
                    }
                    first(Ok(()));
                };
                attend(child, &process, &link, confirmed).await
            }
            Err(error) => {
                let text = format!("the configuration cannot be sent: {error}");
                context.note(Level::Error, text);
                process.kill();
                process.ended().await.unwrap_or_else(|error| error.to_string())
            }
        };
        over.close();
        end
    };
    let succeed = async {
        let is_new = former.is_none();
        if let Some(former) = former {
            make_room(child, former, Some((&link, &ended))).await;
        }
        if let Some(lock) = lock {
            lock.give_to(pid);
        }
        if !is_new {
            child.holdings.before_start().await;
        }
    };
    let (end, ()) = zip(live, succeed).await;
    let end = format!("{name} process {pid} {end}");
    child.history(|history| Crash::new(clock::now(), end, began, &context.memory, &history.events))
}

/// All that has to do with a running child, which is `confirmed` some time; how it ended.
async fn attend(
    child: &Supervised,
    process: &Rc<Child>,
    link: &Rc<Link>,
    confirmed: impl Future<Output = ()>,
) -> String {
    let talk = or(or(link.receive(&process.link), link.send(&process.link)), async {
        let done = Cell::new(false);
        let mut confirmed = std::pin::pin!(async {
            confirmed.await;
            done.set(true);
        });
        or(confirmed.as_mut(), child.holdings.remove_when_due()).await;
        let settle = async {
            if !done.get() {
                confirmed.await;
            }
            // From now on it is looked at in another way.
            child.common.look.notify();
            scheduling::settle(child, link, process.pid()).await;
            scheduling::watch(child, process.pid()).await
        };
        or(settle, keep_account(child, link)).await
    });
    let over = or(
        async {
            match talk.await {
                Ok(()) => Over::Hangup(String::new()),
                Err(error) => Over::Hangup(format!(" ({error})")),
            }
        },
        async {
            match link.given_up().await {
                Some(silent) => Over::Hung(silent),
                None => Over::Condemned,
            }
        },
    );
    let why = RefCell::default();
    let end = or(process.ended(), async {
        *why.borrow_mut() = Some(match over.await {
            Over::Hung(time) => {
                format!("had not answered for {} s", decimals(time.as_secs_f64(), 1))
            }
            Over::Condemned => "had to end".to_owned(),
            Over::Hangup(why) => {
                // It sees the end of its stream, hands over and ends by itself.
                let _ = process.link.get_ref().shutdown(Shutdown::Both);
                let stop_time = (child.role.stop_time)(&child.context.configuration.model());
                within(end_timeout(stop_time + END_TIMEOUT), link.given_up()).await;
                format!("hung up{why} and did not end")
            }
        });
        process.kill();
        // One that the kernel does not let go of adverts no more, and its addresses are still there.
        child.holdings.remove_when_due().await;
        pending().await
    });
    let all_read = Cell::new(false);
    let mut words = std::pin::pin!(async {
        zip(events(child, &process.events), last_words(child, &process.stderr)).await;
        all_read.set(true);
    });
    let ended = or(end, async {
        words.as_mut().await;
        pending().await
    })
    .await;
    // Its last message may be that it has done what it was asked for.
    link.receive_rest(process.link.get_ref());
    if !all_read.get() {
        within(DRAIN_TIMEOUT, words).await;
    }
    match why.take() {
        Some(why) => format!("{why} and was killed"),
        None => ended.unwrap_or_else(|error| format!("ended; it is not known how: {error}")),
    }
}

/// Keeps the list of what is in the kernel up to date while the process works.
async fn keep_account(child: &Supervised, link: &Link) -> io::Result<()> {
    loop {
        if let Some(generation) = link.applied() {
            child.holdings.applied(generation);
        }
        child.holdings.remove_rest().await;
        let (began, held) = (clock::now(), child.holdings.is_held());
        child.holdings.update();
        if child.holdings.is_held() != held {
            // Its loop may be overdue for less time from now on.
            child.common.look.notify();
        }
        // With thousands of instances that takes some milliseconds, and thousands of changes of
        // state come one by one: most of the time is for others.
        let pause = clock::now().since(began) * ACCOUNT_PAUSE_FACTOR;
        let retry = async {
            match child.holdings.retry_at() {
                Some(at) => drop(Timer::after(at.since(clock::now())).await),
                None => pending().await,
            }
        };
        or(child.account.notified(), retry).await;
        Timer::after(pause).await;
    }
}

/// What a child has to be told first.
fn introduce(child: &Supervised, link: &Link, stand_back: bool) -> Result<Receiver<()>, String> {
    let current = child.context.configuration.current();
    let body = (child.role.part)(None, &current.model).map_err(|error| error.to_string())?;
    let busy = |_| "the queue is full".to_owned();
    link.say(ToChild::LogLevel(child.context.log.level_of_children())).map_err(busy)?;
    let applied = link.configure(current.generation, None, body).map_err(busy)?;
    if child.is_stopping() {
        link.say(ToChild::Stop).map_err(busy)?;
    } else if let Some((message, _)) = child.holdings.stand_back().filter(|_| stand_back) {
        link.say(message).map_err(busy)?;
    }
    Ok(applied)
}

/// Takes the events of a child until it ends.
async fn events(child: &Supervised, socket: &Async<OwnedFd>) {
    let octets = RefCell::new(vec![0; MAX_EVENT_OCTETS]);
    let next =
        |fd: &OwnedFd| Ok(recv(fd.as_raw_fd(), &mut octets.borrow_mut(), MsgFlags::empty())?);
    let mut turn = 0;
    loop {
        let event = match ready::read(socket, next).await {
            Ok(0) | Err(_) => return,
            Ok(len) => {
                let octets = octets.borrow();
                postcard::from_bytes::<Event>(octets.get(..len).unwrap_or_default())
            }
        };
        match event {
            Ok(event) => {
                if event.is_transition() {
                    child.account.notify();
                }
                take(child, event);
            }
            Err(error) => {
                let text = format!("an event of the {} process: {error}", child.role.name);
                child.context.note(Level::Error, text);
            }
        }
        turn += 1;
        if turn % EVENTS_PER_TURN == 0 {
            yield_now().await;
        }
    }
}

/// Logs an event of a child, and keeps it in case the child crashes.
fn take(child: &Supervised, event: Event) {
    let event = Rc::new(event);
    child.history(|history| history.events.take(Rc::clone(&event)));
    child.context.log.take(event);
}

/// Logs what a child writes to standard error, until it ends.
async fn last_words(child: &Supervised, pipe: &Async<io::PipeReader>) {
    let (mut octets, mut line) = ([0; 256], Vec::new());
    let say = |line: &mut Vec<u8>| {
        if !line.is_empty() {
            let said = String::from_utf8_lossy(line);
            let text = format!("{} process: {said}", child.role.name);
            let what = What::message(Level::Error, Kind::Process, text);
            take(child, Event::of_process(clock::now(), what));
            line.clear();
        }
    };
    while let Ok(len @ 1..) = ready::read(pipe, |mut pipe| pipe.read(&mut octets)).await {
        for octet in octets.iter().take(len) {
            match *octet {
                b'\n' => say(&mut line),
                _ if line.len() == MAX_LINE_OCTETS => {}
                octet => line.push(octet),
            }
        }
    }
    say(&mut line);
}
