//! Every line that goes to the `log` crate, as the journal would take it.

use std::sync::Mutex;

struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
    }
    fn flush(&self) {}
}

/// From here on every line is kept.
pub fn keep_lines(level: log::LevelFilter) {
    static KEPT: std::sync::Once = std::sync::Once::new();
    KEPT.call_once(|| log::set_logger(&LINES).unwrap());
    log::set_max_level(level);
}

/// The lines that have come since the last time, each behind its level.
pub fn take_lines() -> Vec<String> {
    std::mem::take(&mut *LINES.0.lock().unwrap())
}
