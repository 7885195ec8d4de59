//! Classic BPF programs that let the kernel drop unwanted packets before a socket receives them.
//!
//! A filter is a list of tests; a packet that fails one of them is dropped. Offsets count from the
//! beginning of what the socket receives: the IP header for IPv4 raw sockets and for packet sockets
//! without link-layer header, the message for IPv6 raw sockets.

use std::io;
use std::os::fd::AsFd;

use heapless::Vec;
use nix::libc;
use socket2::{SockFilter, SockRef};

/// Instructions of a program, at most: more than any list of tests in this program needs.
const MAX_INSTRUCTIONS: usize = 40;

/// Return value of a program: the socket receives all octets of the packet.
const ALL_OCTETS: u32 = u32::MAX;

/// Opcodes, see linux/filter.h.
mod code {
    pub const LOAD_WORD: u16 = 0x20;
    pub const LOAD_HALF: u16 = 0x28;
    pub const LOAD_OCTET: u16 = 0x30;
    pub const COPY_TO_INDEX: u16 = 0x07;
    pub const JUMP_EQUAL: u16 = 0x15;
    pub const JUMP_EQUAL_INDEX: u16 = 0x1d;
    pub const JUMP_ANY_BIT: u16 = 0x45;
    pub const RETURN: u16 = 0x06;
}

/// A condition that a packet has to fulfil.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Test {
    /// The octet at this offset has this value.
    Octet(u32, u8),
    /// None of these bits is set in the octet at this offset.
    OctetWithout(u32, u8),
    /// The 16 bits at this offset have this value.
    Half(u32, u16),
    /// None of these bits is set in the 16 bits at this offset.
    HalfWithout(u32, u16),
    /// The 32 bits at this offset have this value.
    Word(u32, u32),
    /// The 32 bits at the first offset are zero, or the same as those at the second.
    ZeroOrSameWord(u32, u32),
    /// The packet was sent to this host, to a group or as a broadcast, and not to another host.
    ForUs,
}

/// Attaches a filter that passes packets that fulfil all tests. It replaces an earlier filter.
///
/// # Errors
/// The error of the system call.
pub fn attach(socket: &impl AsFd, tests: &[Test]) -> io::Result<()> {
    SockRef::from(socket).attach_filter(&program(tests, ALL_OCTETS)?)
}

/// Attaches a filter that drops all packets.
///
/// # Errors
/// The error of the system call.
pub fn drop_all(socket: &impl AsFd) -> io::Result<()> {
    SockRef::from(socket).attach_filter(&program(&[], 0)?)
}

/// Builds a program: the tests, a return for packets that passed all of them, and a return for packets
/// that failed one.
fn program(tests: &[Test], pass: u32) -> io::Result<Vec<SockFilter, MAX_INSTRUCTIONS>> {
    let len: usize = tests.iter().map(|test| parts(*test).len()).sum();
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let mut program = Vec::new();
    for test in tests {
        for (code, jump, value) in parts(*test) {
            let to_drop = u8::try_from(len - program.len()).unwrap_or(u8::MAX);
            let (yes, no) = match jump {
                Jump::No => (0, 0),
                Jump::DropUnless => (0, to_drop),
                Jump::DropIf => (to_drop, 0),
                Jump::PassIf(left) => (left, 0),
            };
            program.push(SockFilter::new(code, yes, no, value)).map_err(too_long)?;
        }
    }
    program.push(SockFilter::new(code::RETURN, 0, 0, pass)).map_err(too_long)?;
    program.push(SockFilter::new(code::RETURN, 0, 0, 0)).map_err(too_long)?;
    Ok(program)
}

/// The jump after an instruction.
#[derive(Clone, Copy)]
enum Jump {
    No,
    DropUnless,
    DropIf,
    /// Jumps over the rest of the test, which has this many instructions, when it is passed.
    PassIf(u8),
}

fn parts(test: Test) -> Vec<(u16, Jump, u32), 5> {
    let equal = |load, at, value| {
        Vec::from_iter([(load, Jump::No, at), (code::JUMP_EQUAL, Jump::DropUnless, value)])
    };
    let without = |load, at, bits| {
        Vec::from_iter([(load, Jump::No, at), (code::JUMP_ANY_BIT, Jump::DropIf, bits)])
    };
    match test {
        Test::Octet(at, value) => equal(code::LOAD_OCTET, at, value.into()),
        Test::OctetWithout(at, bits) => without(code::LOAD_OCTET, at, bits.into()),
        Test::Half(at, value) => equal(code::LOAD_HALF, at, value.into()),
        Test::HalfWithout(at, bits) => without(code::LOAD_HALF, at, bits.into()),
        Test::Word(at, value) => equal(code::LOAD_WORD, at, value),
        Test::ZeroOrSameWord(a, b) => Vec::from_iter([
            (code::LOAD_WORD, Jump::No, a),
            (code::JUMP_EQUAL, Jump::PassIf(3), 0),
            (code::COPY_TO_INDEX, Jump::No, 0),
            (code::LOAD_WORD, Jump::No, b),
            (code::JUMP_EQUAL_INDEX, Jump::DropUnless, 0),
        ]),
        Test::ForUs => {
            let packet_type = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
            Vec::from_iter([
                (code::LOAD_WORD, Jump::No, packet_type),
                (code::JUMP_EQUAL, Jump::DropIf, u32::from(libc::PACKET_OTHERHOST)),
            ])
        }
    }
}
