//! Lines from a client that may send anything.

use crate::control::request::MAX_LINE;

/// Takes octets as they come and gives whole lines.
#[derive(Debug, Default)]
pub struct Lines {
    octets: Vec<u8>,
}

/// A line is longer than [`MAX_LINE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

impl Lines {
    /// Adds what was received. To be called when there is no whole line left, so that never more
    /// than a line and what is received at once is kept.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The next line without its end.
    ///
    /// # Errors
    /// It is too long; what follows cannot be told from it.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        match self.octets.iter().position(|octet| *octet == b'\n') {
            Some(end) if end <= MAX_LINE => {
                let mut line: Vec<u8> = self.octets.drain(..=end).collect();
                line.pop();
                line.pop_if(|last| *last == b'\r');
                Ok(Some(line))
            }
            None if self.octets.len() <= MAX_LINE => Ok(None),
            Some(_) | None => Err(TooLong),
        }
    }

    /// The sender has ended: what is left counts as a line.
    pub fn end(&mut self) -> Option<Vec<u8>> {
        (!self.octets.is_empty()).then(|| std::mem::take(&mut self.octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_however_they_are_cut() {
        for cut in 1..12 {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for part in b"one\r\ntwo\n\nrest".chunks(cut) {
                lines.push(part);
                while let Some(line) = lines.next_line().unwrap() {
                    found.push(line);
                }
            }
            found.extend(lines.end());
            assert_eq!(found, [&b"one"[..], b"two", b"", b"rest"], "cut every {cut} octets");
            assert_eq!(lines.end(), None);
        }
    }

    #[test]
    fn a_line_has_an_end() {
        let mut lines = Lines::default();
        lines.push(&[b'a'; MAX_LINE]);
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"\n");
        assert_eq!(lines.next_line().unwrap().unwrap().len(), MAX_LINE);
        lines.push(&[b'a'; MAX_LINE + 1]);
        assert_eq!(lines.next_line(), Err(TooLong));
        lines.push(b"\n");
        assert_eq!(lines.next_line(), Err(TooLong));
    }
}
