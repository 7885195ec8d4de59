//! What happened: a hash of everything, and readable lines when somebody wants to read them.

use steadfast::units::Instant;

/// The record of one run.
#[derive(Debug)]
pub struct Timeline {
    hash: u64,
    /// `None`: only the hash is wanted.
    lines: Option<Vec<String>>,
    /// Print each line as it comes.
    pub live: bool,
    closed: bool,
}

impl Timeline {
    pub fn new(recording: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: recording.then(Vec::new),
            live: false,
            closed: false,
        }
    }

    /// FNV-1a over words instead of octets.
    pub fn mix(&mut self, now: Instant, words: [u64; 3]) {
        for word in [now.as_nanos(), words[0], words[1], words[2]] {
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
            self.hash ^= self.hash >> 29;
        }
    }

    /// Mixes in the text of something rare.
    pub fn mix_text(&mut self, now: Instant, node: usize, text: &str) {
        let mut word = 0xcbf2_9ce4_8422_2325_u64;
        for octet in text.bytes() {
            word = (word ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.mix(now, [99, node as u64, word]);
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Nothing that comes now is worth reading.
    pub fn close(&mut self) {
        self.closed = true;
    }

    pub fn recording(&self) -> bool {
        self.lines.is_some()
    }

    pub fn line(&mut self, now: Instant, who: &str, text: &str) {
        if let Some(lines) = self.lines.as_mut().filter(|_| !self.closed) {
            let line = format!("{:>14}  {who:<6} {text}", format!("{now:?}"));
            if self.live {
                println!("{line}");
            }
            lines.push(line);
        }
    }

    /// The end of the record.
    pub fn last(&self, count: usize) -> &[String] {
        self.lines.as_deref().map_or(&[], |lines| &lines[lines.len().saturating_sub(count)..])
    }
}

/// Adds a line to the world's timeline when it is recorded; the arguments are not evaluated
/// otherwise.
macro_rules! note {
    ($world:expr, node $node:expr, $($text:tt)*) => {
        if $world.timeline.recording() {
            let text = format!($($text)*);
            let who = format!("n{}", $node);
            $world.timeline.line($world.now, &who, &text);
        }
    };
    ($world:expr, $who:literal, $($text:tt)*) => {
        if $world.timeline.recording() {
            let text = format!($($text)*);
            $world.timeline.line($world.now, $who, &text);
        }
    };
}
pub(crate) use note;
