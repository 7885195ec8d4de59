//! How tasks of the supervisor wake each other.

use std::cell::Cell;

use smol::channel::{Receiver, Sender, bounded};

/// One task notifies, another one waits; several notifications before the wait count as one.
#[derive(Debug)]
pub struct Notify {
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Notify {
    /// Without a notification.
    pub fn new() -> Self {
        let (sender, receiver) = bounded(1);
        Self { sender, receiver }
    }

    /// Wakes the task that waits, or the next one that does.
    pub fn notify(&self) {
        // A full channel holds a notification already.
        let _ = self.sender.try_send(());
    }

    /// Waits for a notification.
    pub async fn notified(&self) {
        // Both ends are here, so the channel is never closed.
        let _ = self.receiver.recv().await;
    }
}

/// Something that happens once; all who wait for it are woken, also those who come later.
#[derive(Debug)]
pub struct Once {
    happened: Cell<bool>,
    /// Closed when it happens.
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Once {
    /// Not yet.
    pub fn new() -> Self {
        let (sender, receiver) = bounded(1);
        Self { happened: Cell::new(false), sender, receiver }
    }

    /// It happens now.
    pub fn happen(&self) {
        self.happened.set(true);
        self.sender.close();
    }

    /// Whether it has happened.
    pub fn has_happened(&self) -> bool {
        self.happened.get()
    }

    /// Waits until it has happened.
    pub async fn wait(&self) {
        // Nothing is ever sent, so this ends when the channel is closed.
        let _ = self.receiver.recv().await;
    }
}
