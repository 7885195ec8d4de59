//! The state directory: who runs here, and the control socket.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Group, Pid, fchownat, geteuid};

use super::options::Failure;
use super::path_trust::{self, Distrust};
use crate::system::lock;

/// Where it is when nothing else is said.
pub const DEFAULT: &str = "/run/steadfast";
/// The control socket in it.
pub const SOCKET: &str = "control.sock";
/// The file with the process id, which is the lock as well.
pub const PID_FILE: &str = "steadfast.pid";
/// Where SIGUSR1 writes the status to.
pub const DUMP: &str = "status.json";

/// Nobody but root and the group may talk to us.
const SOCKET_MASK: Mode = Mode::from_bits_truncate(0o117);

/// Octets of the longest path of a socket, without the zero at its end (`sun_path` in unix(7)).
const MAX_SOCKET_PATH_OCTETS: usize = 107;
/// Octets of the longest file of ours: what thousands of instances have in the kernel.
const MAX_FILE_OCTETS: u64 = 16 * 1024 * 1024;
/// Errors that retrying cannot fix.
const PERMANENT_ERRORS: [Errno; 7] = [
    Errno::EEXIST,
    Errno::ENOTDIR,
    Errno::ENOENT,
    Errno::ENAMETOOLONG,
    Errno::ELOOP,
    Errno::EISDIR,
    Errno::EPERM,
];
/// Where the kernel keeps its own files and takes no others.
const KERNEL_FILE_SYSTEMS: [&str; 2] = ["/proc", "/sys"];
const REMEDY: &str = "give --state-dir DIR with a directory that can be written to, such as \
                      /run/steadfast";

/// The directory, as far as it could be had.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Held as long as the process lives.
    lock: Option<File>,
    /// Whether our process id is in the file.
    marked: bool,
    bound: bool,
    /// The process that was here before and has not taken its process id away.
    before: Option<Pid>,
    /// What does not work, and what that means.
    losses: Vec<String>,
}

impl StateDir {
    /// Makes the directory and takes the lock. What a file system that is read-only or full
    /// refuses becomes a loss. `locks` are the files of the roles' locks.
    ///
    /// # Errors
    /// Another process has the directory, or it can never work.
    pub fn open(path: &Path, locks: &[&str]) -> Result<Self, Failure> {
        fits(path)?;
        trusted(path)?;
        let mut dir = Self {
            path: path.to_owned(),
            lock: None,
            marked: false,
            bound: false,
            before: None,
            losses: Vec::new(),
        };
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
        // What is new since is looked at as well.
        trusted(path)?;
        for name in locks.iter().chain([&PID_FILE]) {
            no_link(&path.join(name))?;
        }
        match made.and_then(|()| dir.open_lock_file()) {
            Err(error) => {
                dir.tolerable(&error)?;
                dir.lose_lock(&error);
            }
            Ok(file) => match lock::take(&file) {
                Ok(true) => {
                    // The lock is free: whoever wrote that is gone.
                    dir.before = process_id(&file);
                    dir.lock = Some(file);
                }
                Ok(false) => return Err(in_use(dir.holder(&file))),
                Err(error) => dir.lose_lock(&error),
            },
        }
        dir.mark();
        Ok(dir)
    }

    /// As another program has left it for this one: with the lock, whether our process id is in the
    /// file, and whether there is a control socket.
    pub fn adopt(path: PathBuf, lock: Option<(OwnedFd, bool)>, bound: bool) -> Self {
        let (lock, marked) = lock.map_or((None, false), |(lock, marked)| (Some(lock), marked));
        let (lock, before, losses) = (lock.map(File::from), None, Vec::new());
        Self { path, lock, marked, bound, before, losses }
    }

    /// The process that was here before and ended without a stop, which would have taken its
    /// process id away.
    pub const fn killed(&self) -> Option<Pid> {
        self.before
    }

    /// The lock, and whether our process id is in its file.
    pub fn lock(&self) -> Option<(&File, bool)> {
        self.lock.as_ref().map(|lock| (lock, self.marked))
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path.join(name)).is_ok()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What does not work, in words.
    pub fn losses(&self) -> &[String] {
        &self.losses
    }

    /// The file whose lock is the directory's. One that cannot be written can still be locked.
    fn open_lock_file(&self) -> io::Result<File> {
        let path = self.path.join(PID_FILE);
        let mut readable = OpenOptions::new();
        readable.read(true).custom_flags(OFlag::O_NOFOLLOW.bits());
        self.open_file(PID_FILE).or_else(|error| readable.open(&path).map_err(|_| error))
    }

    /// Writes the process id.
    fn mark(&mut self) {
        let Some(lock) = &mut self.lock else { return };
        let written = (|| {
            lock.rewind()?;
            lock.set_len(0)?;
            writeln!(lock, "{}", std::process::id())
        })();
        match written {
            Ok(()) => self.marked = true,
            Err(error) => self.losses.push(format!(
                "{}: cannot write the process id: {error}; tools that read it do not find this \
                 process",
                self.path.join(PID_FILE).display()
            )),
        }
    }

    fn lose_lock(&mut self, error: &io::Error) {
        self.losses.push(format!(
            "{}: {error}; nothing prevents a second instance, and there is no {PID_FILE}",
            self.path.display()
        ));
    }

    /// Who holds the lock.
    fn holder(&self, file: &File) -> String {
        let who = match process_id(file) {
            None => "another process".to_owned(),
            Some(pid) => process_in_words(pid),
        };
        format!("{} is in use by {who}, stop it or give --state-dir DIR", self.path.display())
    }

    /// Whether it can be worked without what was refused: the error of a file system that may be
    /// well again some day.
    fn tolerable(&self, error: &io::Error) -> Result<(), Failure> {
        let path = self.path.display();
        let why = error.raw_os_error().map(Errno::from_raw);
        if why == Some(Errno::EACCES) && !geteuid().is_root() {
            let user = geteuid();
            return Err(Failure::new(
                format!("the state directory {path}: {error} for user {user}, who is not root"),
                format!(
                    "run it as root, make a directory that belongs to user {user} \
                     (RuntimeDirectory=steadfast in its unit), or {REMEDY}"
                ),
            ));
        }
        let there = self.path.ancestors().find(|path| fs::symlink_metadata(path).is_ok());
        let reason = match there {
            Some(there) if !there.is_dir() => format!("{} is not a directory", there.display()),
            Some(there) if is_of_kernel(there) => {
                format!("{error}; the kernel takes no files of others there")
            }
            Some(_) | None if why.is_some_and(|why| PERMANENT_ERRORS.contains(&why)) => {
                error.to_string()
            }
            Some(_) | None => return Ok(()),
        };
        Err(Failure::new(format!("{path} cannot be the state directory: {reason}"), REMEDY))
    }

    /// Binds the control socket. What a file system that is read-only or full refuses becomes a
    /// loss.
    ///
    /// # Errors
    /// Another process answers there, or a socket can never be there.
    pub fn bind(&mut self) -> Result<Option<UnixListener>, Failure> {
        let path = self.path.join(SOCKET);
        match self.clear(&path).and_then(|()| bind(&path)) {
            Ok(listener) => {
                self.bound = true;
                Ok(Some(listener))
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => Err(in_use(format!(
                "{} is in use by another process, stop it or give --state-dir DIR",
                path.display()
            ))),
            Err(error) => {
                // A directory that is not there was a loss before, for a reason of its own.
                if self.path.is_dir() {
                    self.tolerable(&error)?;
                }
                self.losses.push(format!(
                    "{}: {error}; there is no control socket, so steadfast status and its like do \
                     not reach this process",
                    path.display()
                ));
                Ok(None)
            }
        }
    }

    /// Removes a socket that nobody listens at.
    fn clear(&self, path: &Path) -> io::Result<()> {
        let kind = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if !kind.is_socket() {
            return Err(io::Error::other("it is not a socket"));
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
            Ok(_) | Err(_) => Err(ErrorKind::AddrInUse.into()),
        }
    }

    /// Lets a group use the control socket beside root; `None`: root's own.
    ///
    /// # Errors
    /// There is no such group, or the system refuses: in words.
    pub fn give_to(&self, group: Option<&str>) -> Result<(), String> {
        if !self.bound {
            return Ok(());
        }
        let path = self.path.join(SOCKET);
        let refused =
            |error: Errno| format!("{}: cannot change the group: {error}", path.display());
        let gid = match group {
            None => nix::unistd::getegid(),
            Some(name) => match Group::from_name(name).map_err(refused)? {
                Some(group) => group.gid,
                None => {
                    return Err(format!(
                        "control_socket_group: there is no group \"{name}\"; only root can use {}",
                        path.display()
                    ));
                }
            },
        };
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        fchownat(AT_FDCWD, &path, None, Some(gid), flags).map_err(refused)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, name: &str, octets: &[u8]) -> io::Result<PathBuf> {
        let (path, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        // What was not finished before, or a link that somebody put there.
        let _ = fs::remove_file(&new);
        let mut options = OpenOptions::new();
        // Fails for whatever has come there since, links included.
        options.write(true).create_new(true).mode(0o644);
        let written = options.open(&new).and_then(|mut file| file.write_all(octets));
        let written = written.and_then(|()| fs::rename(&new, &path));
        if written.is_err() {
            // It may not even be there.
            let _ = fs::remove_file(&new);
        }
        written.map(|()| path)
    }

    /// Opens a file whose lock means something (`system::lock`), and makes it if need be. Nobody
    /// else may read it: whoever could could lock it, and nobody could start any more.
    ///
    /// # Errors
    /// What the system says; that it is a link, or somebody else's.
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(self.path.join(name))?;
        match path_trust::ours(&file.metadata()?) {
            true => Ok(file),
            false => Err(io::Error::other(format!("{name} is none of ours"))),
        }
    }

    /// Reads a file of ours; `None` when there is none.
    ///
    /// # Errors
    /// What the system says; that it is no file, or a longer one than any of ours.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let mut options = OpenOptions::new();
        // Whatever it is, nobody waits for it.
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let file = match options.read(true).custom_flags(flags.bits()).open(self.path.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if !path_trust::ours(&metadata) || metadata.len() > MAX_FILE_OCTETS {
            return Err(io::Error::other("it is none of ours"));
        }
        let mut octets = Vec::new();
        file.take(MAX_FILE_OCTETS).read_to_end(&mut octets)?;
        Ok(Some(octets))
    }

    /// Removes a file, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes what is ours; the lock goes with the process.
    pub fn leave(self) {
        let files = [(self.bound, SOCKET), (self.marked, PID_FILE)];
        for (ours, name) in files {
            if ours {
                // Nobody is left to tell, and the next start replaces it.
                let _ = fs::remove_file(self.path.join(name));
            }
        }
    }
}

/// The process id in the file.
fn process_id(mut file: &File) -> Option<Pid> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok().map(Pid::from_raw)
}

/// Whether nobody else decides what is written to.
fn trusted(path: &Path) -> Result<(), Failure> {
    let refuse = |Distrust { what, help }: Distrust| {
        let path = path.display();
        Failure::new(format!("{path} cannot be the state directory: {what}"), help)
    };
    path_trust::look(path).map_err(refuse)
}

/// Whether what is written to is not another file.
fn no_link(path: &Path) -> Result<(), Failure> {
    let Ok(target) = fs::read_link(path) else { return Ok(()) };
    let (path, target) = (path.display(), target.display());
    Err(Failure::new(
        format!("{path} is a link to {target}, which would be written over"),
        format!("rm {path}"),
    ))
}

/// Another process has it.
fn in_use(what: String) -> Failure {
    Failure::new(what, "several daemons can run beside each other, each with its own --state-dir")
}

/// Whether the path of the control socket is short enough.
fn fits(path: &Path) -> Result<(), Failure> {
    let octets = path.join(SOCKET).as_os_str().len();
    if octets <= MAX_SOCKET_PATH_OCTETS {
        return Ok(());
    }
    Err(Failure::new(
        format!(
            "the state directory {} is too long: {SOCKET} in it has a path of {octets} bytes, and \
             the system allows {MAX_SOCKET_PATH_OCTETS} for a socket",
            path.display()
        ),
        "give --state-dir DIR with a shorter path, such as /run/steadfast",
    ))
}

/// Whether a directory that exists belongs to the kernel, wherever its name is.
fn is_of_kernel(path: &Path) -> bool {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    KERNEL_FILE_SYSTEMS.iter().any(|place| path.starts_with(place))
}

/// The mode of the socket is right from its first moment.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let before = umask(SOCKET_MASK);
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}

/// A process in words: with its command line, where the state directory is, if it can be seen.
pub fn process_in_words(pid: Pid) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).replace('\0', " ");
    match words.trim_end() {
        "" => format!("process {pid}"),
        words => format!("process {pid} (\"{words}\")"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(path: &Path) -> Result<StateDir, Failure> {
        StateDir::open(path, &["role.lock"])
    }

    /// A directory that goes with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("steadfast-{}-{name}", std::process::id()));
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_second_one_is_told_who_is_first() {
        let scratch = Scratch::new("second");
        let first = open(&scratch.0).unwrap();
        assert!(first.losses().is_empty(), "{:?}", first.losses());
        let told = open(&scratch.0).unwrap_err().what;
        let start =
            format!("{} is in use by process {} (\"", scratch.0.display(), std::process::id());
        assert!(told.starts_with(&start) && told.ends_with("give --state-dir DIR"), "{told}");
        first.leave();
        assert!(!scratch.0.join(PID_FILE).exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let scratch = Scratch::new("stale");
        let mut dir = open(&scratch.0).unwrap();
        let path = scratch.0.join(SOCKET);
        let live = UnixListener::bind(&path).unwrap();
        assert!(dir.bind().is_err());
        drop(live);
        let listener = dir.bind().unwrap();
        assert!(listener.is_some());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        dir.leave();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_stays_and_is_a_loss() {
        let scratch = Scratch::new("file");
        let mut dir = open(&scratch.0).unwrap();
        fs::write(scratch.0.join(SOCKET), "x").unwrap();
        assert!(dir.bind().unwrap().is_none());
        assert!(dir.losses().concat().contains("it is not a socket"));
        dir.leave();
        assert!(scratch.0.join(SOCKET).exists());
    }

    #[test]
    fn a_directory_that_can_never_be_is_refused() {
        let refused = |path: &str| open(Path::new(path)).unwrap_err().what;
        assert!(refused("/proc/version/x").ends_with("/proc/version is not a directory"));
        assert!(refused("/proc/steadfast").contains("the kernel takes no files of others there"));
        let scratch = Scratch::new("long");
        let room = MAX_SOCKET_PATH_OCTETS - SOCKET.len() - "/".len();
        let of_length = |length: usize| {
            let start = scratch.0.join("");
            PathBuf::from(format!(
                "{}{}",
                start.display(),
                "x".repeat(length - start.as_os_str().len())
            ))
        };
        let told = open(&of_length(room + 1)).unwrap_err().what;
        assert!(told.contains("a path of 108 bytes"), "{told}");
        assert!(!scratch.0.exists(), "nothing is left behind");
        assert!(open(&of_length(room)).unwrap().bind().unwrap().is_some());
    }

    #[test]
    fn what_is_none_of_our_files_is_not_read() {
        let scratch = Scratch::new("strange");
        let dir = open(&scratch.0).unwrap();
        assert_eq!(dir.read("none").unwrap(), None);
        nix::unistd::mkfifo(&scratch.0.join("fifo"), Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", scratch.0.join("link")).unwrap();
        fs::create_dir(scratch.0.join("directory")).unwrap();
        File::create(scratch.0.join("long")).unwrap().set_len(MAX_FILE_OCTETS + 1).unwrap();
        for name in ["fifo", "link", "directory", "long"] {
            assert!(dir.read(name).is_err(), "{name}");
        }
    }

    #[test]
    fn links_are_not_followed() {
        use std::os::unix::fs::symlink;
        let scratch = Scratch::new("links");
        let other = Scratch::new("links-other");
        fs::create_dir(&scratch.0).unwrap();
        fs::write(&other.0, "precious").unwrap();
        for name in [PID_FILE, "role.lock"] {
            let path = scratch.0.join(name);
            symlink(&other.0, &path).unwrap();
            let told = open(&scratch.0).unwrap_err();
            let (path, target) = (path.display(), other.0.display());
            let what = format!("{path} is a link to {target}, which would be written over");
            assert_eq!((told.what, told.help), (what, format!("rm {path}")));
            fs::remove_file(scratch.0.join(name)).unwrap();
        }
        let mut dir = open(&scratch.0).unwrap();
        for name in [DUMP, "status.json.new", "later"] {
            symlink(&other.0, scratch.0.join(name)).unwrap();
        }
        dir.write(DUMP, b"1").unwrap();
        assert_eq!(fs::read(scratch.0.join(DUMP)).unwrap(), b"1");
        assert!(!fs::symlink_metadata(scratch.0.join(DUMP)).unwrap().is_symlink());
        assert!(dir.open_file("later").is_err());
        // A link at the place of the socket is none.
        symlink(&other.0, scratch.0.join(SOCKET)).unwrap();
        assert!(dir.bind().unwrap().is_none());
        assert_eq!(fs::read_to_string(&other.0).unwrap(), "precious");
        fs::remove_file(&other.0).unwrap();
    }

    #[test]
    fn a_directory_of_others_is_refused() {
        let scratch = Scratch::new("others");
        fs::create_dir(&scratch.0).unwrap();
        fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).unwrap();
        let told = open(&scratch.0).unwrap_err();
        assert!(told.what.contains("others may write to "), "{}", told.what);
        assert!(told.help.starts_with("chmod go-w "), "{}", told.help);
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0, "nothing is written");
    }

    #[test]
    fn files_are_whole() {
        let scratch = Scratch::new("whole");
        let dir = open(&scratch.0).unwrap();
        dir.write(DUMP, b"1").unwrap();
        assert_eq!(fs::read(scratch.0.join(DUMP)).unwrap(), b"1");
        assert_eq!(dir.give_to(Some("no such group")), Ok(()), "without a socket there is nothing");
    }
}
