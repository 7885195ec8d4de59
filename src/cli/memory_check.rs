//! `--memory-check`: lists every block that is still in use at the end, by call site. It is for
//! developers; only builds with debug assertions have it.

use super::UsageError;
use super::output::Output;

/// The option, without its dashes.
pub const OPTION: &str = "memory-check";

/// Begins to record blocks.
///
/// # Errors
/// This build cannot.
#[cfg(debug_assertions)]
pub fn begin() -> Result<(), UsageError> {
    crate::system::heap::record::start();
    Ok(())
}

/// Begins to record blocks.
///
/// # Errors
/// This build cannot.
#[cfg(not(debug_assertions))]
pub fn begin() -> Result<(), UsageError> {
    Err(UsageError::new(
        "this build does not record memory",
        "use one with debug assertions: cargo build makes target/debug/steadfast",
    ))
}

/// Reports the blocks in use, if they were recorded. To be called after all values are dropped.
#[cfg(debug_assertions)]
pub fn finish(output: &mut Output) {
    if crate::system::heap::is_recording() {
        let report = |line: &str| output.err(&format!("memory check: {line}\n"));
        crate::system::heap::record::finish(report);
    }
}

/// Reports nothing: this build does not record blocks.
#[cfg(not(debug_assertions))]
pub fn finish(_: &mut Output) {}

/// Lets the reactor of async-io free its timers. It does so only when it runs, and a timer that has
/// expired already does not make it run. To be called after its last use.
pub fn settle() {
    #[cfg(debug_assertions)]
    if crate::system::heap::is_recording() {
        async_io::block_on(async {
            async_io::Timer::after(std::time::Duration::from_millis(1)).await;
        });
    }
}
