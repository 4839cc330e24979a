//! Reads the state file. The keys that a former process stored save fetches; without them, keys are
//! fetched.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::Files;
use crate::config::reading::Reading;
use crate::oidc::{STORED_FORMAT, StoredKeys};

/// The public keys that a former process stored.
#[derive(Debug, Default)]
pub struct StateFile {
    /// The file, as the configuration names it.
    pub name: PathBuf,
    /// The keys of each issuer.
    pub issuers: Vec<StoredKeys>,
}

/// The part of the file that every format has.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// The output of `vertex show keys json`. The first release wrote no format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    #[serde(rename = "format")]
    _format: Option<u64>,
    issuers: Vec<StoredKeys>,
}

impl StateFile {
    /// Reads the file. It does not exist before the first reload; an unusable one is ignored.
    pub(super) fn read(name: &Path, files: &Files<'_>) -> Self {
        let issuers = issuers(name, files).unwrap_or_else(|why| {
            log::warn!("state file {}: not used, keys are fetched: {why}", name.display());
            Vec::new()
        });
        Self { name: name.to_owned(), issuers }
    }
}

fn issuers(name: &Path, files: &Files<'_>) -> Result<Vec<StoredKeys>, String> {
    let Some(text) = files.read_if_there(name)? else {
        return Ok(Vec::new());
    };
    if let Ok(Format { format }) = serde_json::from_slice(&text)
        && format != STORED_FORMAT
    {
        return Err(format!("its format is {format}; this version reads {STORED_FORMAT}"));
    }
    let reading: Reading<State> = Reading::of(&text).map_err(|fault| fault.problem)?;
    let state = reading.whole().map_err(|errors| {
        let first = errors.iter().next();
        first.map_or_else(String::new, |fault| match fault.pointer.as_str() {
            "" => fault.problem.clone(),
            pointer => format!("{pointer}: {}", fault.problem),
        })
    })?;
    Ok(state.issuers)
}
