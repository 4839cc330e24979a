//! The sink of the `log` crate: a short queue that HAProxy's Lua empties into HAProxy's own log.
//! A line names issuers and credentials of the configuration, never a token or a claim.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Most lines in the queue: more at once say nothing new.
const MAX_LINES: usize = 256;

/// Most bytes of a line: HAProxy's own default.
const MAX_LINE_BYTES: usize = 900;

struct Journal(Mutex<VecDeque<(Level, String)>>);

static JOURNAL: Journal = Journal(Mutex::new(VecDeque::new()));

/// Sends this crate's log lines to the queue; a second call has no effect.
pub(crate) fn install() {
    if log::set_logger(&JOURNAL).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Takes the oldest line, as (syslog level, text).
pub(crate) fn next() -> Option<(u8, String)> {
    let line = JOURNAL.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    line.map(|(level, text)| (syslog(level), text))
}

/// Drops the lines, for a check of the configuration, whose result says the same.
pub(crate) fn clear() {
    JOURNAL.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The syslog severity of a level (RFC 5424 section 6.2.1).
fn syslog(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut text: String = record
            .args()
            .to_string()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        while text.len() > MAX_LINE_BYTES {
            text.pop();
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MAX_LINES {
            lines.push_back((record.level(), text));
        }
    }

    fn flush(&self) {}
}
