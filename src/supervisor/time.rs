//! Waiting with an end.

use std::time::Duration;

use smol::Timer;
use smol::future::or;

/// What the future gives, or `None` when it takes longer than `limit`.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    or(async { Some(future.await) }, async {
        Timer::after(limit).await;
        None
    })
    .await
}
