//! The kernel's answers: acknowledgements and errors (`netlink:N-6`).

use std::fmt;

use nix::errno::Errno;

use super::consts;
use super::frame::{HEADER_LEN, Malformed, Message, attributes, u32_at};

/// Why the kernel refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelError {
    /// The number.
    pub errno: Errno,
    /// The kernel's own words, when it has any.
    pub text: Option<Box<str>>,
    /// Octets from the start of the request to what is wrong.
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

/// What an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Done, perhaps with a warning in the kernel's words.
    Done(Option<Box<str>>),
    /// Not done.
    Refused(KernelError),
}

impl Verdict {
    /// From an error number as the kernel writes it (0, or negative) and attributes.
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

    /// From a message of type ERROR (2); `None` for every other type.
    ///
    /// # Errors
    /// [`Malformed`] when its lengths are wrong.
    pub fn of_answer(message: &Message<'_>) -> Result<Option<Self>, Malformed> {
        if message.kind != consts::NLMSG_ERROR {
            return Ok(None);
        }
        let number = u32_at(message.payload, 0)?;
        // The request: its header always, the rest of it unless capped.
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

    /// From the payload of a message of type DONE (3), which may hold an error
    /// (`netlink:N-8`).
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

/// A string of the kernel, without the zero octet at its end.
pub(super) fn string(value: &[u8]) -> Box<str> {
    let text = value.split(|octet| *octet == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(text).into()
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{KernelError, Verdict};
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

    fn verdict(octets: &[u8]) -> Result<Option<Verdict>, Malformed> {
        Verdict::of_answer(&messages(octets).next().unwrap()?)
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
        assert_eq!(verdict(&answer(0, 0x100, &[], &[])), Ok(Some(Verdict::Done(None))));
        let warned = answer(0, 0x300, &[1; 8], &text("old"));
        assert_eq!(verdict(&warned), Ok(Some(Verdict::Done(Some("old".into())))));
        // The request is repeated: the attributes follow it.
        let long = answer(0, 0x200, &[1; 8], &text("old"));
        assert_eq!(verdict(&long), Ok(Some(Verdict::Done(Some("old".into())))));
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
        assert_eq!(verdict(&refused), Ok(Some(Verdict::Refused(expected))));
    }

    #[test]
    fn lengths_that_lie_are_found() {
        let whole = answer(0, 0x200, &[1; 8], &text("old"));
        let mut liar = whole.clone();
        liar[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(verdict(&liar), Err(Malformed::Length));
        let mut nothing = answer(i32::MIN, 0x100, &[], &[]);
        assert_eq!(verdict(&nothing), Err(Malformed::Body));
        nothing[..4].copy_from_slice(&18_u32.to_ne_bytes());
        assert_eq!(verdict(&nothing), Err(Malformed::Length));
    }

    #[test]
    fn the_end_of_a_dump_may_be_an_error() {
        assert_eq!(Verdict::of_end(&[]), Ok(Verdict::Done(None)));
        assert_eq!(Verdict::of_end(&[0; 4]), Ok(Verdict::Done(None)));
        let number = (-(Errno::EINTR as i32)).to_ne_bytes();
        let Ok(Verdict::Refused(error)) = Verdict::of_end(&number) else { panic!("no error") };
        assert_eq!(error.errno, Errno::EINTR);
    }
}
