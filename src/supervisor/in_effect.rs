//! The configuration in effect.

use std::cell::{Cell, Ref, RefCell};
use std::path::PathBuf;

use super::notify::Notify;
use crate::config::model::Model;
use crate::units::Instant;

/// One configuration.
#[derive(Debug)]
pub struct Current {
    /// What it means.
    pub model: Model,
    /// Counts them.
    pub generation: u32,
    /// Since when it is in effect.
    pub since: Instant,
}

/// The configuration in effect, and what became of the last attempt to change it.
#[derive(Debug)]
pub struct InEffect {
    /// The file.
    pub file: PathBuf,
    current: RefCell<Current>,
    /// Notified when another configuration is in effect: a role may be needed now, or no longer.
    pub changed: Notify,
    /// The last configuration that was refused: when, and why.
    pub refused: RefCell<Option<(Instant, String)>>,
    /// One reload at a time.
    pub reloading: smol::lock::Mutex<()>,
    /// A signal asks for a reload that has not begun yet: more of them ask for the same.
    pub reload_asked: Cell<bool>,
}

impl InEffect {
    /// A configuration from this file.
    pub fn new(file: PathBuf, current: Current) -> Self {
        Self {
            file,
            current: RefCell::new(current),
            changed: Notify::new(),
            refused: RefCell::default(),
            reloading: smol::lock::Mutex::new(()),
            reload_asked: Cell::new(false),
        }
    }

    /// The name of the file, for messages.
    pub fn file_name(&self) -> Box<str> {
        self.file.display().to_string().into()
    }

    /// The configuration.
    pub fn current(&self) -> Ref<'_, Current> {
        self.current.borrow()
    }

    /// What it means.
    pub fn model(&self) -> Ref<'_, Model> {
        Ref::map(self.current.borrow(), |current| &current.model)
    }

    /// Its number.
    pub fn generation(&self) -> u32 {
        self.current.borrow().generation
    }

    /// Takes another one; gives the one before.
    pub fn replace(&self, current: Current) -> Current {
        self.current.replace(current)
    }
}
