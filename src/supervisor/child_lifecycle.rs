//! Keeps the vrrp process running.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use async_io::Async;
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::Pid;
use smol::Timer;
use smol::channel::{Receiver, bounded};
use smol::future::{or, pending, yield_now, zip};
use smol::io::AsyncReadExt;

use super::backoff::{BackOff, Next};
use super::child::Child;
use super::child_link::Link;
use super::crash::Crash;
use super::daemon::Daemon;
use super::hello::{self, LEAST};
use super::scheduling;
use super::timeouts::{patience, within};
use super::{installed, ready, role_lock, withdraw};
use crate::control::child_messages::ToChild;
use crate::control::record::{Level, Record};
use crate::control::shared_memory::{Process, Shared};
use crate::system::{clock, limits};

/// How long a child may take to end after its connection has, beside a hand-over.
const GRACE: Duration = Duration::from_secs(2);
/// How long what an ended child has left behind is read.
const REST: Duration = Duration::from_secs(1);
/// How often is looked at what is in the kernel, when nothing happens.
const ACCOUNT: Duration = Duration::from_secs(1);
/// So many times as long as an account takes, nothing is accounted.
const OTHERS: u32 = 9;
/// How often is looked at a child that does not answer.
const LOOK: Duration = Duration::from_millis(50);
/// The longest record, in octets.
const RECORD: usize = 16 * 1024;
/// Records that are taken before others have their turn.
const TURN: usize = 64;
/// How long a process that ends again and again stays backup: long enough to look at it.
const STANDS_BACK: Duration = Duration::from_secs(300);
/// Octets of a line on a child's standard error that are logged.
const LINE: usize = 1_024;

/// Why nobody talks to a child any more.
enum Over {
    /// It has not answered for so long.
    Hung(Duration),
    /// It hung up, or what it said makes no sense.
    Hangup(String),
    /// Nobody waits for it any more.
    Condemned,
}

/// Starts the vrrp process, and again whenever it ends, until the daemon stops. `first` hears how
/// the first start went.
pub async fn keep(daemon: Rc<Daemon>, first: impl Fn(Result<(), String>)) {
    let mut back_off = BackOff::default();
    let mut cleaned = false;
    let mut former = daemon.take_former();
    let mut stand_back = false;
    loop {
        let began = clock::now();
        let mut crash = run(&daemon, former.take(), stand_back, &first).await;
        first(Err(crash.end.clone()));
        installed::update(&daemon);
        let now = clock::now();
        let resumable = installed::is_resumable(&daemon, now);
        let Next { wait, ends, hand_over } = back_off.after(now, now.since(began), resumable);
        (crash.ends, crash.handed_over) = (ends, hand_over);
        stand_back = hand_over;
        {
            let mut vrrp = daemon.vrrp.borrow_mut();
            if let Some(link) = vrrp.forget_child()
                && daemon.is_stopping()
                && link.has_stopped()
            {
                daemon.note(Level::Info, crash.end);
                return;
            }
            vrrp.crash = Some(crash.clone());
        }
        if daemon.is_stopping() {
            if give_up(&daemon, &crash.end, &mut cleaned).await {
                continue;
            }
            return;
        }
        let when = match wait.as_secs() {
            0 => "at once".to_owned(),
            seconds => format!("in {seconds} s"),
        };
        daemon.note(Level::Error, format!("{crash}; it is started again {when}"));
        if hand_over {
            let text = format!(
                "the vrrp process ended {ends} times within a minute: its addresses are handed \
                 over, and it stays backup for {} s after its start",
                STANDS_BACK.as_secs()
            );
            daemon.note(Level::Error, text);
        }
        for line in crash.unlogged(daemon.log.level()) {
            daemon.note(Level::Error, format!("it had said: {line}"));
        }
        daemon.vrrp.borrow_mut().starts_at = Some(clock::now() + wait);
        within(wait, or(daemon.stop_begins(), withdraw::when_due(&daemon))).await;
        daemon.vrrp.borrow_mut().starts_at = None;
        if daemon.is_stopping() && !give_up(&daemon, &crash.end, &mut cleaned).await {
            return;
        }
        daemon.vrrp.borrow_mut().restarts += 1;
    }
}

/// Whether to start the process once more, although all is to end: the one before held addresses,
/// and nobody else hands them over. The second time they are just removed.
async fn give_up(daemon: &Daemon, end: &str, cleaned: &mut bool) -> bool {
    let held = !daemon.installed.borrow().is_empty();
    let again = held && !daemon.in_a_hurry.get() && !std::mem::replace(cleaned, true);
    let then = match (held, again) {
        (false, _) => "",
        (true, true) => "; it is started once more to hand its addresses over",
        (true, false) => "; its addresses are removed",
    };
    daemon.note(Level::Error, format!("{end} before it had handed over{then}"));
    if held && !again {
        withdraw::all(daemon).await;
    }
    again
}

/// Lets a process of the program before this one make room for its successor, as soon as that has
/// answered or ended. Until then it works, and should this process be killed, it hands over.
async fn make_room(daemon: &Daemon, former: Child, successor: Option<(&Link, &Receiver<()>)>) {
    let pid = former.pid();
    let former = Rc::new(former);
    let link = Rc::new(Link::new());
    let leave = async {
        if let Some((link, ended)) = successor {
            let ended = async {
                let _ = ended.recv().await;
            };
            within(GRACE, or(link.met(), ended)).await;
        }
        daemon.note(Level::Notice, format!("vrrp process {pid} makes room for its successor"));
        // Nothing was said before, so there is room.
        let _ = link.say(ToChild::Leave);
        Timer::after(GRACE).await;
        link.condemn();
        pending().await
    };
    let end = or(attend(daemon, &former, &link, pending()), leave).await;
    let level = if link.has_left() { Level::Info } else { Level::Error };
    daemon.note(level, format!("vrrp process {pid} {end}"));
    link.end();
}

/// One life of the process; how it ended. `former`: the process that has the addresses, and leaves
/// when this one can take its place. `stand_back`: it hands over what it resumes, and stays backup.
async fn run(
    daemon: &Daemon,
    mut former: Option<Child>,
    stand_back: bool,
    first: &impl Fn(Result<(), String>),
) -> Crash {
    let cannot = |why: String| {
        Crash::not_started(clock::now(), format!("the vrrp process cannot be started: {why}"))
    };
    // Whatever somebody has set; the lock takes one, too. Should it fail, there are as many as there
    // were.
    let _ = limits::raise_descriptors();
    daemon.taking_over.set(former.is_some());
    let shared = former.as_ref().and_then(|_| role_lock::share(daemon));
    let lock = match shared {
        Some(lock) => Some(lock),
        None => {
            // Nothing would keep the two apart.
            if let Some(former) = former.take() {
                make_room(daemon, former, None).await;
            }
            let lock = match role_lock::take(daemon).await {
                Ok(lock) => lock,
                Err(why) => return cannot(why),
            };
            withdraw::before_start(daemon).await;
            lock
        }
    };
    if let Ok(shared) = Shared::open(&daemon.memory) {
        shared.forget_late(Process::Vrrp);
    }
    let began = clock::now();
    let locks = daemon.current.borrow().model.global.vrrp_process.no_swap;
    let child = match Child::start_vrrp(&daemon.memory, &daemon.strangers, lock.as_ref(), locks) {
        Ok(child) => Rc::new(child),
        Err(error) => {
            if let Some(former) = former {
                make_room(daemon, former, None).await;
            }
            return cannot(limits::explained(&error));
        }
    };
    let pid = child.pid();
    daemon.vrrp.borrow_mut().lines.clear();
    daemon.note(Level::Info, format!("vrrp process {pid} started"));
    scheduling::begin(daemon, pid);
    let link = Rc::new(Link::new());
    {
        let mut vrrp = daemon.vrrp.borrow_mut();
        vrrp.link = Some(Rc::clone(&link));
        vrrp.child = Some(Rc::clone(&child));
    }
    let (over, ended) = bounded::<()>(1);
    let live = async {
        let end = match introduce(daemon, &link, stand_back) {
            Ok(applied) => {
                let confirmed = async {
                    if applied.recv().await.is_err() {
                        pending().await
                    }
                    first(Ok(()));
                };
                attend(daemon, &child, &link, confirmed).await
            }
            Err(error) => {
                daemon.note(Level::Error, format!("the configuration cannot be sent: {error}"));
                child.kill();
                child.ended().await.unwrap_or_else(|error| error.to_string())
            }
        };
        over.close();
        end
    };
    let succeed = async {
        let is_new = former.is_none();
        if let Some(former) = former {
            make_room(daemon, former, Some((&link, &ended))).await;
        }
        if let Some(lock) = lock {
            lock.give_to(pid);
        }
        if !is_new {
            withdraw::before_start(daemon).await;
        }
    };
    let (end, ()) = zip(live, succeed).await;
    let end = format!("vrrp process {pid} {end}");
    Crash::new(clock::now(), end, began, &daemon.memory, &daemon.vrrp.borrow().lines)
}

/// All that has to do with a running child, which is `confirmed` some time; how it ended.
async fn attend(
    daemon: &Daemon,
    child: &Rc<Child>,
    link: &Rc<Link>,
    confirmed: impl Future<Output = ()>,
) -> String {
    let talk = or(or(link.receive(&child.link), link.send(&child.link)), async {
        let done = Cell::new(false);
        let mut confirmed = std::pin::pin!(async {
            confirmed.await;
            done.set(true);
        });
        or(confirmed.as_mut(), withdraw::when_due(daemon)).await;
        let settle = async {
            if !done.get() {
                confirmed.await;
            }
            scheduling::settle(daemon, link, child.pid()).await;
            pending().await
        };
        or(settle, keep_account(daemon, link)).await
    });
    let over = or(
        async {
            match talk.await {
                Ok(()) => Over::Hangup(String::new()),
                Err(error) => Over::Hangup(format!(" ({error})")),
            }
        },
        or(async { Over::Hung(greet(daemon, link, child.pid()).await) }, async {
            link.condemned().await;
            Over::Condemned
        }),
    );
    let why = RefCell::default();
    let end = or(child.ended(), async {
        *why.borrow_mut() = Some(match over.await {
            Over::Hung(time) => format!("had not answered for {:.1} s", time.as_secs_f64()),
            Over::Condemned => "had to end".to_owned(),
            Over::Hangup(why) => {
                // It sees the end of its stream, hands over and ends by itself.
                let _ = child.link.get_ref().shutdown(Shutdown::Both);
                let grace = daemon.current.borrow().longest_down_interval() + GRACE;
                within(patience(grace), link.condemned()).await;
                format!("hung up{why} and did not end")
            }
        });
        child.kill();
        // One that the kernel does not let go of adverts no more, and its addresses are still there.
        withdraw::when_due(daemon).await;
        pending().await
    });
    let all_read = Cell::new(false);
    let mut words = std::pin::pin!(async {
        zip(records(daemon, &child.records), last_words(daemon, &child.stderr)).await;
        all_read.set(true);
    });
    let ended = or(end, async {
        words.as_mut().await;
        pending().await
    })
    .await;
    if !all_read.get() {
        within(REST, words).await;
    }
    match why.take() {
        Some(why) => format!("{why} and was killed"),
        None => ended.unwrap_or_else(|error| format!("ended; it is not known how: {error}")),
    }
}

/// Keeps the list of what is in the kernel up to date while the process works.
async fn keep_account(daemon: &Daemon, link: &Link) -> io::Result<()> {
    loop {
        if let Some(generation) = link.applied() {
            daemon.vrrp.borrow_mut().applied = generation;
            daemon.service.ready(&daemon.log);
        }
        withdraw::again(daemon).await;
        let began = clock::now();
        installed::update(daemon);
        // With thousands of instances that takes some milliseconds, and thousands of changes of
        // state come one by one: most of the time is for others.
        Timer::after(clock::now().since(began) * OTHERS).await;
        // What the last change of state has asked for takes a moment.
        within(ACCOUNT, daemon.transition.heard()).await;
    }
}

/// What a child has to be told first.
fn introduce(daemon: &Daemon, link: &Link, stand_back: bool) -> Result<Receiver<()>, String> {
    let current = daemon.current.borrow();
    let body = current.for_vrrp(None).map_err(|error| error.to_string())?;
    let busy = |_| "the queue is full".to_owned();
    link.say(ToChild::LogLevel(daemon.log.level_of_children())).map_err(busy)?;
    let applied = link.configure(current.generation, None, body).map_err(busy)?;
    if daemon.is_stopping() {
        link.say(ToChild::Stop).map_err(busy)?;
    } else if stand_back {
        link.say(ToChild::StandBack { hold_for: STANDS_BACK }).map_err(busy)?;
    }
    Ok(applied)
}

/// Asks again and again whether it works, until it has not answered for too long, and its loop has
/// not turned either.
async fn greet(daemon: &Daemon, link: &Link, child: Pid) -> Duration {
    let mut before = turns(daemon);
    loop {
        let holds = !daemon.installed.borrow().is_empty();
        let usual = daemon.current.borrow().hello_period;
        let period = hello::pace(usual, holds);
        let end = clock::now() + period;
        link.say_hello(usual, holds);
        if holds && period > LEAST {
            // An answer that is not there by now needs a closer look.
            rest(LEAST, daemon, link, &mut before).await;
        }
        while end > clock::now() {
            let left = end.since(clock::now());
            let pause = if link.has_answered() || !holds { left } else { left.min(LOOK) };
            let rested = async {
                rest(pause, daemon, link, &mut before).await;
                false
            };
            if or(rested, begins(daemon, holds)).await {
                // From now on it is asked more often.
                break;
            }
            if let Some(time) = link.silent(is_overdue(daemon, link)) {
                return time;
            }
        }
        scheduling::watch(daemon, child);
    }
}

/// `true`, once the child holds something and did not before.
async fn begins(daemon: &Daemon, holds: bool) -> bool {
    match holds {
        true => pending().await,
        false => daemon.holds.heard().await,
    }
    true
}

/// How often the loop of the process has turned.
fn turns(daemon: &Daemon) -> u32 {
    Shared::open(&daemon.memory).map_or(0, |shared| shared.beats(Process::Vrrp))
}

/// Waits. A process whose loop has turned meanwhile works, and when we were away ourselves, nothing
/// can be said about it.
async fn rest(pause: Duration, daemon: &Daemon, link: &Link, before: &mut u32) {
    let began = clock::now();
    Timer::after(pause).await;
    let turned = std::mem::replace(before, turns(daemon)) != *before;
    if turned || clock::now().since(began) > pause * 2 + LOOK {
        link.excuse();
        yield_now().await;
    }
}

/// Whether a process that does not answer should have sent an advert long ago.
fn is_overdue(daemon: &Daemon, link: &Link) -> bool {
    let overdue = || installed::overdue(&daemon.installed.borrow(), &installed::saved(daemon));
    !link.has_answered() && overdue().is_some_and(|at| at <= clock::now())
}

/// Takes the records of a child until it ends.
async fn records(daemon: &Daemon, socket: &Async<OwnedFd>) {
    let octets = RefCell::new(vec![0; RECORD]);
    let next =
        |fd: &OwnedFd| Ok(recv(fd.as_raw_fd(), &mut octets.borrow_mut(), MsgFlags::empty())?);
    let mut turn = 0;
    loop {
        let record = match ready::read(socket, next).await {
            Ok(0) | Err(_) => return,
            Ok(len) => {
                let octets = octets.borrow();
                postcard::from_bytes::<Record>(octets.get(..len).unwrap_or_default())
            }
        };
        match record {
            Ok(record) => {
                if record.transition.is_some() {
                    daemon.transition.ring();
                }
                daemon.vrrp.borrow_mut().lines.take(&record);
                daemon.log.take(record);
            }
            Err(error) => {
                daemon.note(Level::Error, format!("a record of the vrrp process: {error}"));
            }
        }
        turn += 1;
        if turn % TURN == 0 {
            yield_now().await;
        }
    }
}

/// Logs what a child writes to standard error, until it ends.
async fn last_words(daemon: &Daemon, pipe: &Async<io::PipeReader>) {
    let (mut octets, mut line) = ([0; 256], Vec::new());
    let say = |line: &mut Vec<u8>| {
        if !line.is_empty() {
            let text = format!("vrrp process: {}", String::from_utf8_lossy(line));
            daemon.vrrp.borrow_mut().lines.push(Level::Error, &text);
            daemon.note(Level::Error, text);
            line.clear();
        }
    };
    let mut pipe = pipe;
    while let Ok(len @ 1..) = pipe.read(&mut octets).await {
        for octet in octets.iter().take(len) {
            match *octet {
                b'\n' => say(&mut line),
                _ if line.len() == LINE => {}
                octet => line.push(octet),
            }
        }
    }
    say(&mut line);
}
