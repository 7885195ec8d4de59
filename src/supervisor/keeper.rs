//! Keeps the vrrp process running.

use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use async_io::Async;
use nix::sys::socket::{MsgFlags, recv};
use smol::Timer;
use smol::channel::Receiver;
use smol::future::{or, yield_now, zip};
use smol::io::AsyncReadExt;

use super::backoff::BackOff;
use super::child::Child;
use super::daemon::Daemon;
use super::link::Link;
use super::time::{patience, within};
use crate::control::link::ToChild;
use crate::control::record::{Level, Record};
use crate::system::clock;

/// How long a child may take to end after its connection has.
const GRACE: Duration = Duration::from_secs(2);
/// How long what an ended child has left behind is read.
const REST: Duration = Duration::from_secs(1);
/// The longest record, in octets.
const RECORD: usize = 16 * 1024;
/// Records that are taken before others have their turn.
const TURN: usize = 64;
/// Octets of a line on a child's standard error that are logged.
const LINE: usize = 1_024;

/// Starts the vrrp process, and again whenever it ends, until the daemon stops. `first` hears how
/// the first start went.
pub async fn keep(daemon: Rc<Daemon>, first: impl Fn(Result<(), String>)) {
    let mut back_off = BackOff::default();
    let mut cleaned = false;
    loop {
        let began = clock::now();
        let end = match Child::start_vrrp(&daemon.memory, &daemon.strangers) {
            Ok(child) => {
                daemon.note(Level::Info, format!("vrrp process {} started", child.pid()));
                let end = attend(&daemon, &child, &first).await;
                format!("vrrp process {} {end}", child.pid())
            }
            Err(error) => format!("the vrrp process cannot be started: {error}"),
        };
        first(Err(end.clone()));
        let now = clock::now();
        {
            let mut vrrp = daemon.vrrp.borrow_mut();
            if let Some(link) = vrrp.link.take() {
                link.end();
                if daemon.is_stopping() && link.has_stopped() {
                    daemon.note(Level::Info, end);
                    return;
                }
            }
            vrrp.pid = None;
            vrrp.last_end = Some((now, end.clone()));
        }
        if daemon.is_stopping() {
            if clean_up(&daemon, &end, &mut cleaned) {
                continue;
            }
            return;
        }
        let wait = back_off.wait(now.since(began));
        let when = match wait.as_secs() {
            0 => "at once".to_owned(),
            seconds => format!("in {seconds} s"),
        };
        daemon.note(Level::Error, format!("{end}; it is started again {when}"));
        within(wait, daemon.stop_begins()).await;
        if daemon.is_stopping() && !clean_up(&daemon, &end, &mut cleaned) {
            return;
        }
        daemon.vrrp.borrow_mut().restarts += 1;
    }
}

/// Whether to start the process once more, although all is to end: the one before held addresses,
/// and nobody else removes them.
fn clean_up(daemon: &Daemon, end: &str, cleaned: &mut bool) -> bool {
    let held = daemon.holds_addresses();
    let again = held && !std::mem::replace(cleaned, true);
    let then = match (held, again) {
        (false, _) => "",
        (true, true) => "; it is started once more to give its addresses up",
        (true, false) => "; its addresses may still be there: look at ip address",
    };
    daemon.note(Level::Error, format!("{end} before it had handed over{then}"));
    again
}

/// All that has to do with a running child; how it ended.
async fn attend(daemon: &Daemon, child: &Child, first: &impl Fn(Result<(), String>)) -> String {
    let link = Rc::new(Link::new());
    let applied = match introduce(daemon, &link) {
        Ok(applied) => applied,
        Err(error) => {
            daemon.note(Level::Error, format!("the configuration cannot be sent: {error}"));
            child.kill();
            return child.ended().await.unwrap_or_else(|error| error.to_string());
        }
    };
    {
        let mut vrrp = daemon.vrrp.borrow_mut();
        vrrp.link = Some(Rc::clone(&link));
        vrrp.pid = Some(child.pid().as_raw());
    }
    let talk = or(
        or(or(link.receive(&child.link), link.send(&child.link)), async {
            link.condemned().await;
            Ok(())
        }),
        or(greet(daemon, &link), async {
            if applied.recv().await.is_ok() {
                first(Ok(()));
            }
            std::future::pending().await
        }),
    );
    let end = or(child.ended(), async {
        let why = match talk.await {
            Ok(()) => String::new(),
            Err(error) => format!(" ({error})"),
        };
        // It sees the end of its stream and ends by itself.
        let _ = child.link.get_ref().shutdown(std::net::Shutdown::Both);
        within(patience(GRACE), link.condemned()).await;
        let text = format!("the vrrp process{why} does not end by itself; it is killed");
        daemon.note(Level::Error, text);
        child.kill();
        child.ended().await
    });
    let all_read = Cell::new(false);
    let mut words = std::pin::pin!(async {
        zip(records(daemon, &child.records), last_words(daemon, &child.stderr)).await;
        all_read.set(true);
    });
    let ended = or(end, async {
        words.as_mut().await;
        std::future::pending().await
    })
    .await;
    if !all_read.get() {
        within(REST, words).await;
    }
    ended.unwrap_or_else(|error| format!("ended; it is not known how: {error}"))
}

/// What a child has to be told first.
fn introduce(daemon: &Daemon, link: &Link) -> Result<Receiver<()>, String> {
    let current = daemon.current.borrow();
    let body = current.for_vrrp().map_err(|error| error.to_string())?;
    let busy = |_| "the queue is full".to_owned();
    link.say(ToChild::LogLevel(daemon.log.level_of_children())).map_err(busy)?;
    let applied = link.configure(current.generation, body).map_err(busy)?;
    if daemon.is_stopping() {
        link.say(ToChild::Stop).map_err(busy)?;
    }
    Ok(applied)
}

/// Asks again and again whether it works.
async fn greet(daemon: &Daemon, link: &Link) -> io::Result<()> {
    let mut silent = false;
    loop {
        let period = daemon.current.borrow().hello_period;
        let asked = clock::now();
        link.say_hello(period);
        Timer::after(period).await;
        if clock::now().since(asked) > period * 2 {
            // We were away ourselves, so nothing can be said about the child.
            link.excuse();
            yield_now().await;
        }
        match link.silent() {
            Some(time) if !silent => {
                silent = true;
                let text =
                    format!("the vrrp process has not answered for {:.1} s", time.as_secs_f64());
                daemon.note(Level::Error, text);
            }
            None if silent => {
                silent = false;
                daemon.note(Level::Notice, "the vrrp process answers again");
            }
            Some(_) | None => {}
        }
    }
}

/// Takes the records of a child until it ends.
async fn records(daemon: &Daemon, socket: &Async<OwnedFd>) {
    let mut octets = vec![0; RECORD];
    let mut turn = 0;
    loop {
        let len =
            socket.read_with(|fd| Ok(recv(fd.as_raw_fd(), &mut octets, MsgFlags::empty())?)).await;
        let record = match len {
            Ok(0) | Err(_) => return,
            Ok(len) => postcard::from_bytes::<Record>(octets.get(..len).unwrap_or_default()),
        };
        match record {
            Ok(record) => daemon.log.take(record),
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
            let text = String::from_utf8_lossy(line);
            daemon.note(Level::Error, format!("vrrp process: {text}"));
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
