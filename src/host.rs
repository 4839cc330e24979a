//! The host's edge: the only place that reads clocks, the environment and, while loading, files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use once_cell::sync::Lazy;

use crate::haproxy::Haproxy;
use crate::time::{Monotonic, Now, UnixTime};

static STARTED: Lazy<Instant> = Lazy::new(
    #[allow(clippy::disallowed_methods, reason = "the host's edge")]
    Instant::now,
);

/// What the clocks say.
#[allow(clippy::disallowed_methods, reason = "the host's edge")]
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Now {
        wall: UnixTime(i64::try_from(wall).unwrap_or(i64::MAX)),
        mono: Monotonic(i64::try_from(STARTED.elapsed().as_millis()).unwrap_or(i64::MAX)),
    }
}

/// A file.
///
/// # Errors
/// Those of the system.
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only while loading")]
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// The names of the checks that a test has switched off, with blanks between.
#[cfg(feature = "faults")]
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only in tests")]
pub(crate) fn switched_off() -> String {
    std::env::var("HAPROXY_VERTEX_WITHOUT").unwrap_or_default()
}

/// How long ago a file was written, in seconds.
#[cfg(feature = "cli")]
#[allow(clippy::disallowed_methods, reason = "the host's edge")]
pub(crate) fn age_of_file(path: &Path) -> Option<u64> {
    let written = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(written).ok()?.as_secs())
}

/// What HAProxy's files say; a folder stands for its `.cfg` files in the order of their names.
#[allow(clippy::disallowed_methods, reason = "the host's edge, and only while loading")]
pub(crate) fn haproxy(names: impl IntoIterator<Item = String>) -> Haproxy {
    let mut texts = Vec::new();
    for name in names {
        let mut files: Vec<PathBuf> = match std::fs::read_dir(&name) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|file| file.extension().is_some_and(|ending| ending == "cfg"))
                .collect(),
            Err(_) => vec![name.into()],
        };
        files.sort();
        texts.extend(files.iter().filter_map(|file| std::fs::read_to_string(file).ok()));
    }
    Haproxy::read(&texts, &|name| std::env::var(name).ok())
}
