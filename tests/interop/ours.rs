//! Ours.

use std::time::Duration;

use steadfast::control::status::{Document, InstanceStatus, State};

use crate::harness::lan::Host;
use crate::harness::router::{Router, find};
use crate::settings::{self, Instance};
use crate::speaker::{Master, Role, Speaker};

/// `steadfast run` on a host.
#[derive(Debug)]
pub struct Ours(Router);

impl Ours {
    /// Ready to be started.
    pub fn new(router: Router, instances: &[Instance]) -> Self {
        router.configure(&settings::steadfast(instances));
        Self(router)
    }

    /// Its status now, and of one instance.
    fn status<T>(&self, name: &str, of: impl Fn(&InstanceStatus) -> T) -> Option<T> {
        let document: Document = self.0.status().ok()?;
        find(&document, name).map(of)
    }
}

impl Speaker for Ours {
    fn host(&self) -> &Host {
        &self.0.host
    }

    fn start(&mut self) {
        self.0.start();
    }

    fn kill(&mut self) {
        self.0.kill();
    }

    fn stop(&mut self) {
        self.0.stop();
    }

    fn ours(&self) -> Option<&Router> {
        Some(&self.0)
    }

    fn role(&self, instance: &Instance) -> Role {
        match self.status(&instance.name, |status| status.state) {
            Some(State::Master) => Role::Master,
            Some(State::Backup) => Role::Backup,
            Some(State::Initialize | State::Fault) | None => Role::Neither,
        }
    }

    fn follows(&self, instance: &Instance, master: &Master) -> bool {
        let found = self.status(&instance.name, |status| {
            let heard = status.routers.first().and_then(|router| router.master.clone());
            (status.state, heard)
        });
        matches!(found, Some((State::Backup, Some(heard)))
            if heard.address == master.address
                && heard.priority == master.priority
                && Duration::from_secs_f64(heard.advertisement_interval) == master.interval)
    }
}
