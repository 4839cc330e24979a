//! Prints the JSON schema of the configuration, from the types that read it.

use crate::cli::Report;
use crate::config;

pub(super) fn run() -> Result<Report, String> {
    let text = serde_json::to_string_pretty(&config::schema()).map_err(|why| why.to_string())?;
    Ok(Report { text: text + "\n", good: true })
}
