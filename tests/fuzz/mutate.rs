//! Small changes of known inputs, drawn from a seed.

/// The longest input that is made.
const MAX_INPUT_OCTETS: usize = 4_096;

/// xorshift64*.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 to `bound` - 1.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// An entry of the corpus with one to eight changes.
    pub fn mutate(&mut self, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
        input.clear();
        input.extend_from_slice(&corpus[self.below(corpus.len())]);
        for _ in 0..=self.below(8) {
            self.change(corpus, input);
        }
        input.truncate(MAX_INPUT_OCTETS);
    }

    fn change(&mut self, corpus: &[Vec<u8>], input: &mut Vec<u8>) {
        let len = input.len();
        let at = self.below(len + 1);
        let span = 1 + self.below(8).min(len.saturating_sub(at));
        let end = (at + span).min(len);
        match self.below(8) {
            0 if at < len => input[at] ^= 1 << self.below(8),
            1 if at < len => input[at] = self.next() as u8,
            2 if at < len => input[at] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'"'][self.below(7)],
            3 => drop(input.drain(at..end)),
            4 => {
                let made: Vec<u8> = (0..span).map(|_| self.next() as u8).collect();
                input.splice(at..at, made);
            }
            5 => {
                let copy = input[at..end].to_vec();
                let to = self.below(len + 1);
                input.splice(to..to, copy);
            }
            6 => {
                // A piece of another entry.
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                let to = (from + self.below(64)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => input.truncate(len - self.below(len + 1) / 4),
        }
    }
}
