//! Folders that are held open: what is in them can be read behind a chroot, which their names cannot
//! reach. The permissions of a file and of its folder are asked for at each look, of the user that
//! HAProxy then is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, open, openat, statat};

use crate::time::UnixTime;

/// The largest file that is read: a credential's have a few KB.
const MAX_BYTES: u64 = 1 << 20;

/// The folders of these files, by their names at load.
#[derive(Debug, Default)]
pub(crate) struct Folders(BTreeMap<PathBuf, OwnedFd>);

impl Folders {
    /// Opens the folders of these files, those that can be opened.
    pub(crate) fn of<'p>(files: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut folders = BTreeMap::new();
        for file in files {
            let name = folder_of(file);
            if folders.contains_key(name) {
                continue;
            }
            let place = if name.as_os_str().is_empty() { Path::new(".") } else { name };
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            if let Ok(folder) = open(place, flags, Mode::empty()) {
                folders.insert(name.to_owned(), folder);
            }
        }
        Self(folders)
    }

    /// Reads a file that is in one of them.
    ///
    /// # Errors
    /// The system's.
    #[allow(clippy::disallowed_types, reason = "the host's edge")]
    pub(crate) fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let (folder, name) = self.place(file)?;
        // A pipe must not be waited for.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = openat(folder, name, flags, Mode::empty())?;
        let about = fstat(&opened)?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(io::ErrorKind::IsADirectory.into()),
            _ => return Err(io::Error::other("it is no file, but a pipe or a device")),
        }
        let size = u64::try_from(about.st_size).unwrap_or(u64::MAX);
        if size > MAX_BYTES {
            return Err(io::Error::other("it is larger than 1 MB"));
        }
        // With room for all of it, as a text that grew would leave a copy behind.
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
        std::fs::File::from(opened).take(MAX_BYTES).read_to_end(&mut content)?;
        Ok(content)
    }

    /// When a file that is in one of them was written.
    pub(crate) fn written(&self, file: &Path) -> Option<UnixTime> {
        let (folder, name) = self.place(file).ok()?;
        Some(UnixTime(statat(folder, name, AtFlags::empty()).ok()?.st_mtime))
    }

    fn place<'f>(&self, file: &'f Path) -> io::Result<(&OwnedFd, &'f OsStr)> {
        let folder = self.0.get(folder_of(file));
        folder.zip(file.file_name()).ok_or_else(|| {
            io::Error::other("its folder was not open when HAProxy started: reload HAProxy")
        })
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new(""))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test writes files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("hv-folders-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_in_a_folder_is_read_by_whatever_name_the_folder_has_now() {
        let scratch = Scratch::new("moved");
        let (folder, moved) = (scratch.0.join("keys"), scratch.0.join("elsewhere"));
        fs::create_dir(&folder).unwrap();
        let file = folder.join("key");
        fs::write(&file, "one").unwrap();
        let folders = Folders::of([file.as_path()]);
        fs::rename(&folder, &moved).unwrap();
        assert_eq!(folders.read(&file).unwrap(), b"one");
        assert!(folders.written(&file).is_some());
        fs::write(moved.join("new"), "two").unwrap();
        fs::rename(moved.join("new"), moved.join("key")).unwrap();
        assert_eq!(folders.read(&file).unwrap(), b"two");
    }

    #[test]
    fn a_link_that_is_swapped_leads_to_the_new_file() {
        let scratch = Scratch::new("links");
        let folder = &scratch.0;
        for (name, content) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("token"), content).unwrap();
        }
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/token", folder.join("token")).unwrap();
        let file = folder.join("token");
        let folders = Folders::of([file.as_path()]);
        assert_eq!(folders.read(&file).unwrap(), b"one");
        symlink("..2", folder.join("..tmp")).unwrap();
        fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
        assert_eq!(folders.read(&file).unwrap(), b"two");
    }

    #[test]
    fn only_files_of_a_size_and_in_folders_that_are_open_are_read() {
        let scratch = Scratch::new("bounds");
        let (large, fits) = (scratch.0.join("large"), scratch.0.join("fits"));
        fs::write(&large, vec![b'x'; (1 << 20) + 1]).unwrap();
        fs::write(&fits, vec![b'x'; 1 << 20]).unwrap();
        let folders = Folders::of([large.as_path()]);
        assert_eq!(folders.read(&fits).unwrap().len(), 1 << 20);
        let why = |file: &Path| folders.read(file).unwrap_err().to_string();
        assert_eq!(why(&large), "it is larger than 1 MB");
        assert!(why(Path::new("/etc/hostname")).contains("reload HAProxy"));
        assert_eq!(
            folders.read(&scratch.0.join("gone")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        fs::create_dir(scratch.0.join("sub")).unwrap();
        let why = folders.read(&scratch.0.join("sub")).unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::IsADirectory);
    }
}
