//! The identity of a workload in AWS, as another issuer's: a request that asks AWS who signed it,
//! and that Google's Security Token Service sends there. The keys that sign it are in the
//! environment, or the metadata server of the machine (IMDS) gives them.

mod signature;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::fetch::{Answer, Endpoint, FieldValue, Request};
use crate::google::Hosts;
use crate::google::token::Fault;
use crate::time::UnixTime;
pub(super) use signature::quoted;
use signature::{Identify, is_region};

/// Reads a variable of the environment.
pub(super) type Variable<'v> = &'v dyn Fn(&str) -> Option<String>;

/// The members of a `credential_source` whose `environment_id` is `aws1`.
pub(super) struct AwsSource<'s> {
    pub(super) environment_id: &'s str,
    pub(super) region_url: Option<&'s str>,
    pub(super) url: Option<&'s str>,
    pub(super) verification_url: Option<&'s str>,
    pub(super) session_url: Option<&'s str>,
}

/// What signs: the keys of a role, or of a user.
#[derive(Clone)]
pub(super) struct Keys {
    id: String,
    secret: Zeroizing<String>,
    session: Option<Zeroizing<String>>,
}

/// What of the machine is known.
#[derive(Clone, Default)]
pub(super) struct Found {
    /// Of a try alone: the session with the metadata server, and the name of the role.
    session: Option<FieldValue>,
    role: Option<String>,
    region: Option<String>,
    keys: Option<Keys>,
}

/// A request to the machine's metadata server, and what it is for.
pub(super) struct AwsHop {
    pub(super) endpoint: Endpoint,
    asks: Asks,
}

#[derive(Clone, Copy)]
enum Asks {
    Session,
    Region,
    Role,
    Keys,
}

/// Makes the token that is exchanged.
pub(super) struct AwsSubject {
    identify: Identify,
    /// What the environment says.
    given: Found,
}

/// What the metadata server says of a role.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleKeys {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

const SESSION: &str = "x-aws-ec2-metadata-token";
const SESSION_LIFE: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// Seconds: the session is used at once.
const SESSION_SECS: &str = "300";

/// The longest of the server's short answers, in bytes.
const MAX_WORD_BYTES: usize = 256;

impl AwsSource<'_> {
    /// The requests that find out who the machine is, and what signs then for this audience.
    ///
    /// # Errors
    /// What is wrong with the source, and what would be right; `at` is the pointer to it.
    pub(super) fn hops(
        &self,
        at: &str,
        audience: &str,
        hosts: Hosts<'_>,
        variable: Variable<'_>,
    ) -> Result<(Vec<AwsHop>, AwsSubject), String> {
        if self.environment_id != "aws1" {
            return Err(format!("{at}/environment_id: aws1 is wanted, the only one that is known"));
        }
        let identify = self.verification_url.ok_or_else(|| {
            format!("{at}/regional_cred_verification_url: missing; {} is wanted", Identify::USUAL)
        })?;
        let identify = Identify::new(identify, audience)
            .map_err(|why| format!("{at}/regional_cred_verification_url: {why}"))?;
        let given = Found::of_environment(variable).map_err(|why| format!("{at}: {why}"))?;
        let hop = |member: &str, url: Option<&str>, asks, or: &str| {
            let at = format!("{at}/{member}");
            let url = url.ok_or_else(|| format!("{at}: missing, and {or}"))?;
            Ok::<_, String>(AwsHop { endpoint: hosts.source(&at, url)?, asks })
        };
        let mut hops = Vec::new();
        if given.region.is_none() {
            let or = "neither AWS_REGION nor AWS_DEFAULT_REGION is in HAProxy's environment";
            hops.push(hop("region_url", self.region_url, Asks::Region, or)?);
        }
        if given.keys.is_none() {
            let or = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not in HAProxy's environment";
            hops.push(hop("url", self.url, Asks::Role, or)?);
            hops.push(hop("url", self.url, Asks::Keys, or)?);
        }
        if let (false, Some(url)) = (hops.is_empty(), self.session_url) {
            hops.insert(0, hop("imdsv2_session_token_url", Some(url), Asks::Session, "")?);
        }
        Ok((hops, AwsSubject { identify, given }))
    }
}

impl Found {
    fn of_environment(variable: Variable<'_>) -> Result<Self, &'static str> {
        let given = |name| variable(name).filter(|text: &String| !text.is_empty());
        let region = given("AWS_REGION").or_else(|| given("AWS_DEFAULT_REGION"));
        if region.as_deref().is_some_and(|region| !is_region(region)) {
            return Err("AWS_REGION or AWS_DEFAULT_REGION is no region, as us-east-1 is one");
        }
        let keys =
            given("AWS_ACCESS_KEY_ID").zip(given("AWS_SECRET_ACCESS_KEY")).map(|(id, secret)| {
                Keys {
                    id,
                    secret: secret.into(),
                    session: given("AWS_SESSION_TOKEN").map(Zeroizing::new),
                }
            });
        if keys.as_ref().is_some_and(|keys| !keys.can_be_sent()) {
            return Err("AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN cannot be sent in a header");
        }
        Ok(Self { region, keys, ..Self::default() })
    }
}

impl Keys {
    fn can_be_sent(&self) -> bool {
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        plain(&self.id) && self.session.as_ref().is_none_or(|session| plain(session))
    }
}

impl AwsHop {
    pub(super) fn request(&self, found: &Found) -> Result<Request, Fault> {
        let mut endpoint = self.endpoint.clone();
        match self.asks {
            Asks::Session => {
                let life = FieldValue::new(SESSION_SECS).ok_or_else(Fault::internal)?;
                return Ok(Request::put(endpoint).with(SESSION_LIFE, life));
            }
            Asks::Region | Asks::Role => {}
            Asks::Keys => {
                let role = found.role.as_deref().ok_or_else(Fault::internal)?;
                endpoint.path = format!("{}/{role}", endpoint.path.trim_end_matches('/'));
            }
        }
        let request = Request::get(endpoint);
        Ok(match &found.session {
            Some(session) => request.with(SESSION, session.clone()),
            None => request,
        })
    }

    /// Reads the answer.
    pub(super) fn take(&self, answer: &Answer, found: &mut Found) -> Result<(), Fault> {
        Fault::unless_ok(answer)?;
        match self.asks {
            Asks::Session => {
                let text = word(answer).ok_or_else(|| Fault::passing("no session of IMDSv2"))?;
                found.session = FieldValue::new(text);
            }
            Asks::Region => {
                // An availability zone, as us-east-2b.
                let zone = word(answer).and_then(|zone| zone.split_at_checked(zone.len() - 1));
                let region = zone.map(|(region, _)| region).filter(|region| is_region(region));
                let region = region.ok_or_else(|| Fault::passing("no availability zone"))?;
                found.region = Some(region.to_owned());
            }
            Asks::Role => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
                let role = word(answer).filter(|role| role.bytes().all(plain));
                let role = role.ok_or_else(|| Fault::passing("no name of one role"))?;
                found.role = Some(role.to_owned());
            }
            Asks::Keys => {
                // serde's own message may quote a key.
                let keys: RoleKeys = serde_json::from_slice(&answer.body).map_err(|_| {
                    Fault::passing("the answer is no JSON with AccessKeyId and SecretAccessKey")
                })?;
                let keys = Keys {
                    id: keys.access_key_id,
                    secret: keys.secret_access_key,
                    session: keys.token,
                };
                let fault = || Fault::passing("keys of a role that cannot be sent");
                found.keys = Some(keys).filter(Keys::can_be_sent);
                found.keys.as_ref().ok_or_else(fault)?;
            }
        }
        Ok(())
    }
}

impl AwsSubject {
    /// The token to be exchanged, made at this moment.
    pub(super) fn token(&self, found: &Found, now: UnixTime) -> Result<Zeroizing<String>, Fault> {
        let region = self.given.region.as_ref().or(found.region.as_ref());
        let keys = self.given.keys.as_ref().or(found.keys.as_ref());
        let (region, keys) = region.zip(keys).ok_or_else(Fault::internal)?;
        Ok(self.identify.token(region, keys, now))
    }
}

/// A short answer of one word.
fn word(answer: &Answer) -> Option<&str> {
    let text = str::from_utf8(&answer.body).ok()?.trim();
    let fits = !text.is_empty() && text.len() <= MAX_WORD_BYTES;
    (fits && text.bytes().all(|b| b.is_ascii_graphic())).then_some(text)
}
