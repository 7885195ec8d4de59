//! All instances of one process: the events that come in, and what all decisions share.

use super::action_queue::ActionQueue;
use super::command_queue::Commands;
use super::event::Event;
use super::ids::InstanceId;
use super::instance::{Context, Instance};
use super::life::Life;
use super::members::Members;
use super::pacers::Pacers;
use super::router_index::RouterIndex;
use super::settings::Settings;
use super::sources::Sources;
use super::state::StateData;
use super::timing::Timing;
use crate::units::Instant;

/// All instances of one process.
///
/// Drive it like this: hand it an event with [`Engine::handle`], take actions with
/// [`Engine::poll_action`] until there are none (or until something more urgent happens), wait
/// until [`Engine::next_deadline`], and hand it [`Event::Wake`].
#[derive(Debug)]
pub struct Engine {
    /// The time of the last event.
    pub(super) now: Instant,
    pub(super) life: Life,
    pub(super) members: Members,
    pub(super) sources: Sources,
    pub(super) router_index: RouterIndex,
    pub(super) timing: Timing,
    pub(super) out: ActionQueue,
    pub(super) pacers: Pacers,
    pub(super) commands: Commands,
}

impl Engine {
    /// An engine in which every instance is in Initialize and every interface is missing.
    pub fn new(settings: &Settings) -> Self {
        let mut engine = Self {
            now: Instant::ORIGIN,
            life: Life::default(),
            members: Members::default(),
            sources: Sources::default(),
            router_index: RouterIndex::default(),
            timing: Timing::default(),
            out: ActionQueue::default(),
            pacers: Pacers::default(),
            commands: Commands::default(),
        };
        engine.take_settings(settings);
        engine
    }

    /// Takes one event. Afterwards the driver polls [`Engine::poll_action`].
    pub fn handle(&mut self, event: Event<'_>, now: Instant) {
        self.now = self.now.max(now);
        match event {
            Event::Wake => self.wake(),
            Event::Start => self.start(),
            Event::Received(received) => self.received(&received),
            Event::SocketsDrained => self.drained(),
            Event::Interface { interface, state } => self.interface_changed(interface, state),
            Event::Tracker { name, state } => self.tracker_changed(name, state),
            Event::Object { object, present } => self.object_seen(object, present),
            Event::Found { object } => {
                self.object_seen(object, true);
                self.with(object.instance, |instance, _| instance.objects.found(object.slot));
            }
            Event::WentAlong { object } => {
                self.with(object.instance, |instance, context| {
                    instance.objects.went_along(object.slot);
                    instance.queue_kernel(context);
                });
            }
            Event::Duplicate { object } => self.object_duplicated(object),
            Event::Acknowledged { object, present, result } => {
                self.acknowledged(object, present, result);
            }
            Event::Announced { interface, address, mac } => {
                self.announced(interface, address, mac);
            }
            Event::Resume { instance, last_advert } => {
                if !self.life.started
                    && let Some(instance) = self.get_mut(instance)
                    && let StateData::Initialize(initialize) = &mut instance.state
                {
                    initialize.resume = Some(last_advert);
                }
            }
            Event::Reload(change) => self.reload(change),
            Event::Refused { router, error } => self.refused(router, error),
            Event::Command(id, command) => self.command(id, command),
            Event::Shutdown => self.shutdown(),
            Event::StopNow => self.stop_now(),
            Event::GoOn => self.go_on(),
        }
    }

    pub(super) fn get(&self, id: InstanceId) -> Option<&Instance> {
        self.members.instances.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: InstanceId) -> Option<&mut Instance> {
        self.members.instances.get_mut(id.0 as usize)?.as_mut()
    }

    /// Runs something on an instance and brings the schedule up to date.
    pub(super) fn with<R>(
        &mut self,
        id: InstanceId,
        run: impl FnOnce(&mut Instance, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let instance = self.members.instances.get_mut(id.0 as usize)?.as_mut()?;
        let mut context = Context { now: self.now, out: &mut self.out };
        let result = run(instance, &mut context);
        self.timing.schedule.update(id.0, instance.timers.next());
        Some(result)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = InstanceId> + use<> {
        (0..u32::try_from(self.members.instances.len()).unwrap_or(u32::MAX)).map(InstanceId)
    }

    fn start(&mut self) {
        if std::mem::replace(&mut self.life.started, true) {
            return;
        }
        for (_, state) in &mut self.sources.interfaces {
            state.get_or_insert_default();
        }
        for id in self.ids() {
            self.assess(id);
        }
        if !self.life.startup_delay.is_zero() {
            self.life.start_at = Some(self.now + self.life.startup_delay);
        }
        self.evaluate_all();
        for id in self.ids() {
            // What a former process left behind and nobody wants now goes.
            self.with(id, |instance, context| instance.queue_kernel(context));
        }
    }
}
