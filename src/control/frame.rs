//! Messages in a stream: four octets of length (little endian), then the message in postcard's
//! encoding. Both ends are the same binary, so there is no version in it.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message, in octets: a configuration of some ten thousand instances.
pub const MAX_FRAME_OCTETS: usize = 64 * 1024 * 1024;

/// Octets of the length.
const LENGTH_OCTETS: usize = 4;

/// Why the stream is of no use any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// A length beyond [`MAX_FRAME_OCTETS`].
    TooLong,
    /// Octets that are no message.
    Malformed,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a message that is too long",
            Self::Malformed => "a message that cannot be read",
        })
    }
}

impl std::error::Error for Broken {}

/// Appends a message.
///
/// # Errors
/// [`Broken`] when it is longer than [`MAX_FRAME_OCTETS`] or cannot be written.
pub fn encode(message: &impl Serialize, stream: &mut Vec<u8>) -> Result<(), Broken> {
    let start = stream.len();
    stream.extend([0; LENGTH_OCTETS]);
    let written = postcard::to_extend(message, Appender(stream)).map(|_| ());
    let len = stream.len() - start - LENGTH_OCTETS;
    let checked = match written {
        Ok(()) if len <= MAX_FRAME_OCTETS => u32::try_from(len).map_err(|_| Broken::TooLong),
        Ok(()) => Err(Broken::TooLong),
        Err(_) => Err(Broken::Malformed),
    };
    match checked {
        Ok(len) => {
            if let Some(place) = stream.get_mut(start..start + LENGTH_OCTETS) {
                place.copy_from_slice(&len.to_le_bytes());
            }
            Ok(())
        }
        Err(broken) => {
            stream.truncate(start);
            Err(broken)
        }
    }
}

/// postcard wants to own what it appends to.
struct Appender<'a>(&'a mut Vec<u8>);

impl Extend<u8> for Appender<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, octets: I) {
        self.0.extend(octets);
    }
}

/// Takes octets as they come and gives whole messages.
#[derive(Debug, Default)]
pub struct Decoder {
    octets: Vec<u8>,
    /// How many of them were given out already.
    used: usize,
}

impl Decoder {
    /// Adds what was received.
    pub fn push(&mut self, octets: &[u8]) {
        if self.used > 0 {
            self.octets.drain(..self.used);
            self.used = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    /// Whether nothing is left over of what was received.
    pub const fn is_empty(&self) -> bool {
        self.octets.len() == self.used
    }

    /// The next whole message; `None` until more octets come.
    ///
    /// # Errors
    /// [`Broken`]: nothing behind it can be found any more.
    pub fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Broken> {
        let rest = self.octets.get(self.used..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<LENGTH_OCTETS>() else {
            return Ok(None);
        };
        let len = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Broken::TooLong)?;
        if len > MAX_FRAME_OCTETS {
            return Err(Broken::TooLong);
        }
        let Some(body) = rest.get(..len) else { return Ok(None) };
        let message = postcard::from_bytes(body).map_err(|_| Broken::Malformed)?;
        self.used += LENGTH_OCTETS + len;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let mut stream = Vec::new();
        encode(&"first".to_owned(), &mut stream).unwrap();
        encode(&"second".to_owned(), &mut stream).unwrap();
        for cut in 1..stream.len() {
            let mut decoder = Decoder::default();
            let mut found: Vec<String> = Vec::new();
            for part in stream.chunks(cut) {
                decoder.push(part);
                while let Some(message) = decoder.message().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, ["first", "second"], "cut every {cut} octets");
        }
    }

    #[test]
    fn nonsense_breaks_the_stream_and_takes_no_memory() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_le_bytes());
        assert_eq!(decoder.message::<String>(), Err(Broken::TooLong));
        let mut decoder = Decoder::default();
        decoder.push(&[1, 0, 0, 0, 0xff]);
        assert_eq!(decoder.message::<String>(), Err(Broken::Malformed));
    }
}
