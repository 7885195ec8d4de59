//! What the process says: the engine's notices, its own troubles, its end.

use super::kernel::Note;
use super::log_records::Entry;
use super::log_text::{self, Concern};
use super::shell::{End, Shell};
use crate::control::child_messages::FromChild;
use crate::control::record::{Kind, Level, Transition};
use crate::control::status::WarningKind;
use crate::system::clock;
use crate::vrrp::{Action, Notice};

impl Shell {
    /// Tells what there is to be told, so much of it; `true`: there is more.
    pub(super) fn tell(&mut self, most: usize) -> bool {
        for _ in 0..most {
            match self.engine.poll_rest() {
                None => return false,
                Some(Action::Notice(notice)) => self.tell_notice(&notice),
                Some(Action::Stopped) => self.stopped(),
                Some(
                    Action::SendAdvert { .. }
                    | Action::DrainSockets
                    | Action::Install(_)
                    | Action::Remove(_)
                    | Action::Mute(_)
                    | Action::Unmute(_)
                    | Action::Announce(_)
                    | Action::Probe(_),
                ) => {}
            }
        }
        true
    }

    fn tell_notice(&mut self, notice: &Notice) {
        let now = clock::now();
        self.note_for_waiting(notice);
        let links = self.kernel.monitor.cache();
        let mut transition = None;
        if let Notice::Transition { instance, from, to, cause } = notice {
            self.saved.state(&self.engine, *instance);
            let why = log_text::cause(&self.engine, links, *instance, cause);
            let warnings = self.warnings.entry(*instance).or_default();
            warnings.changed(*from, *to, &why, now);
            let (from, to) = (log_text::from_state(*from, cause), log_text::state(*to));
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
            self.kernel_words.remove(object)
        } else {
            None
        };
        let told = log_text::notice(&self.engine, links, notice, refused.as_deref());
        let instance = told.instance.map(|id| (id, log_text::name(&self.engine, id).to_owned()));
        if let (Some(concern), Some((id, _))) = (told.concern, &instance) {
            let warnings = self.warnings.entry(*id).or_default();
            warnings.add(&self.engine, concern, told.text.clone(), told.settled, now);
        }
        let entry =
            Entry { level: told.level, kind: told.kind, instance, transition, text: told.text };
        self.records.add(entry, now);
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
        self.records.add(Entry { level, kind, instance, transition: None, text: note.text }, now);
    }

    /// Tells of something that is of no instance.
    pub(super) fn say(&mut self, level: Level, kind: Kind, text: String) {
        let entry = Entry { level, kind, instance: None, transition: None, text };
        self.records.add(entry, clock::now());
    }

    /// The process cannot go on; the supervisor starts another one.
    pub(super) fn fail(&mut self, why: &str) {
        if self.end.is_none() {
            self.say(Level::Error, Kind::Process, format!("the vrrp process ends: {why}"));
            self.end = Some(End::Failed);
        }
    }

    fn stopped(&mut self) {
        self.kernel.restore_promotions();
        self.send(&FromChild::Stopped);
        self.end.get_or_insert(End::Stopped);
    }

    /// What the library logged itself.
    pub(super) fn pass_log(&mut self) {
        for (level, text) in super::library_log::take() {
            self.say(level, Kind::Process, text);
        }
    }
}
