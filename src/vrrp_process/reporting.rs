//! What the process says: the engine's notices and answers, its own troubles, its end.

use nix::errno::Errno;

use super::advert_output::is_of_link;
use super::events::Translator;
use super::kernel::Note;
use super::shell::Shell;
use crate::control::child_messages::FromChild;
use crate::control::event::{Event, What};
use crate::system::clock;
use crate::units::Instant;
use crate::vrrp::{InstanceId, KernelError, Notice, Report, RouterId, State};

impl Shell {
    /// Tells what the engine has to say, so much of it; `true`: there is more.
    pub(super) fn tell(&mut self, most: usize) -> bool {
        for _ in 0..most {
            match self.engine.poll_report() {
                None => return false,
                Some(Report::Notice(notice)) => self.tell_notice(&notice),
                Some(Report::Answer { id, instance, outcome }) => {
                    self.answer(id, instance, &outcome);
                }
                Some(Report::Stopped) => {
                    self.kernel.restore_promotions();
                    self.link.send(&FromChild::Stopped);
                    self.link.finish();
                }
            }
        }
        true
    }

    fn tell_notice(&mut self, notice: &Notice) {
        let now = clock::now();
        if let Notice::Transition { instance, .. } | Notice::Hold { instance, .. } = notice {
            self.shared_state.state(&self.engine, *instance);
        }
        let (mut object, mut refusal) = (None, None);
        if let Notice::KernelRefused { object: of, .. } = notice {
            (object, refusal) = (Some(*of), self.kernel.take_words(*of));
        } else if let Notice::ForeignRemoval { object: of, .. } = notice {
            object = Some(*of);
        }
        let (instance, what) = self.translator().notice(notice, refusal);
        match instance {
            Some(id) => {
                self.warnings.entry(id).or_default().take(&self.engine, id, &what, object, now);
                self.tell_of(id, what, now);
            }
            None => self.link.report(what),
        }
    }

    /// Tells what the kernel's side has to say.
    pub(super) fn tell_note(&mut self, Note { object, what }: Note) {
        let (now, id) = (clock::now(), object.instance);
        self.warnings.entry(id).or_default().take(&self.engine, id, &what, None, now);
        self.tell_of(id, what, now);
    }

    /// Tells of adverts that could not be sent. Some time later, because an interface that goes
    /// down fails first and is heard of then (`vrrp:X-4`): that is no fault of the sending.
    pub(super) fn tell_failures(&mut self) {
        for (router, (errno, count)) in self.adverts.take_failed() {
            let id = router.instance;
            let concerns =
                self.engine.state(id) == Some(State::Master) || self.engine.is_unheard(id);
            if concerns && !is_of_link(errno) {
                self.tell_failed(router, errno, count);
            }
        }
    }

    fn tell_failed(&mut self, router: RouterId, errno: Errno, count: u32) {
        let (now, id) = (clock::now(), router.instance);
        let what = What::SendFailed { family: router.family, error: KernelError(errno as i32) };
        let warnings = self.warnings.entry(id).or_default();
        let mut news = false;
        for _ in 0..count {
            news |= warnings.take(&self.engine, id, &what, None, now);
        }
        // It may last for days: the list of warnings has it, the log once.
        if news {
            self.tell_of(id, what, now);
        }
    }

    fn tell_of(&mut self, id: InstanceId, what: What, at: Instant) {
        let subject = self.translator().subject(id);
        self.link.events.add(Event { at, subject, what, left_out: 0 });
    }

    fn translator(&self) -> Translator<'_> {
        Translator { engine: &self.engine, links: self.kernel.monitor.cache() }
    }
}
