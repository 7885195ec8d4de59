//! The stack size of the threads of this process.

/// The stack size of threads. They need little, and with locked memory the whole stack counts.
pub const STACK_OCTETS: usize = 128 * 1024;

/// The environment variable with the stack size that Rust's standard library uses for threads.
const MIN_STACK_VARIABLE: &str = "RUST_MIN_STACK";

/// Sets the stack size of threads that libraries start. To be called before the first thread is started.
pub fn set_stack_size() {
    // SAFETY: this is the only thread, so no other one reads the environment.
    unsafe { std::env::set_var(MIN_STACK_VARIABLE, STACK_OCTETS.to_string()) };
}
