//! What the system lets this process have.

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Allows as many open descriptors as the administrator does: what is usual at the start suits
/// programs that know no more than a thousand.
///
/// # Errors
/// The error of the system call.
pub fn raise_descriptors() -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// How many descriptors there may be at most.
///
/// # Errors
/// The error of the system call.
pub fn most_descriptors() -> io::Result<rlim_t> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1)
}

/// How many descriptors there may be at most, when that is less than `wanted`.
///
/// # Errors
/// The error of the system call.
pub fn descriptors_below(wanted: u16) -> io::Result<Option<rlim_t>> {
    let most = most_descriptors()?;
    Ok((most < rlim_t::from(wanted)).then_some(most))
}

/// Whether there are no more descriptors.
pub fn is_exhausted(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE))
}

/// An error with what to do about it, where that is about limits.
pub fn explained(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE) => {
            format!("{error}: raise the limit of open files, such as LimitNOFILE= in the unit")
        }
        Some(Errno::ENFILE) => format!("{error}: raise the sysctl fs.file-max"),
        Some(_) | None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_administrator_s() {
        raise_descriptors().unwrap();
        let (now, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(now, most);
    }
}
