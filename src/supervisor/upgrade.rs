//! Another program takes the place of this one without anybody noticing: first the supervisor, in
//! the same process, then each child of a role that survives this, which leaves everything as it is
//! for its successor. Programs that do not understand each other hand over to another router in
//! between.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use nix::unistd::execv;

use super::daemon::Daemon;
use super::exec_state::{ExecChild, ExecProcess, ExecState};
use super::log::Target;
use super::upgrade_plan::Plan;
use crate::control::event::Event;
use crate::system::inherited_fds::pass_on;

/// The hidden option of the program that takes over.
pub const OPTION: &str = "take-over";
/// The number of no descriptor.
const NOTHING: RawFd = -1;

/// What the next program has to have; its arguments only, when it does not understand this one.
#[derive(Debug)]
pub struct Handoff {
    plan: Plan,
    former: ExecState,
    /// Descriptors that the next program closes or uses; they end with it.
    _kept: Vec<OwnedFd>,
}

/// Collects what the next program has to have, at the end of all tasks.
///
/// # Errors
/// What the system says.
pub fn handoff(daemon: &Daemon, plan: Plan) -> io::Result<Handoff> {
    let mut kept = Vec::new();
    let seamless = plan.seamless;
    let mut keep = |fd: &dyn AsFd| {
        if !seamless {
            // Whoever does not know of it would keep it open, the lock with it.
            return Ok(NOTHING);
        }
        let copy = fd.as_fd().try_clone_to_owned()?;
        let number = pass_on(&copy)?;
        kept.push(copy);
        io::Result::Ok(number)
    };
    let mut children = Vec::new();
    for child in daemon.children.iter().filter(|child| child.role.survives_upgrade) {
        let process = child.take_child().map(|process| {
            io::Result::Ok(ExecProcess {
                pid: process.pid().as_raw(),
                link: keep(process.link.get_ref())?,
                events: keep(process.events.get_ref())?,
                stderr: keep(process.stderr.get_ref())?,
            })
        });
        let (restarts, crash) = child.history(|history| (history.restarts, history.crash.take()));
        children.push(ExecChild {
            role: child.role.name.to_owned(),
            restarts,
            crash,
            installed: child.holdings.all(),
            memory: keep(&*child.context.memory)?,
            process: process.transpose()?,
        });
    }
    let lock = daemon.dir.lock().map(|(lock, marked)| io::Result::Ok((keep(lock)?, marked)));
    let listener = daemon.listener.as_ref().map(|listener| keep(listener));
    let (claims, claimed) = match seamless {
        true => daemon.claims.take().leave()?,
        false => Default::default(),
    };
    let former = ExecState {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        file: daemon.configuration.file.clone(),
        state_dir: daemon.dir.path().to_owned(),
        syslog: daemon.log.target() == Target::Syslog,
        level: daemon.log.level(),
        started: daemon.started,
        generation: daemon.configuration.generation(),
        transitions: daemon.log.transitions().iter().map(|event| Event::clone(event)).collect(),
        lock: lock.transpose()?,
        listener: listener.transpose()?,
        claims,
        children,
        inherited: daemon.common.inherited.numbers().to_vec(),
    };
    kept.extend(claimed);
    Ok(Handoff { plan, former, _kept: kept })
}

impl Handoff {
    /// As somebody would start it by hand.
    fn arguments(&self) -> Vec<OsString> {
        let ExecState { file, state_dir, level, syslog, .. } = &self.former;
        let mut words: Vec<OsString> = vec!["--config".into(), file.into()];
        words.extend(["--state-dir".into(), state_dir.into()]);
        words.extend(["--log-level".into(), level.name().into()]);
        words.extend(syslog.then(|| "--syslog".into()));
        words
    }

    /// Becomes the next program. Gives only what went wrong.
    pub fn pass_on(self) -> io::Error {
        let become_next = || {
            let left = self.former.leave()?;
            let mut words: Vec<OsString> = vec!["steadfast".into(), "run".into()];
            words.extend(self.arguments());
            if self.plan.seamless {
                words.push(format!("--{OPTION}").into());
                words.push(pass_on(&left)?.to_string().into());
            }
            let words: Result<Vec<_>, _> =
                words.into_iter().map(|word| CString::new(word.into_encoded_bytes())).collect();
            let program = CString::new(self.plan.program.as_os_str().as_encoded_bytes())?;
            match execv(&program, &words?)? {}
        };
        let result: io::Result<std::convert::Infallible> = become_next();
        match result {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }
}
