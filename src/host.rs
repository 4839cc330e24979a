//! The only place that reads clocks, the environment and files.

mod folders;

#[cfg(any(feature = "lua53", feature = "lua54"))]
pub(crate) use folders::Folders;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use once_cell::sync::Lazy;

use crate::haproxy::{File, Haproxy, System, Version};
use crate::time::{Monotonic, Now, UnixTime};

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

static STARTED: Lazy<Instant> = Lazy::new(
    #[allow(clippy::disallowed_methods, reason = "the host's edge")]
    Instant::now,
);

/// Reads the clocks.
#[allow(clippy::disallowed_methods, reason = "the host's edge")]
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Now {
        wall: UnixTime(i64::try_from(wall).unwrap_or(i64::MAX)),
        mono: Monotonic(i64::try_from(STARTED.elapsed().as_millis()).unwrap_or(i64::MAX)),
    }
}

/// Reads a file.
///
/// # Errors
/// The system's error.
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only while loading")]
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let about = std::fs::metadata(path)?;
    // A pipe or a device may never end.
    if !about.is_file() && !about.is_dir() {
        return Err(io::Error::other("it is no file, but a pipe or a device"));
    }
    if about.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("it is larger than 64 MB"));
    }
    std::fs::read(path)
}

/// Reads a variable of the environment.
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only while loading")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The checks that a test has switched off, separated by blanks.
#[cfg(feature = "faults")]
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only in tests")]
pub(crate) fn switched_off() -> String {
    std::env::var("HAPROXY_VERTEX_WITHOUT").unwrap_or_default()
}

/// Seconds since a file was written.
#[cfg(feature = "cli")]
#[allow(clippy::disallowed_methods, reason = "the host's edge")]
pub(crate) fn age_of_file(path: &Path) -> Option<u64> {
    let written = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(written).ok()?.as_secs())
}

/// The permissions of a file, as mode bits.
#[cfg(feature = "cli")]
#[allow(clippy::disallowed_methods, reason = "the host's edge")]
pub(crate) fn mode_of_file(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(std::fs::metadata(path).ok()?.permissions().mode() & 0o777)
}

/// Why a file or folder of HAProxy's cannot be read.
#[cfg(feature = "cli")]
#[allow(clippy::disallowed_methods, reason = "the host's edge")]
pub(crate) fn why_unread(name: &str) -> Option<io::Error> {
    match std::fs::metadata(name) {
        Ok(about) if about.is_dir() => None,
        _ => read_file(Path::new(name)).err(),
    }
}

/// Reads HAProxy's files; a folder stands for its `.cfg` files in the order of their names.
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only while loading")]
pub(crate) fn haproxy(names: impl IntoIterator<Item = String>, version: Option<&str>) -> Haproxy {
    let mut files = Vec::new();
    for name in names {
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(&name) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|file| file.extension().is_some_and(|ending| ending == "cfg"))
                .collect(),
            Err(_) => vec![name.into()],
        };
        paths.sort();
        files.extend(paths.iter().filter_map(|path| {
            let bytes = std::fs::read(path).ok()?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Some(File { name: path.display().to_string(), text })
        }));
    }
    let system = System {
        environment: &|name| std::env::var(name).ok(),
        version: version.and_then(Version::parse),
        users: users(),
        real_path: &real_path,
    };
    Haproxy::read(&files, &system)
}

/// The ids of this machine's users, by name.
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only while loading")]
fn users() -> HashMap<String, u32> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(user).collect()
}

/// Resolves the links in a path's folder; the file itself may not exist yet.
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only while loading")]
fn real_path(path: &str) -> String {
    let path = Path::new(path);
    let folder = path.parent().and_then(|folder| std::fs::canonicalize(folder).ok());
    let real = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
    // `components` drops repeated slashes.
    real.unwrap_or_else(|| path.components().collect()).display().to_string()
}
