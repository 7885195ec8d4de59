//! The memory that a process has in RAM.

use std::io;

/// The numbers in octets, as far as the kernel reports them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resident {
    /// All pages (RSS).
    pub resident: Option<u64>,
    /// All pages, with shared ones divided by the number of processes that share them (PSS).
    pub proportional: Option<u64>,
    /// Pages that belong to no file.
    pub anonymous: Option<u64>,
    /// Why some of the numbers are missing.
    pub unknown: Option<String>,
}

impl Resident {
    /// Reads the numbers of a process. `smaps_rollup` (Linux 4.14) has all of them. Kernels without
    /// `CONFIG_PROC_PAGE_MONITOR`, as on many routers, have two of the three in `status`.
    pub fn of(pid: u32) -> Self {
        Self::by(pid, |file| std::fs::read_to_string(file))
    }

    fn by(pid: u32, read: impl Fn(&str) -> io::Result<String>) -> Self {
        let whole = format!("/proc/{pid}/smaps_rollup");
        let error = match read(&whole) {
            Ok(text) => {
                let value = |name| value(&text, name);
                let all = [value("Rss"), value("Pss"), value("Anonymous")];
                return Self::new(all, || format!("{whole} does not have all"));
            }
            Err(error) => error,
        };
        match read(&format!("/proc/{pid}/status")) {
            Ok(text) => {
                let value = |name| value(&text, name);
                Self::new([value("VmRSS"), None, value("RssAnon")], || {
                    if error.kind() == io::ErrorKind::NotFound {
                        format!("there is no {whole}: the kernel has no CONFIG_PROC_PAGE_MONITOR")
                    } else {
                        format!("{whole}: {error}")
                    }
                })
            }
            Err(_) => Self::new([None; 3], || format!("{whole}: {error}")),
        }
    }

    fn new(all: [Option<u64>; 3], why: impl FnOnce() -> String) -> Self {
        let [resident, proportional, anonymous] = all;
        let unknown = all.contains(&None).then(why);
        Self { resident, proportional, anonymous, unknown }
    }
}

/// The value after a name, as in `Rss:   1234 kB`.
fn value(text: &str, name: &str) -> Option<u64> {
    let rest = |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned);
    let rest = text.lines().find_map(rest)?;
    let number: u64 = rest.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "55d0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:    1200 kB\n\
                         Pss:     700 kB\nPss_Anon: 1 kB\nAnonymous:   300 kB\n";
    const STATUS: &str = "Name:\tx\nVmRSS:\t    1200 kB\nRssAnon:\t     300 kB\n";

    fn by(whole: io::Result<&str>, status: io::Result<&str>) -> Resident {
        let files = std::cell::RefCell::new(vec![status, whole]);
        Resident::by(7, |_| files.borrow_mut().pop().unwrap().map(str::to_owned))
    }

    fn no(kind: io::ErrorKind) -> io::Result<&'static str> {
        Err(kind.into())
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_no_zero() {
        let known = by(Ok(WHOLE), Ok(STATUS));
        let (resident, anonymous) = (Some(1200 * 1024), Some(300 * 1024));
        let proportional = Some(700 * 1024);
        let all = Resident { resident, proportional, anonymous, unknown: None };
        assert_eq!(known, all);
        let part = by(no(io::ErrorKind::NotFound), Ok(STATUS));
        let why = "there is no /proc/7/smaps_rollup: the kernel has no CONFIG_PROC_PAGE_MONITOR";
        let unknown = Some(why.to_owned());
        assert_eq!(part, Resident { resident, proportional: None, anonymous, unknown });
        let nothing = by(no(io::ErrorKind::PermissionDenied), no(io::ErrorKind::NotFound));
        assert_eq!((nothing.resident, nothing.proportional, nothing.anonymous), (None, None, None));
        let why = nothing.unknown.unwrap();
        assert!(why.starts_with("/proc/7/smaps_rollup: permission denied"), "{why}");
        let odd = by(Ok("Rss: many kB\nPss: 1 kB\nAnonymous: 1\n"), Ok(STATUS));
        assert_eq!((odd.resident, odd.proportional, odd.anonymous), (None, Some(1024), None));
        assert_eq!(odd.unknown.unwrap(), "/proc/7/smaps_rollup does not have all");
    }

    #[test]
    fn this_process_is_there() {
        let found = Resident::of(std::process::id());
        assert!(found.resident.unwrap() >= found.anonymous.unwrap(), "{found:?}");
    }
}
