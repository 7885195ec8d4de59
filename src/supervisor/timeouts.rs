//! Tasks, and waiting with an end.

use std::time::Duration;

use smol::future::{FutureExt, or};
use smol::{LocalExecutor, Task, Timer};

use crate::system::heap;

/// Starts a task. All are of one type: the machinery of a task is several kilobytes for each.
pub fn start<'a>(executor: &LocalExecutor<'a>, work: impl Future<Output = ()> + 'a) -> Task<()> {
    executor.spawn(work.boxed_local())
}

/// What the future gives, or `None` when it takes longer than `limit`.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    or(async { Some(future.await) }, async {
        Timer::after(limit).await;
        None
    })
    .await
}

/// How long to wait for the end of a process: longer where memory is recorded, since the names of
/// functions are looked up then.
pub fn end_timeout(limit: Duration) -> Duration {
    if heap::is_recording() { limit * 10 } else { limit }
}
