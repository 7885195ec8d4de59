//! `steadfast vrrp-process`: what the supervisor starts. It is in no list of commands, since it is
//! of no use to a person.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::Exit;
use super::output::Output;
use crate::control::frame::{Decoder, encode};
use crate::control::link::{FromChild, ToChild};
use crate::control::status::VrrpProcess;
use crate::supervisor::{LINK, MEMORY, RECORDS};
use crate::system::inherited;

/// Runs it.
pub fn run(output: &mut Output) -> Exit {
    match stand_in() {
        Ok(()) => Exit::Success,
        Err(error) => {
            output.err(&format!("steadfast: {error}\n"));
            Exit::Failure
        }
    }
}

fn stand_in() -> std::io::Result<()> {
    let mut link = UnixStream::from(inherited::take(LINK)?);
    let _others = (inherited::take(RECORDS)?, inherited::take(MEMORY)?);
    let (mut decoder, mut octets, mut out) = (Decoder::default(), [0; 4096], Vec::new());
    loop {
        let len = link.read(&mut octets)?;
        if len == 0 {
            return Ok(());
        }
        decoder.push(octets.get(..len).unwrap_or_default());
        while let Some(message) = decoder.message().map_err(std::io::Error::other)? {
            let answer = match message {
                ToChild::Hello { number } => FromChild::Hello { number },
                ToChild::Configuration { generation, .. } => FromChild::Applied { generation },
                ToChild::Status { ticket } => FromChild::Process {
                    ticket,
                    status: VrrpProcess { pid: std::process::id(), ..VrrpProcess::default() },
                },
                ToChild::Switchover { ticket, .. } | ToChild::Release { ticket, .. } => {
                    FromChild::Answer { ticket, result: Ok("done".to_owned()) }
                }
                ToChild::LogLevel(_) => continue,
                ToChild::Stop => FromChild::Stopped,
            };
            encode(&answer, &mut out).map_err(std::io::Error::other)?;
            link.write_all(&out)?;
            out.clear();
            if answer == FromChild::Stopped {
                return Ok(());
            }
        }
    }
}
