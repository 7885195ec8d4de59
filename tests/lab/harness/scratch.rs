//! Directories for the files of a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Pid;

use super::process::is_alive;

/// How their names begin; the process id follows.
const NAME: &str = "steadfast-lab";
/// Lines of a log that [`logs`] gives.
const LAST: usize = 20;

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

/// The last lines of all log files of this process, with their names.
pub fn logs() -> Vec<(String, String)> {
    let routers = directories().filter(|(id, _)| *id == std::process::id());
    let routers = routers.flat_map(|(_, path)| fs::read_dir(path).into_iter().flatten().flatten());
    let files = routers.flat_map(|e| fs::read_dir(e.path()).into_iter().flatten().flatten());
    let logs = files.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "log"));
    let last = |path: PathBuf| {
        let words = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = words.lines().collect();
        let from = lines.len().saturating_sub(LAST);
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name, lines.get(from..).unwrap_or_default().join("\n"))
    };
    logs.map(last).collect()
}

/// Removes all directories of this process; for the end of one that does not unwind.
pub fn remove_all() {
    remove(|id| id == std::process::id());
}

/// Removes what others left.
fn sweep() {
    remove(|id| !is_alive(Pid::from_raw(id.cast_signed())));
}

fn remove(is_wanted: impl Fn(u32) -> bool) {
    for (_, path) in directories().filter(|(id, _)| is_wanted(*id)) {
        let _ = fs::remove_dir_all(path);
    }
}

/// All there are, each with the process that made it.
fn directories() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name();
        let id = name.to_str()?.strip_prefix(NAME)?.strip_prefix('-')?.split('-').next()?;
        Some((id.parse().ok()?, entry.path()))
    })
}
