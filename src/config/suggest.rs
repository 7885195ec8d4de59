//! Which known word was probably meant.

/// The known word nearest to `word`, when it is near enough to be a misspelling.
pub fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(MAX_WORD_CHARS).map(fold).collect();
    // A third of the letters may be wrong: `prioritiy` is `priority`, `mtu` is not `tos`.
    let allowed = (word.len() / 3).max(1);
    let letters = word.len();
    let known = known.into_iter();
    known
        .clone()
        .filter(|candidate| candidate.len().abs_diff(letters) <= allowed)
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        .or_else(|| abbreviated(&word, known))
}

/// The only known word that begins with these letters.
fn abbreviated<'a>(word: &[char], known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let begins = |candidate: &&str| {
        let mut letters = candidate.chars();
        word.len() >= MIN_WORD_CHARS && word.iter().all(|letter| letters.next() == Some(*letter))
    };
    let mut found = known.filter(begins);
    found.next().filter(|_| found.next().is_none())
}

/// Fewer letters are no abbreviation.
const MIN_WORD_CHARS: usize = 3;

/// Longer words than all of ours are cut: the work stays bounded.
const MAX_WORD_CHARS: usize = 40;

/// Letters and separators that people take for the same.
fn fold(char: char) -> char {
    if char == '-' { '_' } else { char.to_ascii_lowercase() }
}

/// Insertions, deletions, replacements and swaps of neighbours that make one of the other.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().take(MAX_WORD_CHARS).map(fold).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut previous_b = None;
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut cost =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if let Some(k) = j.checked_sub(1)
                && previous_a == Some(y)
                && previous_b == Some(x)
            {
                cost = cost.min(at(&before, k) + 1);
            }
            row.push(cost);
            previous_b = Some(y);
        }
        previous_a = Some(x);
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["priority", "interface", "preempt", "preempt_delay", "mtu"];

    #[test]
    fn misspellings_are_recognised() {
        assert_eq!(nearest("prioritiy", KEYS), Some("priority"));
        assert_eq!(nearest("Interface", KEYS), Some("interface"));
        assert_eq!(nearest("interfcae", KEYS), Some("interface"));
        assert_eq!(nearest("preempt-delay", KEYS), Some("preempt_delay"));
    }

    #[test]
    fn other_words_are_not() {
        assert_eq!(nearest("tos", KEYS), None);
        assert_eq!(nearest("virtual", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
    }

    #[test]
    fn an_abbreviation_is_recognised_when_it_is_of_one_word() {
        assert_eq!(nearest("prio", KEYS), Some("priority"));
        assert_eq!(nearest("int", KEYS), Some("interface"));
        assert_eq!(nearest("pr", KEYS), None);
        assert_eq!(nearest("pree", KEYS), None);
    }

    #[test]
    fn a_swap_counts_once() {
        assert_eq!(distance(&['a', 'b'], "ba"), 1);
        assert_eq!(distance(&['a', 'b', 'c'], ""), 3);
    }
}
