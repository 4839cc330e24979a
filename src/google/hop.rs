//! The requests that lead to an access token: one, or one after the other.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::fetch::{Answer, Endpoint, FieldValue, Request};
use crate::google::aws::{AwsHop, AwsSubject};
use crate::google::brought::Brought;
use crate::google::subject::SubjectServer;
use crate::google::token::{Fault, Token};
use crate::google::token_source::or_cloud_platform;
use crate::google::{Hosts, ServiceAccount};
use crate::time::UnixTime;

/// A request for a token, whose answer the next one may need.
pub(super) enum Hop {
    /// To the metadata server of the machine.
    Metadata(Endpoint),
    /// A service account's assertion for a token (RFC 7523).
    JwtBearer { endpoint: Endpoint, account: Arc<ServiceAccount>, scope: String },
    /// To whoever gives another issuer's token to this machine.
    Subject(SubjectServer),
    /// To AWS' metadata server.
    Aws(AwsHop),
    /// A token of another issuer for one of Google's (RFC 8693).
    Exchange {
        endpoint: Endpoint,
        /// All fields but the token.
        form: Vec<(&'static str, Zeroizing<String>)>,
        subject: Subject,
    },
    /// What a person's login left for a token of that person's (RFC 6749 section 6).
    Login { endpoint: Endpoint, form: Vec<(&'static str, Zeroizing<String>)> },
    /// The former token for one of a service account (`generateAccessToken`).
    Impersonation { endpoint: Endpoint, wanted: Wanted },
}

/// The token of another issuer that is exchanged.
pub(super) enum Subject {
    Known(Zeroizing<String>),
    /// The hop before brought it.
    Brought,
    Aws(Box<AwsSubject>),
}

/// What `generateAccessToken` is asked for.
#[derive(Serialize)]
pub(super) struct Wanted {
    pub(super) delegates: Vec<String>,
    pub(super) scope: Vec<String>,
    /// `3600s`
    #[serde(serialize_with = "in_seconds")]
    pub(super) lifetime: i64,
}

/// What it answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    access_token: Zeroizing<String>,
    expire_time: String,
}

/// Where Google exchanges assertions, if a key file does not say.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Only the metadata server answers with this header; a proxy or a portal does not.
const METADATA_FLAVOR: &str = "metadata-flavor";

impl Hop {
    /// To the metadata server, for a service account of the machine.
    pub(super) fn metadata(account: &str, scopes: &[String]) -> Result<Self, &'static str> {
        let query = match scopes {
            [] => String::new(),
            scopes => format!("?scopes={}", scopes.join(",")),
        };
        let url = format!(
            "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/\
             {account}/token{query}"
        );
        Endpoint::parse_http(&url).map(Self::Metadata)
    }

    /// The exchange of a key's assertions; `at` is the pointer to the key within its file.
    pub(super) fn jwt_bearer(
        at: &str,
        account: impl Into<Arc<ServiceAccount>>,
        scopes: &[String],
        hosts: Hosts<'_>,
    ) -> Result<Self, String> {
        let account = account.into();
        account.check_universe(hosts).map_err(|why| format!("{at}{why}"))?;
        let token_uri = account.token_uri.as_deref().unwrap_or(TOKEN_URI);
        let endpoint = hosts.endpoint(&format!("{at}/token_uri"), token_uri)?;
        let scope = or_cloud_platform(scopes).join(" ");
        Ok(Self::JwtBearer { endpoint, account, scope })
    }

    /// The renewal of a person's login: only Google's own endpoint knows it, whatever a file says.
    pub(super) fn login(
        at: &str,
        form: Vec<(&'static str, Zeroizing<String>)>,
    ) -> Result<Self, String> {
        let endpoint = Hosts::GOOGLES.endpoint(at, TOKEN_URI)?;
        Ok(Self::Login { endpoint, form })
    }

    /// Whom it asks.
    pub(super) const fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Metadata(endpoint)
            | Self::JwtBearer { endpoint, .. }
            | Self::Subject(SubjectServer { endpoint, .. })
            | Self::Aws(AwsHop { endpoint, .. })
            | Self::Exchange { endpoint, .. }
            | Self::Login { endpoint, .. }
            | Self::Impersonation { endpoint, .. } => endpoint,
        }
    }

    /// The request; the hops before brought this.
    pub(super) fn request(&self, brought: &Brought, now: UnixTime) -> Result<Request, Fault> {
        match self {
            Self::Metadata(endpoint) => {
                let flavor = FieldValue::new("Google").ok_or_else(Fault::internal)?;
                Ok(Request::get(endpoint.clone()).with(METADATA_FLAVOR, flavor))
            }
            Self::JwtBearer { endpoint, account, scope } => {
                let assertion = account
                    .assertion(endpoint.to_string(), scope, now)
                    .map_err(|_| Fault::internal())?;
                let form = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
                Ok(Request::post_form(endpoint.clone(), &form))
            }
            Self::Subject(server) => Ok(server.request()),
            Self::Aws(hop) => hop.request(&brought.aws),
            Self::Exchange { endpoint, form, subject } => {
                let subject = subject.token(brought, now)?;
                let mut form = fields(form);
                form.push(("subject_token", &subject));
                Ok(Request::post_form(endpoint.clone(), &form))
            }
            Self::Login { endpoint, form } => {
                Ok(Request::post_form(endpoint.clone(), &fields(form)))
            }
            Self::Impersonation { endpoint, wanted } => {
                let former = brought.token.as_ref().ok_or_else(Fault::internal)?;
                let bearer = Zeroizing::new(format!("Bearer {}", *former.text));
                let bearer = FieldValue::new(&bearer).ok_or_else(Fault::internal)?;
                let wanted = serde_json::to_value(wanted).map_err(|_| Fault::internal())?;
                Ok(Request::post_json(endpoint.clone(), &wanted).with("authorization", bearer))
            }
        }
    }

    /// Reads the answer.
    pub(super) fn take(
        &self,
        answer: &Answer,
        brought: &mut Brought,
        now: UnixTime,
    ) -> Result<(), Fault> {
        match self {
            Self::Aws(hop) => hop.take(answer, &mut brought.aws)?,
            _ => brought.token = Some(self.token(answer, now)?),
        }
        Ok(())
    }

    pub(super) fn token(&self, answer: &Answer, now: UnixTime) -> Result<Token, Fault> {
        match self {
            Self::Subject(server) => server.token(answer),
            Self::Aws(_) => Err(Fault::internal()),
            Self::Metadata(_) => {
                if answer.headers.first(METADATA_FLAVOR) != Some("Google") {
                    let why = format!(
                        "status {} without `Metadata-Flavor: Google`: it is no metadata server",
                        answer.status
                    );
                    return Err(Fault::passing(&why));
                }
                Token::of_oauth(answer)
            }
            Self::JwtBearer { .. } | Self::Exchange { .. } | Self::Login { .. } => {
                Token::of_oauth(answer)
            }
            Self::Impersonation { wanted, .. } => {
                Fault::unless_ok(answer)?;
                // serde's own message may quote the token.
                let given: Given = serde_json::from_slice(&answer.body).map_err(|_| {
                    Fault::passing("the answer is no JSON with accessToken and expireTime")
                })?;
                let expires = UnixTime::parse_rfc3339(&given.expire_time)
                    .ok_or_else(|| Fault::passing("expireTime is no time of RFC 3339"))?;
                // A clock that is behind must not lend it life.
                Token::new(given.access_token, (expires - now).min(wanted.lifetime))
            }
        }
    }
}

impl Subject {
    fn token(&self, brought: &Brought, now: UnixTime) -> Result<Zeroizing<String>, Fault> {
        match self {
            Self::Known(token) => Ok(token.clone()),
            Self::Brought => {
                let token = brought.token.as_ref().ok_or_else(Fault::internal)?;
                Ok(token.text.clone())
            }
            Self::Aws(subject) => subject.token(&brought.aws, now),
        }
    }
}

fn fields<'f>(form: &'f [(&'static str, Zeroizing<String>)]) -> Vec<(&'static str, &'f str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn in_seconds<S: Serializer>(secs: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{secs}s"))
}
