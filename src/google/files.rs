//! The files that a credential is made from: how they are read, and what they held.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::system_fault;
use crate::google::CredentialSource;
use crate::jose::digest;
use crate::time::UnixTime;

/// Reads a file; supplied by the host.
pub type ReadFile<'r> = &'r dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The files of this machine, as they are now; supplied by the host.
#[derive(Clone, Copy)]
pub struct Disk<'d> {
    /// Reads a file.
    pub read: ReadFile<'d>,
    /// When a file was written.
    pub written: &'d dyn Fn(&Path) -> Option<UnixTime>,
}

/// Makes a source from files, by the checks that the load makes.
type Make = dyn Fn(ReadFile<'_>) -> Result<CredentialSource, String> + Send + Sync;

/// The files of a credential.
pub struct CredentialFiles {
    make: Box<Make>,
    /// What they held when the source in use was made.
    pub(super) held: Vec<HeldFile>,
}

/// A file, and what it held: its digest tells no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFile {
    pub(super) path: PathBuf,
    digest: [u8; 32],
}

/// Notes what is read.
pub struct Noted<'r> {
    read: ReadFile<'r>,
    held: RefCell<Vec<HeldFile>>,
}

/// Files at one moment: none is read twice.
pub(super) struct Snapshot<'r> {
    read: ReadFile<'r>,
    seen: RefCell<Vec<(PathBuf, Zeroizing<Vec<u8>>)>>,
}

impl CredentialFiles {
    /// Files that `make` makes a source from, and that held this.
    #[must_use]
    pub fn new(
        make: impl Fn(ReadFile<'_>) -> Result<CredentialSource, String> + Send + Sync + 'static,
        held: Vec<HeldFile>,
    ) -> Self {
        Self { make: Box::new(make), held }
    }

    /// A source from the files as they are now, and what they hold.
    pub(super) fn make(
        &self,
        snapshot: &Snapshot<'_>,
    ) -> (Result<CredentialSource, String>, Vec<HeldFile>) {
        let read = |path: &Path| snapshot.read(path);
        let noted = Noted::new(&read);
        let source = (self.make)(&|path| noted.read(path));
        (source, noted.held())
    }
}

impl<'r> Noted<'r> {
    /// Nothing is read so far.
    #[must_use]
    pub fn new(read: ReadFile<'r>) -> Self {
        Self { read, held: RefCell::default() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = (self.read)(path)?;
        let held = HeldFile { path: path.to_owned(), digest: digest(&content) };
        self.held.borrow_mut().push(held);
        Ok(content)
    }

    /// What was read, in that order.
    #[must_use]
    pub fn held(self) -> Vec<HeldFile> {
        self.held.into_inner()
    }
}

impl<'r> Snapshot<'r> {
    pub(super) fn new(read: ReadFile<'r>) -> Self {
        Self { read, seen: RefCell::default() }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut seen = self.seen.borrow_mut();
        if let Some((_, content)) = seen.iter().find(|(known, _)| known == path) {
            return Ok(content.to_vec());
        }
        let content = (self.read)(path)?;
        seen.push((path.to_owned(), Zeroizing::new(content.clone())));
        Ok(content)
    }

    /// Whether the files hold just this; the first that cannot be read ends it.
    pub(super) fn holds(&self, held: &[HeldFile]) -> Result<bool, String> {
        for HeldFile { path, digest: held } in held {
            let content = Zeroizing::new(self.read(path).map_err(|why| fault(path, &why))?);
            if digest(&content) != *held {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn fault(path: &Path, why: &io::Error) -> String {
    format!("cannot read {}: {}", path.display(), system_fault(why))
}

impl fmt::Debug for CredentialFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialFiles {:?}", self.held)
    }
}

impl fmt::Debug for Disk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl fmt::Debug for Noted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Noted {:?}", self.held.borrow())
    }
}
