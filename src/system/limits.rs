//! Resource limits of this process.

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Raises the soft limit of open descriptors to the hard limit. The usual soft limit of 1,024 is for
/// programs that use select(2).
///
/// # Errors
/// The error of the system call.
pub fn raise_descriptors() -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// The hard limit of open descriptors.
///
/// # Errors
/// The error of the system call.
pub fn max_descriptors() -> io::Result<rlim_t> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1)
}

/// The hard limit of open descriptors, if it is below `wanted`.
///
/// # Errors
/// The error of the system call.
pub fn descriptors_below(wanted: u16) -> io::Result<Option<rlim_t>> {
    let most = max_descriptors()?;
    Ok((most < rlim_t::from(wanted)).then_some(most))
}

/// Whether a call failed for lack of descriptors.
pub fn is_exhausted(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE))
}

/// The text of an error; for an exceeded limit, with the remedy.
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
