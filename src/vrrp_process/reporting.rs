//! What the process says: the engine's notices and answers, its own troubles, its end.

use nix::errno::Errno;

use super::advert_output::is_of_link;
use super::kernel::Note;
use super::log_text::{self, Concern};
use super::shell::Shell;
use crate::child::log_records::Entry;
use crate::control::child_messages::FromChild;
use crate::control::record::{Kind, Level, Transition};
use crate::control::status::WarningKind;
use crate::system::clock;
use crate::vrrp::{Notice, Report, RouterId, State};

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
        let links = self.kernel.monitor.cache();
        let mut transition = None;
        if let Notice::Transition { instance, from, to, cause } = notice {
            self.saved.state(&self.engine, *instance);
            let why = log_text::cause(&self.engine, links, *instance, cause);
            let warnings = self.warnings.entry(*instance).or_default();
            warnings.changed(*from, *to, &why, now);
            let (from, to) = (log_text::from_state(*from, cause), *to);
            transition = Some(Transition { from, to, cause: why });
        }
        if let Notice::FaultChanged { instance, reason } = notice {
            let why = log_text::fault(&self.engine, links, *instance, *reason);
            self.warnings.entry(*instance).or_default().fault_changed(&why);
        }
        if let Notice::Hold { instance, .. } = notice {
            self.saved.state(&self.engine, *instance);
        }
        let refused = if let Notice::KernelRefused { object, .. } = notice {
            self.kernel.take_words(*object)
        } else {
            None
        };
        let links = self.kernel.monitor.cache();
        let told = log_text::notice(&self.engine, links, notice, refused.as_deref());
        let instance = told.instance.map(|id| (id, log_text::name(&self.engine, id).to_owned()));
        if let (Some(concern), Some((id, _))) = (told.concern, &instance) {
            let warnings = self.warnings.entry(*id).or_default();
            warnings.add(&self.engine, concern, told.text.clone(), told.settled, now);
        }
        let entry =
            Entry { level: told.level, kind: told.kind, instance, transition, text: told.text };
        self.link.records.add(entry, now);
    }

    /// Tells what the kernel's side has to say.
    pub(super) fn tell_note(&mut self, note: Note) {
        let now = clock::now();
        let id = note.object.instance;
        if note.lasts {
            let concern = Concern::of_itself(WarningKind::KernelRefused);
            let warnings = self.warnings.entry(id).or_default();
            warnings.add(&self.engine, concern, note.text.clone(), None, now);
        }
        let instance = Some((id, log_text::name(&self.engine, id).to_owned()));
        let (level, kind) = (Level::Warning, Kind::Kernel);
        let entry = Entry { level, kind, instance, transition: None, text: note.text };
        self.link.records.add(entry, now);
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
        let now = clock::now();
        let id = router.instance;
        let text = log_text::send_failed(router.family, errno);
        let concern = Concern {
            kind: WarningKind::SendFailed,
            router: Some(router),
            from: None,
            reject: None,
        };
        let warnings = self.warnings.entry(id).or_default();
        let mut news = false;
        for _ in 0..count {
            news |= warnings.add(&self.engine, concern.clone(), text.clone(), None, now);
        }
        // It may last for days: the list of warnings has it, the log once.
        if news {
            let instance = Some((id, log_text::name(&self.engine, id).to_owned()));
            let (level, kind) = (Level::Warning, Kind::Packet);
            self.link.records.add(Entry { level, kind, instance, transition: None, text }, now);
        }
    }
}
