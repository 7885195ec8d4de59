//! From the octets of a file to text.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest configuration that is read, in octets.
pub const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// Why there is no text.
#[derive(Debug)]
pub enum SourceError {
    /// There is no such file.
    Missing,
    /// This user may not read it.
    Permission,
    /// The file could not be read.
    Io(io::Error),
    /// It is a directory.
    Directory,
    /// It is larger than [`MAX_SIZE`].
    TooLarge,
    /// It is no text; with the line (from 1) and what was found there.
    NotText {
        /// The line, from 1.
        line: usize,
        /// The octet within the line, from 1.
        column: usize,
        /// What it is instead.
        found: &'static str,
    },
    /// It is a keepalived.conf.
    Keepalived,
    /// It is a UCI file.
    Uci,
}

impl SourceError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Missing => "name the file with -c FILE, or - for standard input",
            Self::Permission => "run it as a user that may read the file",
            Self::Io(_) => "see that the file can be read",
            Self::Directory => "name the file in it, such as steadfast.toml",
            Self::TooLarge => "see that it is the right file; a configuration has at most 16 MiB",
            Self::NotText { .. } => "save the file as plain text in UTF-8",
            Self::Keepalived => {
                "reading keepalived.conf is not built yet; write a TOML file, \
                 conf/steadfast.toml shows how"
            }
            Self::Uci => {
                "reading UCI is not built yet; write a TOML file, conf/steadfast.toml shows how"
            }
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Permission => f.write_str("permission denied"),
            Self::Io(error) => error.fmt(f),
            Self::Directory => f.write_str("this is a directory"),
            Self::TooLarge => f.write_str("this is larger than 16 MiB"),
            Self::NotText { line, column, found } => {
                write!(f, "line {line}, byte {column}: {found}")
            }
            Self::Keepalived => f.write_str("this is a keepalived.conf, by its name"),
            Self::Uci => f.write_str("this is a UCI file, by its place"),
        }
    }
}

impl std::error::Error for SourceError {}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        if kind == io::ErrorKind::NotFound {
            Self::Missing
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::Permission
        } else {
            Self::Io(error)
        }
    }
}

/// Reads a file.
pub fn read_file(path: &Path) -> Result<String, SourceError> {
    if path.extension() == Some(OsStr::new("conf")) {
        return Err(SourceError::Keepalived);
    }
    if path.starts_with("/etc/config") {
        return Err(SourceError::Uci);
    }
    let file = File::open(path)?;
    let metadata = file.metadata().ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(SourceError::Directory);
    }
    read_sized(file, metadata.map_or(0, |metadata| metadata.len()))
}

/// Reads until the end.
pub fn read_from(input: impl Read) -> Result<String, SourceError> {
    read_sized(input, 0)
}

/// The same of what has perhaps this many octets.
fn read_sized(input: impl Read, size: u64) -> Result<String, SourceError> {
    // One more shows the end.
    let size = usize::try_from(size.min(MAX_SIZE)).unwrap_or(0) + 1;
    let mut octets = Vec::with_capacity(size);
    input.take(MAX_SIZE + 1).read_to_end(&mut octets)?;
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > MAX_SIZE {
        return Err(SourceError::TooLarge);
    }
    decode(octets)
}

/// Makes text of octets: UTF-8, without a byte order mark and without NUL.
pub fn decode(octets: Vec<u8>) -> Result<String, SourceError> {
    if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
        return Err(SourceError::NotText { line: 1, column: 1, found: "UTF-16 and not UTF-8" });
    }
    // Looked for first in the way that is fast.
    if octets.contains(&0)
        && let Some(at) = octets.iter().position(|octet| *octet == 0)
    {
        return Err(not_text(&octets, at, "a NUL byte, so this is not a text file"));
    }
    let text = String::from_utf8(octets).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        not_text(error.as_bytes(), at, "a byte that is not UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

fn not_text(octets: &[u8], at: usize, found: &'static str) -> SourceError {
    let before = octets.get(..at).unwrap_or_default();
    let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|octet| **octet != b'\n').count() + 1;
    SourceError::NotText { line, column, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf8_without_mark_and_nul() {
        assert_eq!(decode(b"\xef\xbb\xbfa = 1\r\n".to_vec()).unwrap(), "a = 1\r\n");
        let error = decode(b"a\nb\0".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "line 2, byte 2: a NUL byte, so this is not a text file");
        assert!(matches!(
            decode(b"a\n\xff".to_vec()),
            Err(SourceError::NotText { line: 2, column: 1, .. })
        ));
        assert!(decode(b"\xff\xfea\0".to_vec()).unwrap_err().to_string().contains("UTF-16"));
    }

    #[test]
    fn more_than_the_limit_is_not_read() {
        let endless = io::repeat(b'#');
        assert!(matches!(read_from(endless), Err(SourceError::TooLarge)));
    }

    #[test]
    fn other_formats_are_named() {
        let kind = |path| read_file(Path::new(path)).unwrap_err();
        assert!(matches!(kind("/etc/keepalived/keepalived.conf"), SourceError::Keepalived));
        assert!(matches!(kind("/etc/config/steadfast"), SourceError::Uci));
        assert!(matches!(kind("/"), SourceError::Directory));
    }
}
