//! The threads of this process.

/// Octets of the stack of a thread that says nothing else: those that we have do little, and
/// locked memory counts what could be used as well.
pub const STACK: usize = 128 * 1024;

/// Where Rust's library looks for it.
const STACK_VARIABLE: &str = "RUST_MIN_STACK";

/// Gives the threads that libraries will start a small stack. To be called before there is one.
pub fn keep_stacks_small() {
    // SAFETY: nobody reads the environment meanwhile: this is the only thread.
    unsafe { std::env::set_var(STACK_VARIABLE, STACK.to_string()) };
}
