//! Reading once there is something.

use std::io;

use async_io::Async;

/// Reads as soon as there is something. Unlike [`Async::read_with`], it does not look again
/// whenever its task is woken for something else: the supervisor's task waits for a dozen things.
///
/// # Errors
/// What `read` says, but for [`io::ErrorKind::WouldBlock`].
pub async fn read<S, T>(
    source: &Async<S>,
    mut read: impl FnMut(&S) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match read(source.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => source.readable().await?,
            done => return done,
        }
    }
}
