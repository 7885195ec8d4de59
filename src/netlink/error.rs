//! The kernel's answers: acknowledgements and errors (`netlink:N-6`).

use std::fmt;

use nix::errno::Errno;

use super::consts;
use super::frame::{HEADER_LEN, Malformed, Message, attributes, u32_at};

/// Why the kernel refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelError {
    /// The error number.
    pub errno: Errno,
    /// The kernel's description, if it sent one.
    pub text: Option<Box<str>>,
    /// Octets from the start of the request to the error.
    pub offset: Option<u32>,
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.errno.desc())?;
        if let Some(text) = &self.text {
            write!(f, " ({text})")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset} of the request")?;
        }
        Ok(())
    }
}

impl std::error::Error for KernelError {}

/// The kernel's reply to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Done, with the text of the kernel's warning if there is one.
    Done(Option<Box<str>>),
    /// Refused.
    Refused(KernelError),
}

impl Reply {
    /// A reply from the error number of the kernel (0 or negative) and the attributes.
    fn new(number: u32, octets: &[u8]) -> Result<Self, Malformed> {
        let (mut text, mut offset) = (None, None);
        for attribute in attributes(octets) {
            match attribute? {
                (consts::NLMSGERR_ATTR_MSG, value) => text = Some(string(value)),
                (consts::NLMSGERR_ATTR_OFFS, value) => offset = Some(u32_at(value, 0)?),
                (_, _) => {}
            }
        }
        match number.cast_signed().checked_neg() {
            Some(0) => Ok(Self::Done(text)),
            Some(errno) => {
                Ok(Self::Refused(KernelError { errno: Errno::from_raw(errno), text, offset }))
            }
            None => Err(Malformed::Body),
        }
    }

    /// Decodes a message of type ERROR (2); `None` for every other type.
    ///
    /// # Errors
    /// [`Malformed`] when its lengths are wrong.
    pub fn of_answer(message: &Message<'_>) -> Result<Option<Self>, Malformed> {
        if message.kind != consts::NLMSG_ERROR {
            return Ok(None);
        }
        let number = u32_at(message.payload, 0)?;
        // The header of the request is always repeated, the rest of it unless the answer is capped.
        let repeated = if message.flags.capped() {
            HEADER_LEN
        } else {
            let len = u32_at(message.payload, 4)?;
            usize::try_from(len).map_err(|_| Malformed::Length)?.next_multiple_of(4)
        };
        let octets = if message.flags.has_attributes() {
            message.payload.get(4 + repeated..).ok_or(Malformed::Length)?
        } else {
            &[]
        };
        Self::new(number, octets).map(Some)
    }

    /// Decodes the payload of a message of type DONE (3), which may hold an error (`netlink:N-8`).
    ///
    /// # Errors
    /// [`Malformed`] when its lengths are wrong.
    pub fn of_end(payload: &[u8]) -> Result<Self, Malformed> {
        match payload.split_at_checked(4) {
            None => Ok(Self::Done(None)),
            Some((_, rest)) => Self::new(u32_at(payload, 0)?, rest),
        }
    }
}

/// A string from the kernel, without its final NUL.
pub(super) fn string(value: &[u8]) -> Box<str> {
    let text = value.split(|octet| *octet == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(text).into()
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{KernelError, Reply};
    use crate::netlink::frame::{Malformed, messages};

    /// A message of type ERROR: the errno, the header of a request with `body`, attributes.
    fn answer(errno: i32, flags: u16, body: &[u8], attributes: &[u8]) -> Vec<u8> {
        let mut payload = errno.to_ne_bytes().to_vec();
        payload.extend(u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
        payload.extend([0; 12]);
        if flags & 0x100 == 0 {
            payload.extend(body);
        }
        payload.extend(attributes);
        let mut octets = u32::try_from(16 + payload.len()).unwrap().to_ne_bytes().to_vec();
        octets.extend(2_u16.to_ne_bytes());
        octets.extend(flags.to_ne_bytes());
        octets.extend([0; 8]);
        octets.extend(payload);
        octets
    }

    fn reply(octets: &[u8]) -> Result<Option<Reply>, Malformed> {
        Reply::of_answer(&messages(octets).next().unwrap()?)
    }

    fn text(words: &str) -> Vec<u8> {
        let len = 4 + words.len() + 1;
        let mut octets = u16::try_from(len).unwrap().to_ne_bytes().to_vec();
        octets.extend(1_u16.to_ne_bytes());
        octets.extend(words.as_bytes());
        octets.resize(len.next_multiple_of(4), 0);
        octets
    }

    /// netlink:N-6
    #[test]
    fn an_acknowledgement_may_warn() {
        assert_eq!(reply(&answer(0, 0x100, &[], &[])), Ok(Some(Reply::Done(None))));
        let warned = answer(0, 0x300, &[1; 8], &text("old"));
        assert_eq!(reply(&warned), Ok(Some(Reply::Done(Some("old".into())))));
        // The request is repeated: the attributes follow it.
        let long = answer(0, 0x200, &[1; 8], &text("old"));
        assert_eq!(reply(&long), Ok(Some(Reply::Done(Some("old".into())))));
    }

    /// netlink:N-6
    #[test]
    fn an_error_says_why_and_where() {
        let mut attributes = text("no such");
        attributes.extend(8_u16.to_ne_bytes());
        attributes.extend(2_u16.to_ne_bytes());
        attributes.extend(24_u32.to_ne_bytes());
        let refused = answer(-(Errno::ENODEV as i32), 0x200, &[1; 12], &attributes);
        let expected =
            KernelError { errno: Errno::ENODEV, text: Some("no such".into()), offset: Some(24) };
        assert_eq!(expected.to_string(), "No such device (no such) at byte 24 of the request");
        assert_eq!(reply(&refused), Ok(Some(Reply::Refused(expected))));
    }

    #[test]
    fn lengths_that_lie_are_found() {
        let whole = answer(0, 0x200, &[1; 8], &text("old"));
        let mut liar = whole.clone();
        liar[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(reply(&liar), Err(Malformed::Length));
        let mut nothing = answer(i32::MIN, 0x100, &[], &[]);
        assert_eq!(reply(&nothing), Err(Malformed::Body));
        nothing[..4].copy_from_slice(&18_u32.to_ne_bytes());
        assert_eq!(reply(&nothing), Err(Malformed::Length));
    }

    #[test]
    fn the_end_of_a_dump_may_be_an_error() {
        assert_eq!(Reply::of_end(&[]), Ok(Reply::Done(None)));
        assert_eq!(Reply::of_end(&[0; 4]), Ok(Reply::Done(None)));
        let number = (-(Errno::EINTR as i32)).to_ne_bytes();
        let Ok(Reply::Refused(error)) = Reply::of_end(&number) else { panic!("no error") };
        assert_eq!(error.errno, Errno::EINTR);
    }
}
