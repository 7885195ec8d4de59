//! The control socket. Nothing that a client does or leaves undone holds up anybody else.

use std::cell::Cell;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

use async_io::Async;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use smol::future::yield_now;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{LocalExecutor, Timer};

use super::client_lines::{Lines, TooLong};
use super::commands;
use super::daemon::Daemon;
use super::log;
use super::timeouts::{start, within};
use crate::control::event::Level;
use crate::control::request::{Format, MAX_LINE, Request};
use crate::control::value::ToValue;
use crate::control::{answer, render};

/// Clients at once.
pub const MAX_CLIENTS: usize = 64;
/// Clients at once that listen to events: they stay, and the other places are for short requests.
const MAX_LISTENERS: usize = MAX_CLIENTS - 8;
/// How long a client may take for a line, and how long it may leave an answer unread.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The wait after the system has refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Octets that are read at once.
const READ_OCTETS: usize = 1_024;

/// Counts a client as long as it is there.
struct Place(Rc<Cell<usize>>);

impl Place {
    fn take(taken: &Rc<Cell<usize>>, limit: usize) -> Option<Self> {
        (taken.get() < limit).then(|| {
            taken.set(taken.get() + 1);
            Self(Rc::clone(taken))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Serves clients without end.
pub async fn serve(daemon: Rc<Daemon>, executor: Rc<LocalExecutor<'_>>, listener: UnixListener) {
    let listener = match Async::new(listener) {
        Ok(listener) => listener,
        Err(error) => {
            daemon.note(Level::Error, format!("the control socket does not work: {error}"));
            return;
        }
    };
    let (taken, listening) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let mut refusing = false;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                daemon.note(
                    Level::Warning,
                    format!("the control socket cannot accept a client: {error}"),
                );
                Timer::after(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match Place::take(&taken, MAX_CLIENTS) {
            Some(place) => {
                refusing = false;
                let (daemon, listening) = (Rc::clone(&daemon), Rc::clone(&listening));
                let work = async move {
                    // Why a client went away matters to nobody.
                    let _ = attend(&daemon, &stream, &listening).await;
                    drop(place);
                };
                start(&executor, work).detach();
            }
            None => {
                if !refusing {
                    refusing = true;
                    let text = format!(
                        "control socket: {MAX_CLIENTS} clients are connected already, and one more is refused"
                    );
                    daemon.note(Level::Warning, text);
                }
                refuse(&stream);
            }
        }
    }
}

/// Tells a client that there is no room, if it can be told without waiting.
fn refuse(stream: &Async<UnixStream>) {
    use std::io::Write;

    let mut line = commands::refusal(format!(
        "too many clients: {MAX_CLIENTS} are connected already, try again when one has gone"
    ));
    line.push('\n');
    let mut stream = stream.get_ref();
    // It finds the end of the stream either way.
    let _ = stream.write(line.as_bytes());
}

fn too_many_listeners() -> String {
    commands::refusal(format!(
        "too many listeners: {MAX_LISTENERS} clients listen to events already, try again when one has \
         gone"
    ))
}

/// Answers one client, until it goes away or takes too long.
async fn attend(
    daemon: &Daemon,
    stream: &Async<UnixStream>,
    listening: &Rc<Cell<usize>>,
) -> io::Result<()> {
    let mut lines = Lines::default();
    loop {
        let line = match within(CLIENT_TIMEOUT, next(&mut lines, stream)).await {
            None => {
                let text = format!("no complete line came within {} s", CLIENT_TIMEOUT.as_secs());
                return write(stream, commands::refusal(text)).await;
            }
            Some(line) => line?,
        };
        let request = match line {
            Some(Ok(line)) => Request::parse(&line),
            Some(Err(TooLong)) => {
                let text = format!("a line has at most {MAX_LINE} bytes");
                return write(stream, commands::refusal(text)).await;
            }
            None => return Ok(()),
        };
        match request {
            Err(text) => write(stream, commands::refusal(text)).await?,
            Ok(request) => match commands::answer(daemon, request, is_root(stream)).await {
                Ok(answer) => write(stream, answer).await?,
                Err(format) => match Place::take(listening, MAX_LISTENERS) {
                    Some(_place) => return events(daemon, stream, format).await,
                    None => write(stream, too_many_listeners()).await?,
                },
            },
        }
        // However fast it asks, others have their turn.
        yield_now().await;
    }
}

/// Whether root is at the other end. A daemon of another user has rights that this user has not.
fn is_root(stream: &Async<UnixStream>) -> bool {
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| peer.uid() == 0)
}

/// The next line; `None` at the end.
async fn next(
    lines: &mut Lines,
    mut stream: &Async<UnixStream>,
) -> io::Result<Option<Result<Vec<u8>, TooLong>>> {
    let mut chunk = [0; READ_OCTETS];
    loop {
        if let Some(line) = lines.next_line().transpose() {
            return Ok(Some(line));
        }
        match stream.read(&mut chunk).await? {
            0 => return Ok(lines.end().map(Ok)),
            len => lines.push(chunk.get(..len).unwrap_or_default()),
        }
    }
}

/// Writes a line.
async fn write(mut stream: &Async<UnixStream>, mut line: String) -> io::Result<()> {
    line.push('\n');
    let slow = || Err(io::ErrorKind::TimedOut.into());
    within(CLIENT_TIMEOUT, stream.write_all(line.as_bytes())).await.unwrap_or_else(slow)
}

/// Tells a client of every event, until it hangs up.
async fn events(daemon: &Daemon, stream: &Async<UnixStream>, format: Format) -> io::Result<()> {
    let subscription = daemon.log.subscribe();
    let hung_up = async {
        let (mut stream, mut chunk) = (stream, [0; READ_OCTETS]);
        // What it says now is not read as requests.
        while stream.read(&mut chunk).await? > 0 {
            // However much it says, others have their turn.
            yield_now().await;
        }
        Ok(())
    };
    let tell = async {
        while let Some(event) = subscription.next().await {
            let event = log::shown(&event);
            let event = match format {
                Format::Json => event.to_value(),
                Format::Text { colour } => render::event(&event, colour).to_value(),
            };
            let line = answer::line(Ok(event)) + "\n";
            let mut stream = stream;
            // However slow it is: what it misses meanwhile is only counted.
            stream.write_all(line.as_bytes()).await?;
        }
        Ok(())
    };
    smol::future::or(hung_up, tell).await
}
