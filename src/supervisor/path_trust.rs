//! Whether somebody else decides what is at a path that root writes to.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// Bits of a mode: others may write, the group may, and only who owns a file may remove it.
const OTHERS_MAY_WRITE: u32 = 0o002;
const GROUP_MAY_WRITE: u32 = 0o020;
const STICKY: u32 = 0o1000;
/// As many links as the kernel follows.
const MAX_LINKS: u32 = 40;

/// A part of a path that others have in their hands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Distrust {
    /// Which part, and why.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// Looks at a directory and all that leads there, as far as it exists: nobody but root and the user
/// of this process may write there, or own it. Where others may write and the sticky bit is set
/// (`/tmp`, or a tmpfs of a container), they cannot change what is ours; what they may have put there
/// before is none of [`ours`], and no link is followed.
///
/// # Errors
/// [`Distrust`].
pub fn look(directory: &Path) -> Result<(), Distrust> {
    // What cannot be seen cannot be used either, and that says why.
    let Ok(path) = std::path::absolute(directory) else { return Ok(()) };
    let mut trusted = vec![0, geteuid().as_raw()];
    // In a user namespace root may be somebody else there: whoever has that has everything.
    trusted.extend(fs::metadata("/").map(|root| root.uid()));
    walk(&path, &trusted, MAX_LINKS)
}

/// Whether a file is ours, and not somebody's who may write to the directory as well.
pub fn ours(file: &Metadata) -> bool {
    file.is_file() && [0, geteuid().as_raw()].contains(&file.uid())
}

fn walk(path: &Path, trusted: &[u32], links: u32) -> Result<(), Distrust> {
    let parts: Vec<&Path> = path.ancestors().collect();
    for part in parts.into_iter().rev() {
        let Ok(about) = fs::symlink_metadata(part) else { return Ok(()) };
        let shown = part.display();
        let (uid, mode) = (about.uid(), about.mode() & 0o7777);
        if !trusted.contains(&uid) {
            return Err(Distrust {
                what: format!(
                    "{shown} belongs to user {uid}, who could put a link to any file there"
                ),
                help: format!("chown root: {shown}, or give --state-dir DIR"),
            });
        }
        if about.is_symlink() {
            let target = fs::read_link(part).unwrap_or_default();
            let from = part.parent().map(Path::to_owned).unwrap_or_else(|| PathBuf::from("/"));
            if links > 0 {
                walk(&from.join(target), trusted, links - 1)?;
            }
            continue;
        }
        if !about.is_dir() {
            // There can be nothing in it.
            return Ok(());
        }
        let by_others =
            mode & OTHERS_MAY_WRITE != 0 || mode & GROUP_MAY_WRITE != 0 && about.gid() != 0;
        if by_others && mode & STICKY == 0 {
            return Err(Distrust {
                what: format!(
                    "others may write to {shown} (mode {mode:04o}), and could put a link to any \
                     file there"
                ),
                help: format!("chmod go-w {shown}, or give --state-dir DIR"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A directory that goes with the test.
    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn whoever_may_write_on_the_way_is_named() {
        let name = format!("steadfast-{}-trust", std::process::id());
        let scratch = Scratch(std::env::temp_dir().join(name));
        let (way, end) = (scratch.0.join("way"), scratch.0.join("way/end"));
        fs::create_dir_all(&end).unwrap();
        assert_eq!(look(&end), Ok(()), "/tmp is sticky");
        assert_eq!(look(&end.join("not/yet")), Ok(()));
        let told = |path: &Path| look(path).unwrap_err().what;
        mode(&way, 0o777);
        assert!(
            told(&end).starts_with(&format!("others may write to {} (mode 0777)", way.display()))
        );
        assert_eq!(
            look(&end).unwrap_err().help,
            format!("chmod go-w {}, or give --state-dir DIR", way.display())
        );
        mode(&way, 0o1777);
        assert_eq!(look(&end), Ok(()));
        assert_eq!(look(&way), Ok(()));
        mode(&way, 0o755);
        symlink(&end, scratch.0.join("link")).unwrap();
        assert_eq!(look(&scratch.0.join("link")), Ok(()));
        mode(&way, 0o777);
        assert!(told(&scratch.0.join("link/deeper")).starts_with("others may write to "));
        // A circle is the kernel's to refuse.
        symlink(scratch.0.join("circle"), scratch.0.join("circle")).unwrap();
        assert_eq!(look(&scratch.0.join("circle/x")), Ok(()));
    }
}
