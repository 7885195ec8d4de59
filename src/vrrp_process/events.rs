//! From the engine's notices to events: identifiers become names, and what only this process knows
//! of interfaces and addresses is added.

mod second_holder;
mod source;

use crate::control::event::cause::{InterfaceState, InterfaceTrouble};
use crate::control::event::text::MAX_NAMED_INTERFACES;
use crate::control::event::{Cause, Fault, Name, Subject, What};
use crate::netlink::cache::Cache;
use crate::units::{Priority, Vrid};
use crate::vrrp::settings::Object;
use crate::vrrp::{
    self, Engine, FaultReason, InstanceId, InterfaceId, Notice, ObjectId, RouterId, State,
};

/// The name of an instance; also of one that a reload removed, as long as it exists.
pub fn name(engine: &Engine, id: InstanceId) -> &str {
    engine.settings(id).map_or("?", |settings| &settings.name)
}

/// What the names are looked up in.
#[derive(Clone, Copy, Debug)]
pub struct Translator<'a> {
    /// Of instances, objects and what they track.
    pub engine: &'a Engine,
    /// Of interfaces and their addresses.
    pub links: &'a Cache,
}

impl Translator<'_> {
    /// What events of an instance are about.
    pub fn subject(&self, id: InstanceId) -> Subject {
        self.engine.settings(id).map_or(Subject::Process, |settings| Subject::Instance {
            name: settings.name.clone(),
            interface: settings.interface.clone(),
            vrid: settings.vrid,
        })
    }

    /// What a notice says, and of which instance. `refusal` is what the kernel said when it refused
    /// something.
    pub fn notice(&self, notice: &Notice, refusal: Option<Box<str>>) -> (Option<InstanceId>, What) {
        let of_object = |id: ObjectId, what| (Some(id.instance), what);
        let of_router = |router: RouterId, what| (Some(router.instance), what);
        match *notice {
            Notice::Transition { instance, from, to, ref cause } => {
                // For others, one that resumes was master all the time.
                let resumed = matches!(cause, vrrp::Cause::Resumed { .. });
                let what = What::Transition {
                    from: if resumed { State::Master } else { from },
                    to,
                    cause: self.cause(instance, cause),
                    priority: self.engine.effective_priority(instance).unwrap_or(Priority::STOP),
                };
                (Some(instance), what)
            }
            Notice::PriorityChanged { instance, from, to } => {
                (Some(instance), What::PriorityChanged { from, to })
            }
            Notice::FaultChanged { instance, reason } => {
                (Some(instance), What::FaultChanged(self.fault(instance, reason)))
            }
            Notice::Rejected { router, from: peer, reason } => {
                of_router(router, What::BadPacket { peer, reason })
            }
            Notice::UnknownVrid { interface, from: peer, vrid } => {
                (None, What::UnknownVrid { interface: self.interface(interface), peer, vrid })
            }
            Notice::IntervalDiffers { router, from: peer, theirs } => {
                let ours = self.engine.settings(router.instance).map_or(theirs, |s| s.interval);
                of_router(router, What::IntervalDiffers { peer, theirs, ours })
            }
            Notice::AddressesDiffer { router, from: peer } => {
                of_router(router, What::AddressesDiffer { peer })
            }
            Notice::VridConflict { router, from: peer, theirs } => {
                let vrid = self.engine.settings(router.instance).map(|s| s.vrid);
                let vrid = vrid.map_or(0, Vrid::get);
                of_router(router, What::VridConflict { peer, vrid, theirs })
            }
            Notice::LowerPriority { router, from: peer, theirs } => {
                let ours = self.engine.effective_priority(router.instance).unwrap_or(theirs);
                of_router(router, What::LowerPriority { peer, theirs, ours })
            }
            Notice::SecondOwner { router, from: peer, yielding } => {
                of_router(router, What::SecondOwner { peer, yielding })
            }
            Notice::SameSender { router, from: peer } => {
                of_router(router, What::SameSender { peer })
            }
            Notice::OldChecksum { router, from: peer } => {
                of_router(router, What::OldChecksum { peer })
            }
            Notice::ForeignRemoval { object, restore_in } => {
                let what = What::ForeignRemoval { object: self.object(object), restore_in };
                of_object(object, what)
            }
            Notice::GoneWithInterface { object, interface } => {
                let trouble = self.trouble(&self.interface(interface));
                of_object(object, What::GoneWithInterface { object: self.object(object), trouble })
            }
            Notice::KernelRefused { object: id, present, error, retry_in } => {
                let (object, words) = (self.object(id), refusal);
                of_object(id, What::KernelRefused { object, present, error, words, retry_in })
            }
            Notice::Duplicate { object, retry_in } => {
                of_object(object, What::Duplicate { object: self.object(object), retry_in })
            }
            Notice::AddressTaken { instance, address, mac } => {
                let mut objects = self.engine.objects(instance);
                let is_virtual = objects.any(|(_, object)| object.announced() == Some(address));
                let what = if is_virtual {
                    What::AddressTaken { address, mac, suspect: self.suspect(instance) }
                } else {
                    What::SourceTaken { address, mac }
                };
                (Some(instance), what)
            }
            Notice::AddressFree { instance, address, mac } => {
                (Some(instance), What::AddressFree { address, mac })
            }
            Notice::HandOverStarted { instance } => (Some(instance), What::HandOverStarted),
            Notice::HandOverTaken { instance, by: peer, after } => {
                (Some(instance), What::HandOverTaken { peer, after })
            }
            Notice::HandOverFailed { instance, resumed } => {
                (Some(instance), What::HandOverFailed { resumed })
            }
            Notice::Hold { instance, held: true, hold_for } => {
                (Some(instance), What::Held { hold_for })
            }
            Notice::Hold { instance, held: false, .. } => (Some(instance), What::Released),
            Notice::LateWake { by } => (None, What::LateWake { by }),
            Notice::Lost { count } => (None, What::NoticesLost { count }),
        }
    }

    /// Why an instance changed its state.
    pub fn cause(&self, instance: InstanceId, cause: &vrrp::Cause) -> Cause {
        use vrrp::Cause as Engine;

        match *cause {
            Engine::Started => Cause::Started,
            Engine::Owner => Cause::Owner,
            Engine::Resumed { gap } => Cause::Resumed { gap },
            Engine::NoAdvert { master, silence } => Cause::NoAdvert { master, silence },
            Engine::MasterLeft { master } => Cause::MasterLeft { master },
            Engine::Preempted { master, theirs } => Cause::Preempted { master, theirs },
            Engine::HigherPriority { master, theirs } => Cause::HigherPriority { master, theirs },
            Engine::HigherAddress { master } => Cause::HigherAddress { master },
            Engine::Unheard { master, family, error, pause } => {
                Cause::Unheard { master, family, error, pause }
            }
            Engine::Group { member } => {
                let other = (member != instance).then(|| name(self.engine, member).into());
                Cause::Group { member: other }
            }
            Engine::Fault(reason) => Cause::Fault(self.fault(instance, reason)),
            Engine::Recovered => Cause::Recovered,
            Engine::Switchover { successor } => Cause::Switchover { successor },
            Engine::TimerExpired { slept } => Cause::TimerExpired { slept },
            Engine::ForeignRemoval { object } => {
                Cause::ForeignRemoval { object: self.object(object) }
            }
            Engine::AddressesLost { object, successor, pause } => {
                Cause::AddressesLost { object: self.object(object), successor, pause }
            }
            Engine::Stopped => Cause::Stopped,
            Engine::Reconfigured => Cause::Reconfigured,
        }
    }

    /// Why an instance cannot take part.
    pub fn fault(&self, instance: InstanceId, reason: FaultReason) -> Fault {
        match reason {
            FaultReason::InterfaceMissing(id) => {
                let (interface, have) = (self.interface(id), self.interfaces());
                Fault::Interface(InterfaceTrouble {
                    interface,
                    state: InterfaceState::Missing { have },
                })
            }
            FaultReason::InterfaceDown(id) => {
                let interface = self.interface(id);
                Fault::Interface(InterfaceTrouble { interface, state: InterfaceState::Down })
            }
            FaultReason::InterfaceIsPort(id) => {
                let interface = self.interface(id);
                let link = self.links.link_named(&interface);
                let other = link.and_then(|link| self.links.taken_by(link));
                Fault::InterfaceIsPort { port_of: other.map(|link| link.name.clone()), interface }
            }
            FaultReason::NoSourceAddress(family) => self.no_source(instance, family),
            FaultReason::Tracked(index) => self.tracked(instance, index),
        }
    }

    fn tracked(&self, instance: InstanceId, index: u16) -> Fault {
        let Some(tracked) = self.engine.tracked(instance).nth(usize::from(index)) else {
            return Fault::Tracked { name: None };
        };
        if !tracked.interface {
            return Fault::Tracked { name: Some(tracked.name.into()) };
        }
        let trouble = self.trouble(tracked.name);
        if !tracked.in_use {
            return Fault::TrackedInterface(trouble);
        }
        let needs = |object: &Object| {
            object.tracked() && object.interfaces().any(|name| name == tracked.name)
        };
        let user = self.engine.objects(instance).find(|(_, object)| needs(object));
        let object = user.map(|(_, object)| Box::new(object.clone()));
        Fault::NeededInterface { object, trouble }
    }

    /// What is wrong with an interface that is not up.
    fn trouble(&self, name: &str) -> InterfaceTrouble {
        let state = match self.links.link_named(name) {
            Some(_) => InterfaceState::Down,
            None => InterfaceState::Missing { have: self.interfaces() },
        };
        InterfaceTrouble { interface: name.into(), state }
    }

    /// Interfaces that there are: one more than are named.
    fn interfaces(&self) -> Vec<Name> {
        self.links.links().take(MAX_NAMED_INTERFACES + 1).map(|link| link.name.clone()).collect()
    }

    fn interface(&self, id: InterfaceId) -> Name {
        let known = self.engine.interfaces().find(|&(known, _)| known == id);
        known.map_or("?", |(_, name)| name).into()
    }

    fn object(&self, id: ObjectId) -> Option<Box<Object>> {
        self.engine.object(id).map(|object| Box::new(object.clone()))
    }
}

#[cfg(test)]
mod tests;
