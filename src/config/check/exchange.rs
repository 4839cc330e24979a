//! Checks a credential that exchanges the callers' own tokens.

use super::{Checked, One};
use crate::config::raw::{CredentialEntry, SubjectTokenType};
use crate::error::{All as _, ConfigError};
use crate::google::{CredentialSource, ExchangeSettings, Hosts, TokenExchange};

/// How many callers' tokens are kept if nobody says, and the most.
const MAX_CALLERS: u32 = 10_000;
const MOST_CALLERS: u32 = 1_000_000;

/// How many exchanges a second are begun if nobody says, and the most: Google's quota is 6,000 a minute.
const EXCHANGES_PER_SECOND: u32 = 50;
const MOST_EXCHANGES_PER_SECOND: u32 = 1_000;

pub(super) fn source(
    raw: &CredentialEntry,
    at: &str,
    scopes: &[String],
    hosts: Hosts<'_>,
) -> Checked<CredentialSource> {
    let audience = raw.audience.as_deref().ok_or_else(|| {
        ConfigError::at(at, "`audience` is missing: the full name of the pool's provider is wanted")
    });
    let max_callers =
        bounded(raw.max_callers.unwrap_or(MAX_CALLERS), MOST_CALLERS, &format!("{at}/max_callers"));
    let per_second = bounded(
        raw.exchanges_per_second.unwrap_or(EXCHANGES_PER_SECOND),
        MOST_EXCHANGES_PER_SECOND,
        &format!("{at}/exchanges_per_second"),
    );
    let (audience, max_callers, per_second) = (audience, max_callers, per_second).all()?;
    let settings = ExchangeSettings {
        audience,
        subject_token_type: match raw.subject_token_type {
            None | Some(SubjectTokenType::Jwt) => "urn:ietf:params:oauth:token-type:jwt",
            Some(SubjectTokenType::IdToken) => "urn:ietf:params:oauth:token-type:id_token",
        },
        account: raw.account.as_deref(),
        scopes,
        sts_url: raw.sts_url.as_deref(),
        user_project: raw.user_project.as_deref(),
        max_callers,
        per_second,
    };
    let exchange = TokenExchange::new(settings, hosts)
        .map_err(|(member, why)| ConfigError::at(format!("{at}/{member}"), why));
    Ok(CredentialSource::Exchanged(exchange?))
}

fn bounded(given: u32, most: u32, at: &str) -> One<usize> {
    match usize::try_from(given) {
        Ok(count) if (1..=most).contains(&given) => Ok(count),
        _ => Err(ConfigError::at(at, format!("1 to {most} are wanted"))),
    }
}
