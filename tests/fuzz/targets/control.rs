//! What clients write to the control socket, what the processes say to each other, and what a
//! client shows of an answer.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast::control::child_messages::{FromChild, ToChild};
use steadfast::control::event::{Event, json};
use steadfast::control::frame::{Broken, Decoder, MAX_FRAME_OCTETS, encode};
use steadfast::control::request::{MAX_LINE, Request};
use steadfast::control::status::Document;
use steadfast::control::value::{ToValue, Value};
use steadfast::control::{answer, humanize, render, verdict, warnings};
use steadfast::supervisor::client_lines::Lines;
use steadfast::supervisor::log::line::{self, Clocks};
use steadfast::units::Instant;
use steadfast::vrrp::change::Change;

use super::input::Input;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() % 8 {
        0 | 1 => requests(&mut input),
        2 => frames::<ToChild>(&mut input),
        3 => frames::<FromChild>(&mut input),
        4 => event(&mut input),
        5 => document(input.rest()),
        6 => shown_event(input.rest()),
        _ => drop(stays::<Change>(input.rest())),
    }
}

/// As the server takes them: in pieces, line by line.
fn requests(input: &mut Input<'_>) {
    let cut = usize::from(input.u8()) + 1;
    let text = input.rest();
    let mut lines = Lines::default();
    let mut found = Vec::new();
    let mut too_long = false;
    'all: for part in text.chunks(cut) {
        lines.push(part);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => found.push(line),
                Ok(None) => break,
                Err(_) => {
                    too_long = true;
                    break 'all;
                }
            }
        }
    }
    if !too_long {
        found.extend(lines.end());
        let expected = text.strip_suffix(b"\n").unwrap_or(text).split(|octet| *octet == b'\n');
        let mut expected: Vec<&[u8]> = expected.collect();
        if text.is_empty() {
            expected.clear();
        }
        assert_eq!(found.len(), expected.len(), "lines are lost, or made up");
        let last = found.len().saturating_sub(1);
        for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
            let whole = number < last || text.ends_with(b"\n");
            let expected = match expected.strip_suffix(b"\r") {
                Some(without) if whole => without,
                Some(_) | None => expected,
            };
            assert_eq!(found, expected);
        }
    }
    for line in found {
        assert!(line.len() <= MAX_LINE);
        request(&line);
    }
}

fn request(line: &[u8]) {
    match Request::parse(line) {
        Err(told) => {
            let refusal = Err(told.into());
            let line = answer::line(refusal.clone());
            assert!(!line.contains('\n'), "an answer is one line");
            assert_eq!(answer::read(line.as_bytes()), Ok(refusal));
        }
        Ok(request) => {
            if let Request::Switchover { hold_for: Some(seconds), .. } = &request {
                // What the daemon does with it.
                if let Ok(length) = Duration::try_from_secs_f64(*seconds) {
                    let _ = Instant::from_nanos(u64::MAX / 2) + length;
                }
            }
            assert_eq!(Request::parse(request.to_line().as_bytes()), Ok(request));
        }
    }
}

/// What can be read is written again so that it reads the same. Compared as octets, since there are
/// numbers that are not equal to themselves.
fn stays<T: Serialize + DeserializeOwned>(octets: &[u8]) -> Option<T> {
    let value: T = postcard::from_bytes(octets).ok()?;
    let written = postcard::to_allocvec(&value).expect("what was read can be written");
    let again: T = postcard::from_bytes(&written).expect("what was written can be read");
    assert_eq!(postcard::to_allocvec(&again).expect("as before"), written);
    Some(value)
}

/// All messages of a stream that comes in pieces of a length, and how it ended.
fn messages<T: Serialize + DeserializeOwned>(
    stream: &[u8],
    cut: usize,
) -> (Vec<Vec<u8>>, Option<Broken>) {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for part in stream.chunks(cut) {
        decoder.push(part);
        loop {
            match decoder.message::<T>() {
                Ok(Some(message)) => {
                    let mut octets = Vec::new();
                    encode(&message, &mut octets).expect("what was read can be written");
                    found.push(octets);
                }
                Ok(None) => break,
                Err(broken) => return (found, Some(broken)),
            }
        }
    }
    (found, None)
}

/// However a stream is cut, the same comes out of it.
fn frames<T: Serialize + DeserializeOwned>(input: &mut Input<'_>) {
    let (framed, cut) = (input.flag(), usize::from(input.u8()) + 1);
    let mut stream = Vec::new();
    if framed {
        // Bodies with the right length before them.
        while !input.is_empty() {
            let body = input.some();
            stream.extend(u32::try_from(body.len()).expect("an octet").to_le_bytes());
            stream.extend(body);
        }
    } else {
        stream.extend(input.rest());
    }
    let whole = messages::<T>(&stream, stream.len().max(1));
    assert_eq!(messages::<T>(&stream, cut), whole);
    if let Some((length, _)) = stream.split_first_chunk::<4>() {
        let too_long = u32::from_le_bytes(*length) as usize > MAX_FRAME_OCTETS;
        assert_eq!(too_long, whole.0.is_empty() && whole.1 == Some(Broken::TooLong));
    }
    let (found, _) = whole;
    let stream = found.concat();
    assert_eq!(messages::<T>(&stream, cut), (found, None), "what is written is read again");
}

fn event(input: &mut Input<'_>) {
    let clocks =
        Clocks { now: Instant::from_nanos(input.u64()), wall: Duration::from_nanos(input.u64()) };
    let Some(event) = stays::<Event>(input.rest()) else { return };
    let line = line::line(&event, &clocks);
    assert!(!line.text.contains(char::is_control), "an event is one line");
    let _ = (line.with_time(), line.short_time());
    let event = json::event(&event, clocks.wall(event.at));
    let again: json::Event = serde_json::from_str(&event.to_value().to_json()).expect("it is JSON");
    show(&again);
}

fn show(event: &json::Event) {
    for colour in [false, true] {
        let shown = render::event(event, colour);
        assert!(!shown.trim_end_matches('\n').contains('\n'), "an event is one line: {shown:?}");
    }
}

fn shown_event(octets: &[u8]) {
    json(octets);
    if let Ok(event) = serde_json::from_slice::<json::Event>(octets) {
        show(&event);
    }
}

/// What is taken as JSON is JSON, and stays the same.
fn json(octets: &[u8]) {
    let _ = answer::read(octets);
    let Ok(value) = Value::from_json(octets) else { return };
    assert!(serde_json::from_slice::<serde_json::Value>(octets).is_ok(), "others take it");
    for written in [value.to_json(), value.to_pretty_json()] {
        assert_eq!(Value::from_json(written.as_bytes()).as_ref(), Ok(&value));
    }
}

/// What `steadfast status` does with what comes from the socket.
fn document(octets: &[u8]) {
    let Ok(mut document) = serde_json::from_slice::<Document>(octets) else { return };
    document.conclude();
    let _ = (verdict::verdict(&document), warnings::warnings(&document));
    let _ = (humanize::length(document.time), humanize::utc(document.time));
    for colour in [false, true] {
        assert!(!render::document(&document, colour).is_empty());
    }
    let name = document.instances.iter().flatten().next().map(|instance| instance.name.clone());
    if let Some(name) = name {
        let _ = render::document(&document.clone().only(&name), false);
    }
    let value = document.to_value();
    let again: Document = serde_json::from_str(&value.to_json()).expect("it is JSON");
    assert_eq!(again.to_value().to_json(), value.to_json());
    let pretty: serde_json::Value = serde_json::from_str(&value.to_pretty_json()).expect("JSON");
    assert_eq!(pretty, serde_json::from_str::<serde_json::Value>(&value.to_json()).expect("JSON"));
}
