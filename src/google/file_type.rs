//! The types of files that Google's tools write, and how one is told from another.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::json::syntax_fault;

/// What a file says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A service account's key.
    ServiceAccount,
    /// What a person's login left on a machine.
    AuthorizedUser,
    /// How to exchange a token of another issuer.
    ExternalAccount,
    /// How to impersonate a service account.
    ImpersonatedServiceAccount,
}

/// The members by which such files are told apart.
#[derive(Deserialize)]
struct Markers {
    r#type: Option<String>,
    installed: Option<IgnoredAny>,
    web: Option<IgnoredAny>,
}

impl FileType {
    const ALL: [Self; 4] = [
        Self::ServiceAccount,
        Self::AuthorizedUser,
        Self::ExternalAccount,
        Self::ImpersonatedServiceAccount,
    ];

    /// As the member `type` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceAccount => "service_account",
            Self::AuthorizedUser => "authorized_user",
            Self::ExternalAccount => "external_account",
            Self::ImpersonatedServiceAccount => "impersonated_service_account",
        }
    }

    /// The type that has this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The type that this file says.
    ///
    /// # Errors
    /// What the file is instead, never its contents.
    pub fn of(file: &[u8]) -> Result<Self, String> {
        let markers: Markers = serde_json::from_slice(file).map_err(|why| match why.is_data() {
            true => {
                let (line, column) = (why.line(), why.column());
                format!("line {line}, column {column}: no value that such a file has there")
            }
            false => format!(
                "not JSON: {}; for an access token alone write \"type\": \"access_token\"",
                syntax_fault(&why, file)
            ),
        })?;
        match (markers.r#type, markers.installed.or(markers.web)) {
            (Some(name), _) => Self::named(&name).ok_or_else(|| {
                let what = stranger(&name).unwrap_or("no type that is served here");
                format!("/type: {what}; {WANTED}")
            }),
            (None, Some(_)) => {
                Err(format!("an OAuth client's file, which is no identity; {WANTED}"))
            }
            (None, None) => Err(format!("/type: missing; {WANTED}")),
        }
    }

    /// Checks that a file is of this type.
    ///
    /// # Errors
    /// What the file is instead, and what to write.
    pub(super) fn check(self, file: &[u8]) -> Result<(), String> {
        let own = Self::of(file)?;
        match own == self {
            true => Ok(()),
            false => Err(format!(
                "/type: it is {}, not {}: {}",
                own.name(),
                self.name(),
                own.write_instead()
            )),
        }
    }

    /// What to write in the configuration for a file of this type.
    pub(super) fn write_instead(self) -> String {
        format!("write \"type\": \"{}\" for this file, or leave `type` out", self.name())
    }
}

const WANTED: &str = "service_account, external_account, impersonated_service_account or \
                      authorized_user is wanted";

/// What a file of Google's is that is not served here.
pub(super) fn stranger(kind: &str) -> Option<&'static str> {
    match kind {
        "external_account_authorized_user" => Some(
            "a person's login by workforce identity federation (type \
             external_account_authorized_user)",
        ),
        "gdch_service_account" => {
            Some("an account of Google Distributed Cloud (type gdch_service_account)")
        }
        _ => None,
    }
}
