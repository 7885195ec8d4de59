//! The documents of the cases.

use std::fs;
use std::path::{Path, PathBuf};

use steadfast::control::status::{Document, SCHEMA};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/status/cases")
}

/// The files of the cases, in order.
pub fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    assert!(files.len() >= 14);
    files
}

/// A document with its verdict.
pub fn read(file: &Path) -> Document {
    let mut document: Document = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(document.schema, SCHEMA);
    document.conclude();
    document
}

/// The document of a case by the start of its name.
pub fn named(start: &str) -> Document {
    let named = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(start);
    read(&files().into_iter().find(named).unwrap())
}
