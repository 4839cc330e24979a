//! Reads a service account's key file, and tells it from the other files that Google's tools write.

use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::google::FileType;
use crate::google::file_type::stranger;
use crate::json::syntax_fault;

const WANTED: &str = "a service account's key file is wanted, as the Google Cloud console and \
                      `gcloud iam service-accounts keys create` write it";

/// The members of a key file that are used; Google writes more.
#[derive(Deserialize)]
pub(super) struct KeyFile {
    pub(super) client_email: String,
    pub(super) private_key_id: String,
    pub(super) private_key: Zeroizing<String>,
    pub(super) token_uri: Option<String>,
    pub(super) universe_domain: Option<String>,
}

/// The members by which Google's files are told apart.
#[derive(Deserialize)]
struct FileMarkers {
    r#type: Option<String>,
    installed: Option<IgnoredAny>,
    web: Option<IgnoredAny>,
}

impl KeyFile {
    /// Reads a key file.
    ///
    /// # Errors
    /// What the file is instead, or what is missing, never its contents.
    pub(super) fn parse(file: &[u8]) -> Result<Self, String> {
        let markers: FileMarkers = serde_json::from_slice(file).map_err(|why| fault(&why, file))?;
        match (markers.r#type.as_deref(), markers.installed.or(markers.web)) {
            (Some("service_account"), _) => {
                serde_json::from_slice(file).map_err(|why| fault(&why, file))
            }
            (Some(other), _) => {
                let what = what(other).unwrap_or("its `type` is not service_account");
                let instead = FileType::named(other)
                    .map_or_else(String::new, |own| format!("; or {}", own.write_instead()));
                Err(format!("{what}; {WANTED}{instead}"))
            }
            (None, Some(_)) => Err(format!("an OAuth client's file; {WANTED}")),
            (None, None) => Err(format!("`type` is missing; {WANTED}")),
        }
    }
}

fn what(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "authorized_user" => {
            "a person's own credentials, as `gcloud auth application-default login` writes them \
             (type authorized_user)"
        }
        "external_account" => {
            "the settings of workload or workforce identity federation (type external_account), \
             which hold no key"
        }
        "impersonated_service_account" => {
            "settings to impersonate a service account (type impersonated_service_account), which \
             hold no key"
        }
        other => return stranger(other),
    })
}

/// The error's message. serde quotes the value that it cannot use, which may be the key; then only
/// the place is named.
fn fault(why: &serde_json::Error, file: &[u8]) -> String {
    let text = why.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    match missing {
        Some((member, _)) => format!("`{member}` is missing; {WANTED}"),
        None if why.is_data() => {
            let (line, column) = (why.line(), why.column());
            format!("line {line}, column {column}: no value of such a file; {WANTED}")
        }
        None => format!("not JSON: {}; {WANTED}", syntax_fault(why, file)),
    }
}
