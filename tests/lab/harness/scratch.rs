//! Directories for the files of a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How their names begin; the process id follows.
const NAME: &str = "steadfast-lab";

/// A new directory, removed when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one. The first of a process removes those of processes that were killed.
    pub fn new() -> Self {
        static SWEEP: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        SWEEP.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{NAME}-{}-{number}", std::process::id()));
        fs::create_dir(&path)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes all directories of this process; for the end of one that does not unwind.
pub fn remove_all() {
    remove(|id| id == std::process::id());
}

/// Removes what others left.
fn sweep() {
    remove(|id| !Path::new("/proc").join(id.to_string()).exists());
}

fn remove(is_wanted: impl Fn(u32) -> bool) {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| {
            name.strip_prefix(NAME)?.strip_prefix('-')?.split('-').next()?.parse().ok()
        });
        if id.is_some_and(&is_wanted) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
