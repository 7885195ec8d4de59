//! When the process of a role runs, as `vrrp_rt_priority` and its like have it, and when the
//! supervisor does, which has to see that it works.
//!
//! The supervisor sets all of that, for both: so the process that reads packets needs no right to
//! do so, and a reload may change it. In real time the supervisor is one step below its child:
//! whatever it does, adverts go first. A child that does not rest has left real time after
//! `vrrp_rlimit_rttime`, and then the supervisor sees it.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::Pid;
use smol::Timer;

use super::child_link::Link;
use super::role::Role;
use super::supervised::Supervised;
use super::timeouts::within;
use crate::config::model::ProcessOptions;
use crate::control::child_messages::ToChild;
use crate::control::event::Level;
use crate::system::clock;
use crate::system::privileges::{IPC_LOCK, SYS_NICE, has};
use crate::system::scheduling::{
    Offspring, SELF, is_real_time, own_nice, set_nice, set_processors, set_real_time,
    set_real_time_limit, share_processors,
};
use crate::units::Instant;

/// `vrrp_rlimit_rttime` when nothing is said: more than the start of thousands of instances takes
/// in one go, less than a peer waits.
const DEFAULT_RTTIME: Duration = Duration::from_millis(200);
/// How long a process that has left real time stays out of it the first time, and each time twice
/// as long as before.
const FIRST_ABSENCE: Duration = Duration::from_secs(10);
/// How often it becomes twice as long.
const MAX_DOUBLINGS: u32 = 6;
/// When it is forgotten that a process has left real time.
const FORGET_TIME: Duration = Duration::from_secs(600);
/// How often it is looked whether processes are still in real time.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How long a child may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How the processes are scheduled.
#[derive(Debug, Default)]
pub struct Scheduling {
    /// What the process that runs was given.
    given: ProcessOptions,
    child: RealTime,
    own: RealTime,
    /// Settings that have no effect, since when, and why.
    troubles: Vec<(Instant, String)>,
}

/// A process in real time.
#[derive(Debug, Default)]
struct RealTime {
    /// The priority that the kernel has granted.
    priority: Option<u8>,
    /// It ran for too long.
    left: Option<Left>,
}

#[derive(Debug)]
struct Left {
    at: Instant,
    /// Not so long ago.
    times: u32,
    /// It is out of real time now.
    lasts: bool,
    text: String,
}

impl Left {
    /// How long it stays out.
    fn wait(&self) -> Duration {
        FIRST_ABSENCE * (1 << self.times.saturating_sub(1).min(MAX_DOUBLINGS))
    }
}

/// Something for the status.
#[derive(Clone, PartialEq, Debug)]
pub struct Trouble {
    /// When it happened last.
    pub at: Instant,
    /// How often.
    pub count: u32,
    /// In words.
    pub text: String,
    /// It is so now.
    pub lasts: bool,
}

impl Scheduling {
    /// What is not as it should be.
    pub fn troubles(&self, now: Instant) -> Vec<Trouble> {
        let settings = self.troubles.iter();
        let refused = |at, text: &String| Trouble { at, count: 1, text: text.clone(), lasts: true };
        let settings = settings.map(|(at, text)| refused(*at, text));
        let left = [&self.child, &self.own].into_iter().filter_map(|process| process.left.as_ref());
        let left = left.filter(|left| left.lasts || now.since(left.at) < FORGET_TIME);
        settings
            .chain(left.map(|left| Trouble {
                at: left.at,
                count: left.times,
                text: left.text.clone(),
                lasts: left.lasts,
            }))
            .collect()
    }

    /// Tells the kernel what is wanted. What it refuses, with reason and remedy.
    fn apply(
        &mut self,
        role: &Role,
        child: Pid,
        wanted: &ProcessOptions,
        offspring: Offspring,
    ) -> Vec<String> {
        let prefix = role.options_prefix;
        let key = |key: &str| format!("{prefix}{key}");
        let mut refused = Vec::new();
        let given = std::mem::replace(&mut self.given, wanted.clone());
        if wanted.nice.is_some() || given.nice.is_some() {
            let nice = wanted.nice.unwrap_or_else(own_nice);
            let result = set_nice(child, nice);
            refused.extend(failed(&key("priority"), result, "LimitNICE=-20", ""));
        }
        let processors = &wanted.cpu_affinity;
        if !processors.is_empty() {
            let result = set_processors(child, processors);
            refused.extend(missing(&key("cpu_affinity"), processors, result));
        } else if !given.cpu_affinity.is_empty() {
            refused.extend(failed(&key("cpu_affinity"), share_processors(child), "", ""));
        }
        if wanted.realtime.is_some() || given.realtime.is_some() {
            refused.extend(self.real_time(role, child, wanted, offspring));
        }
        refused
    }

    fn real_time(
        &mut self,
        role: &Role,
        child: Pid,
        wanted: &ProcessOptions,
        offspring: Offspring,
    ) -> Option<String> {
        let rest = match offspring {
            // It may not know yet what to do when it ran for too long.
            Offspring::Same => None,
            Offspring::Normal => Some(wanted.rlimit_rttime.unwrap_or(DEFAULT_RTTIME)),
        };
        let result = enter(child, wanted.realtime, rest, offspring);
        let granted = wanted.realtime.filter(|_| result.is_ok());
        self.child = RealTime { priority: granted, left: None };
        let own = granted.map(|priority| priority.saturating_sub(1).max(1));
        if role.leads_supervisor
            && self.own.priority != own
            && enter(SELF, own, Some(DEFAULT_RTTIME), Offspring::Normal).is_ok()
        {
            self.own = RealTime { priority: own, left: None };
        }
        let bandwidth = ": its control group has no real-time bandwidth, see cpu.rt_runtime_us";
        failed(&format!("{}rt_priority", role.options_prefix), result, "LimitRTPRIO=99", bandwidth)
    }
}

/// In or out of real time, with a bound for it.
fn enter(
    process: Pid,
    priority: Option<u8>,
    rest: Option<Duration>,
    offspring: Offspring,
) -> io::Result<()> {
    // Before, so that nothing runs without a bound; out of real time it does not count.
    set_real_time_limit(process, rest.filter(|_| priority.is_some()))?;
    set_real_time(process, priority, offspring)
}

/// Before another program takes the place of this one, which begins without what catches
/// `SIGXCPU`.
pub fn leave() {
    // Out of real time already, or the next one has to live with it.
    let _ = enter(SELF, None, None, Offspring::Normal);
}

/// A new process, before it knows what to do.
pub fn begin(child: &Supervised, pid: Pid) {
    let wanted = wanted(child);
    let scheduling = &mut *child.scheduling.borrow_mut();
    // What a process in real time starts does not even have its nice value.
    let nice = scheduling.own.priority.map(|_| 0);
    scheduling.given = ProcessOptions { nice, ..ProcessOptions::default() };
    // Its threads will be like the first one. What is refused is said when they are there.
    scheduling.apply(child.role, pid, &wanted, Offspring::Same);
    scheduling.given.no_swap = false;
}

/// The process works with the configuration in effect, and has all its threads.
pub async fn settle(child: &Supervised, link: &Link, pid: Pid) {
    let wanted = wanted(child);
    let locked = child.scheduling.borrow().given.no_swap;
    let mut refused =
        child.scheduling.borrow_mut().apply(child.role, pid, &wanted, Offspring::Normal);
    if wanted.no_swap || locked {
        refused.extend(lock_memory(child.role, link, wanted.no_swap).await);
    }
    let now = clock::now();
    let mut scheduling = child.scheduling.borrow_mut();
    let before = std::mem::take(&mut scheduling.troubles);
    for text in refused {
        let known = before.iter().find(|(_, known)| *known == text).map(|(at, _)| *at);
        if known.is_none() {
            child.context.note(Level::Warning, text.clone());
        }
        scheduling.troubles.push((known.unwrap_or(now), text));
    }
}

fn wanted(child: &Supervised) -> ProcessOptions {
    (child.role.options)(&child.context.configuration.model()).clone()
}

/// Only the process itself can do that.
async fn lock_memory(role: &Role, link: &Link, lock: bool) -> Option<String> {
    let answer = link.command(|ticket| ToChild::LockMemory { ticket, lock }).ok()?;
    let error = within(ANSWER_TIMEOUT, answer.wait()).await??.err()?;
    let right = IPC_LOCK.name;
    let prefix = role.options_prefix;
    Some(format!(
        "{prefix}no_swap has no effect: {error}: it needs {right}, or LimitMEMLOCK=infinity in its unit, \
         and keeps that right only when it was started with this setting"
    ))
}

/// Looks again and again whether the processes are still in real time: `SIGXCPU` takes them out of
/// it. Never ends.
pub async fn watch<T>(child: &Supervised, pid: Pid) -> T {
    loop {
        let is_real_time = wanted(child).realtime.is_some();
        match is_real_time {
            true => drop(Timer::after(LOOK_PERIOD).await),
            // A reload may change that.
            false => child.reloaded.notified().await,
        }
        look(child, pid);
    }
}

fn look(child: &Supervised, pid: Pid) {
    let Scheduling { child: of_child, own, .. } = &mut *child.scheduling.borrow_mut();
    if of_child.priority.is_none() && own.priority.is_none() {
        return;
    }
    let now = clock::now();
    let rest = wanted(child).rlimit_rttime.unwrap_or(DEFAULT_RTTIME);
    let name = format!("the {} process", child.role.name);
    let processes = [(of_child, pid, &*name, rest), (own, SELF, "the supervisor", DEFAULT_RTTIME)];
    for (process, pid, name, rest) in processes {
        if process.priority.is_none() {
            continue;
        }
        match &mut process.left {
            Some(left) if left.lasts => {
                if now.since(left.at) >= left.wait() {
                    // If it is refused now, it will be seen once more.
                    let _ = enter(pid, process.priority, Some(rest), Offspring::Normal);
                    left.lasts = false;
                    child.context.note(Level::Notice, format!("{name} is in real time again"));
                }
            }
            left if is_real_time(pid).is_ok_and(|real_time| !real_time) => {
                let recent = left.take().filter(|left| now.since(left.at) < FORGET_TIME);
                let times = recent.map_or(0, |left| left.times) + 1;
                let mut left = Left { at: now, times, lasts: true, text: String::new() };
                left.text = format!(
                    "{name} ran for {} ms without rest: its real-time priority is off for {} s; \
                     is the CPU too slow for this configuration?",
                    rest.as_millis(),
                    left.wait().as_secs(),
                );
                child.context.note(Level::Warning, left.text.clone());
                process.left = Some(left);
            }
            Some(_) | None => {}
        }
    }
}

/// What to say of a setting that was refused. Nothing when the process has gone meanwhile.
fn failed(setting: &str, result: io::Result<()>, limit: &str, otherwise: &str) -> Option<String> {
    let error = result.err()?;
    if error.kind() == io::ErrorKind::NotFound || is(&error, Errno::ESRCH) {
        return None;
    }
    let why = if error.kind() != io::ErrorKind::PermissionDenied {
        String::new()
    } else if has(SYS_NICE).unwrap_or(false) {
        otherwise.to_owned()
    } else {
        format!(": it needs {}, or {limit} in its unit", SYS_NICE.name)
    };
    Some(format!("{setting} has no effect: {error}{why}"))
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}

/// What to say of processors that are not there.
fn missing(setting: &str, wanted: &[u16], result: io::Result<Vec<u16>>) -> Option<String> {
    let got = match result {
        Ok(got) => got,
        Err(error) if is(&error, Errno::EINVAL) => Vec::new(),
        Err(error) => return failed(setting, Err(error), "", ""),
    };
    let missing = wanted.iter().filter(|number| !got.contains(number));
    let missing: Vec<String> = missing.map(ToString::to_string).collect();
    if missing.is_empty() {
        return None;
    }
    let effect = if got.is_empty() { "; it has no effect" } else { "" };
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    Some(format!(
        "{setting}: this process has no CPU {} (there are: {}){effect}",
        missing.join(", "),
        online.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_real_time_again_stays_out_for_longer() {
        let wait =
            |times| Left { at: Instant::ORIGIN, times, lasts: true, text: String::new() }.wait();
        let seconds: Vec<u64> = [1, 2, 3, 7, 8, 1_000].map(|times| wait(times).as_secs()).into();
        assert_eq!(seconds, [10, 20, 40, 640, 640, 640]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(missing("role_cpu_affinity", &[0, 1], Ok(vec![0, 1])), None);
        let some = missing("role_cpu_affinity", &[0, 7, 9], Ok(vec![0])).unwrap();
        assert!(
            some.starts_with("role_cpu_affinity: this process has no CPU 7, 9 (there"),
            "{some}"
        );
        assert!(some.ends_with(')'), "{some}");
        let none = missing("role_cpu_affinity", &[7], Err(Errno::EINVAL.into())).unwrap();
        assert!(none.contains("no CPU 7 (") && none.ends_with("; it has no effect"), "{none}");
    }

    #[test]
    fn a_process_that_has_gone_is_no_trouble() {
        for gone in [Errno::ESRCH, Errno::ENOENT] {
            assert_eq!(failed("role_priority", Err(gone.into()), "", ""), None);
        }
        let text = failed("role_priority", Err(Errno::EPERM.into()), "LimitNICE=-20", ": why");
        assert!(text.unwrap().starts_with("role_priority has no effect: Operation not permitted"));
    }
}
