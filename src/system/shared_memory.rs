//! Memory that outlives a process: the supervisor creates it, its children map it.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc::{c_void, off_t};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

/// A memory region of 32-bit words, which every supported CPU can access atomically. Its length is
/// fixed, and pages that were never written use no memory.
#[derive(Debug)]
pub struct Region {
    fd: OwnedFd,
    start: NonNull<AtomicU32>,
    words: usize,
}

/// The seals of a region. Without them another process could shrink it, and an access beyond the new end
/// would kill this process.
const SEALS: SealFlag = SealFlag::F_SEAL_SHRINK.union(SealFlag::F_SEAL_GROW);

impl Region {
    /// Creates a region with this number of words, all zero.
    ///
    /// # Errors
    /// The error of the system call.
    pub fn create(words: usize) -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd = memfd_create(c"steadfast", flags)?;
        ftruncate(&fd, off_t::try_from(octets(words)?).map_err(|_| too_long())?)?;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(SEALS | SealFlag::F_SEAL_SEAL))?;
        Self::map(fd, words)
    }

    /// Maps a region that another process created, which must have this number of words.
    ///
    /// # Errors
    /// `InvalidData` when its length differs or is not sealed; otherwise the error of the system call.
    pub fn open(fd: OwnedFd, words: usize) -> io::Result<Self> {
        let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if usize::try_from(fstat(&fd)?.st_size) != Ok(octets(words)?) {
            return wrong("the shared memory has another length: it is another version's");
        }
        let seals = SealFlag::from_bits_truncate(fcntl(&fd, FcntlArg::F_GET_SEALS)?);
        if !seals.contains(SEALS) {
            return wrong("the shared memory is not sealed: its length could change");
        }
        Self::map(fd, words)
    }

    fn map(fd: OwnedFd, words: usize) -> io::Result<Self> {
        let len = NonZeroUsize::new(octets(words)?).ok_or_else(too_long)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, &fd, 0) }?;
        Ok(Self { fd, start: start.cast(), words })
    }
}

// SAFETY: a region gives access only to atomic words and to its descriptor.
unsafe impl Send for Region {}
// SAFETY: the same.
unsafe impl Sync for Region {}

impl AsRef<[AtomicU32]> for Region {
    fn as_ref(&self) -> &[AtomicU32] {
        // SAFETY: the mapping has that length and lives as long as `self`. The file is sealed against
        // shrinking. Every word is a valid AtomicU32, aligned since the mapping is page-aligned. Other
        // processes also access it atomically.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl AsFd for Region {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let start: NonNull<c_void> = self.start.cast();
        // SAFETY: no reference into the mapping is left, since they borrow from `self`. The call fails
        // only for an address that is not mapped.
        let _ = unsafe { munmap(start, self.words * size_of::<AtomicU32>()) };
    }
}

fn octets(words: usize) -> io::Result<usize> {
    words.checked_mul(size_of::<AtomicU32>()).ok_or_else(too_long)
}

fn too_long() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use nix::errno::Errno;

    use super::*;

    #[test]
    fn both_see_what_one_writes() {
        let made = Region::create(1000).unwrap();
        let other = Region::open(made.as_fd().try_clone_to_owned().unwrap(), 1000).unwrap();
        assert!(made.as_ref().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        made.as_ref()[999].store(7, Ordering::Relaxed);
        drop(made);
        assert_eq!(other.as_ref().len(), 1000);
        assert_eq!(other.as_ref()[999].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn the_length_is_fixed_and_checked() {
        let made = Region::create(1000).unwrap();
        for len in [0, 8000] {
            assert_eq!(ftruncate(&made, len), Err(Errno::EPERM));
        }
        for words in [999, 1001, usize::MAX] {
            let fd = made.as_fd().try_clone_to_owned().unwrap();
            assert!(Region::open(fd, words).is_err(), "{words}");
        }
        let open = memfd_create(c"open", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        ftruncate(&open, 4000).unwrap();
        let error = Region::open(open, 1000).unwrap_err();
        assert!(error.to_string().contains("not sealed"), "{error}");
        assert!(Region::create(0).is_err());
    }
}
