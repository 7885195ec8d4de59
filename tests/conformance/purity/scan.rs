//! A small scanner of Rust source: enough to tell code from comments, literals and tests, and to
//! list the paths that a file names.

/// A word or a punctuation mark, with its line (from 1). `::` is one token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path as written, with use trees taken apart: `use a::{b, c::*}` is `a::b` and `a::c::*`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    pub segments: Vec<String>,
    pub line: usize,
    /// Named by a `use` item.
    pub imported: bool,
}

impl Path {
    pub fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// The source with comments and the contents of literals replaced by blanks; same lines.
pub fn blank(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let after_word = at > 0 && text.get(at - 1).is_some_and(|&p| is_word(p));
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['"', ..] => string(rest),
            ['\'', ..] => char_literal(rest),
            ['r' | 'b' | 'c', ..] if !after_word => prefixed_literal(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(c);
            at += 1;
        } else {
            out.extend(rest.iter().take(length).map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at += length;
        }
    }
    out
}

fn block_comment(text: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    loop {
        match text.get(at..) {
            Some(['/', '*', ..]) => {
                depth += 1;
                at += 2;
            }
            Some(['*', '/', ..]) => {
                depth -= 1;
                at += 2;
            }
            None | Some([]) => return text.len(),
            Some(_) => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

/// The length of the string at the start, quotes included.
fn string(text: &[char]) -> usize {
    let mut at = 1;
    loop {
        match text.get(at) {
            Some('"') => return at + 1,
            Some('\\') => at += 2,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

/// The length of a character literal; 0 for a lifetime or a label.
fn char_literal(text: &[char]) -> usize {
    match text {
        ['\'', '\\', _, rest @ ..] => {
            rest.iter().position(|&c| c == '\'').map_or(text.len(), |end| end + 4)
        }
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

/// The length of `r"..."`, `br#"..."#`, `b"..."`, `c"..."`, `b'.'`; 0 when it is none of them.
fn prefixed_literal(text: &[char]) -> usize {
    let letters = text.iter().take_while(|&&c| matches!(c, 'r' | 'b' | 'c')).count().min(2);
    let raw = text.iter().take(letters).any(|&c| c == 'r');
    let after = text.get(letters..).unwrap_or_default();
    match after {
        ['\'', ..] if letters == 1 && text.first() == Some(&'b') => match char_literal(after) {
            0 => 0,
            length => letters + length,
        },
        ['"', ..] if !raw => letters + string(after),
        ['"' | '#', ..] if raw => {
            let hashes = after.iter().take_while(|&&c| c == '#').count();
            if after.get(hashes) != Some(&'"') {
                return 0;
            }
            let mut end = vec!['"'];
            end.extend(std::iter::repeat_n('#', hashes));
            let body = after.get(hashes + 1..).unwrap_or_default();
            body.windows(end.len())
                .position(|w| w == end)
                .map_or(text.len(), |at| letters + hashes + 1 + at + end.len())
        }
        _ => 0,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The tokens of the source, without those of items under `#[cfg(test)]` or `#[test]`.
pub fn tokens(source: &str) -> Vec<Token> {
    without_tests(&all_tokens(source))
}

/// The tokens of the source, tests included.
pub fn all_tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, line) in blank(source).lines().enumerate() {
        let mut word = String::new();
        let mut push = |text: String| tokens.push(Token { text, line: index + 1 });
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if is_word(c) {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                push(std::mem::take(&mut word));
            }
            if c == ':' && chars.next_if_eq(&':').is_some() {
                push("::".to_owned());
            } else if !c.is_whitespace() {
                push(c.to_string());
            }
        }
        if !word.is_empty() {
            push(word);
        }
    }
    tokens
}

fn texts(tokens: &[Token]) -> Vec<&str> {
    tokens.iter().map(|t| t.text.as_str()).collect()
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((first, tail)) = rest.split_first() {
        let words = texts(rest.get(..7).unwrap_or(rest));
        let test = words.starts_with(&["#", "[", "test", "]"])
            || words.starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]);
        if test {
            rest = rest.get(item(rest)..).unwrap_or_default();
        } else {
            kept.push(first.clone());
            rest = tail;
        }
    }
    kept
}

/// The number of tokens of the item at the start: up to its `;` or `,`, or to the brace that
/// closes its body.
fn item(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    let mut import = false;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "use" if depth == 0 => import = true,
            "{" | "(" | "[" => depth += 1,
            "}" if depth <= 1 && !import => return index + usize::from(depth == 1),
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            ";" | "," if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The paths that the tokens name, single names included.
pub fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        // Captures like `use<'a>` name no path.
        if token.text == "use" && tokens.get(at + 1).is_none_or(|t| t.text != "<") {
            at = use_tree(tokens, at + 1, &[], &mut found);
        } else if token.text.starts_with(is_word) {
            let mut segments = vec![token.text.clone()];
            while tokens.get(at + 1).is_some_and(|t| t.text == "::")
                && tokens.get(at + 2).is_some_and(|t| t.text.starts_with(is_word))
            {
                segments.extend(tokens.get(at + 2).map(|t| t.text.clone()));
                at += 2;
            }
            found.push(Path { segments, line: token.line, imported: false });
            at += 1;
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one use tree; returns the index of what follows.
pub fn use_tree(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    let mut line = tokens.get(at).map_or(0, |t| t.line);
    let mut group = false;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "{" => {
                group = true;
                at += 1;
                while tokens.get(at).is_some_and(|t| t.text != "}") {
                    at = use_tree(tokens, at, &segments, found);
                    if tokens.get(at).is_some_and(|t| t.text == ",") {
                        at += 1;
                    }
                }
                at += 1;
            }
            // `use a as b` is a use of a.
            "as" => at += 2,
            ";" | "," | "}" => break,
            "self" if segments.len() > prefix.len() || !prefix.is_empty() => at += 1,
            name => {
                line = token.line;
                segments.push(name.to_owned());
                at += 1;
            }
        }
    }
    if !group {
        found.push(Path { segments, line, imported: true });
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{all_tokens, blank, paths, texts, tokens};

    fn words(source: &str) -> String {
        let found = tokens(source);
        texts(&found).join(" ")
    }

    #[test]
    fn comments_and_literals_are_blank() {
        for (source, code) in [
            ("a // smol\nb", "a b"),
            ("a /* x /* smol */ smol */ b", "a b"),
            ("a /* never closed", "a"),
            (r#"a("smol \" smol", b)"#, "a ( , b )"),
            (r###"a(r#"smol " smol"#, br"\", c"x", b"y", b'\'', b)"###, "a ( , , , , , b )"),
            ("a('\"', b, '\\'', 'x', '\\u{1f}')", "a ( , b , , , )"),
            (
                "fn a<'b>(c: &'b str) { 'd: loop {} }",
                "fn a < ' b > ( c : & ' b str ) { ' d : loop { } }",
            ),
            ("r#type.bar()", "r # type . bar ( )"),
            ("/// smol\n//! smol\n/** smol */ a", "a"),
        ] {
            assert_eq!(words(source), code, "{source}");
        }
    }

    #[test]
    fn lines_stay() {
        let source = "/* 1\n2 */ a \"\n\" b\n// c\nd";
        let lines: Vec<_> = all_tokens(source).into_iter().map(|t| (t.text, t.line)).collect();
        assert_eq!(lines, [("a".into(), 2), ("b".into(), 3), ("d".into(), 5)]);
        assert_eq!(blank(source).lines().count(), source.lines().count());
    }

    #[test]
    fn tests_are_left_out() {
        for (source, code) in [
            ("a #[cfg(test)] mod tests { use b; fn c() { d() } } e", "a e"),
            ("a #[cfg(test)] mod tests; e", "a e"),
            ("a #[test] #[should_panic] fn b() -> [u8; 4] { c(); } e", "a e"),
            ("a #[cfg(test)] use b::{c, d}; e", "a e"),
            ("struct A { #[cfg(test)] b: [u8; 2], e: f }", "struct A { e : f }"),
            ("struct A { #[cfg(test)] b: c } e", "struct A { } e"),
            ("a #[cfg(not(test))] b", "a # [ cfg ( not ( test ) ) ] b"),
        ] {
            assert_eq!(words(source), code, "{source}");
        }
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let source = "use a::{self, b::{c, d as e}, f::*};\npub use g;\nh::i::<J>(k);\nuse ::l::m;";
        let found: Vec<_> =
            paths(&tokens(source)).iter().map(|p| (p.text(), p.line, p.imported)).collect();
        let want = [
            ("a", 1, true),
            ("a::b::c", 1, true),
            ("a::b::d", 1, true),
            ("a::f::*", 1, true),
            ("pub", 2, false),
            ("g", 2, true),
            ("h::i", 3, false),
            ("J", 3, false),
            ("k", 3, false),
            ("l::m", 4, true),
        ];
        assert_eq!(found, want.map(|(path, line, import)| (path.to_owned(), line, import)));
    }
}
