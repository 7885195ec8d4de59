//! `--memory-check`: at the end every block that is still in use is listed, by who asked for it.
//! For those who work on the program: builds with debug assertions have it.

use super::Wrong;
use super::output::Output;

/// The option, without its dashes.
pub const OPTION: &str = "memory-check";

/// Begins to record blocks.
///
/// # Errors
/// This build cannot.
#[cfg(debug_assertions)]
pub fn begin() -> Result<(), Wrong> {
    crate::system::heap::record::start();
    Ok(())
}

/// Begins to record blocks.
///
/// # Errors
/// This build cannot.
#[cfg(not(debug_assertions))]
pub fn begin() -> Result<(), Wrong> {
    Err(Wrong::new(
        "this build does not record memory",
        "use one with debug assertions: cargo build makes target/debug/steadfast",
    ))
}

/// Says what is still in use, when that was asked for. To be called when nothing of ours is left.
#[cfg(debug_assertions)]
pub fn finish(output: &mut Output) {
    if crate::system::heap::is_recording() {
        let say = |line: &str| output.err(&format!("memory check: {line}\n"));
        crate::system::heap::record::finish(say);
    }
}

/// Nothing to say.
#[cfg(not(debug_assertions))]
pub fn finish(_: &mut Output) {}

/// To be called after the last work of the reactor: it hears only when it runs that a timer is not
/// needed any more, and a timer that is over at once does not let it run.
pub fn settle() {
    #[cfg(debug_assertions)]
    if crate::system::heap::is_recording() {
        async_io::block_on(async {
            async_io::Timer::after(std::time::Duration::from_millis(1)).await;
        });
    }
}
