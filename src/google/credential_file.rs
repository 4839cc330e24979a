//! Reads the files that Google's tools write for an identity without a key of its own: how to
//! impersonate a service account, how to exchange a token of another issuer, a person's login.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::google::aws::{AwsSource, Variable, quoted};
use crate::google::hop::{Hop, Subject, Wanted};
use crate::google::key_file::KeyFile;
use crate::google::self_signed::SCOPE;
use crate::google::subject::{Format, RawFormat, SubjectServer};
use crate::google::token_source::or_cloud_platform;
use crate::google::{FileType, Hosts, ServiceAccount, TokenSource};
use crate::json::syntax_fault;

/// Reads another file; a fault names it.
pub(super) type Read<'r> = &'r dyn Fn(&Path) -> Result<Zeroizing<Vec<u8>>, String>;

/// What a file may name: hosts, other files, the environment.
#[derive(Clone, Copy)]
struct Nameable<'r> {
    hosts: Hosts<'r>,
    read: Read<'r>,
    variable: Variable<'r>,
}

/// The members of such files that are used, of all types. Texts may be secrets.
#[derive(Deserialize)]
struct CredentialFile {
    r#type: Option<String>,
    universe_domain: Option<String>,
    service_account_impersonation_url: Option<String>,
    service_account_impersonation: Option<Impersonation>,
    delegates: Option<Vec<String>>,
    source_credentials: Option<Box<Self>>,
    audience: Option<String>,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    credential_source: Option<SubjectSource>,
    workforce_pool_user_project: Option<String>,
    client_id: Option<Zeroizing<String>>,
    client_secret: Option<Zeroizing<String>>,
    refresh_token: Option<Zeroizing<String>>,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<Zeroizing<String>>,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct Impersonation {
    token_lifetime_seconds: Option<i64>,
}

/// Where the other issuer's token is.
#[derive(Deserialize)]
struct SubjectSource {
    file: Option<String>,
    format: Option<RawFormat>,
    url: Option<String>,
    headers: Option<BTreeMap<String, Zeroizing<String>>>,
    environment_id: Option<String>,
    region_url: Option<String>,
    regional_cred_verification_url: Option<String>,
    imdsv2_session_token_url: Option<String>,
    executable: Option<IgnoredAny>,
    certificate: Option<IgnoredAny>,
}

pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const REFRESH_TOKEN: &str = "refresh_token";
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How long a token of `generateAccessToken` lives that nobody wants otherwise, and its bounds.
pub(super) const LIFETIME_SECS: i64 = 3600;
const LIFETIME_RANGE_SECS: (i64, i64) = (600, 43_200);

/// The longest chain of delegates and sources that is followed.
const MAX_DEPTH: usize = 4;

impl TokenSource {
    /// Reads a file of this type.
    ///
    /// # Errors
    /// The place in the file, what is wrong there and what would be right; never a secret.
    pub fn of_file(
        file: &[u8],
        kind: FileType,
        scopes: &[String],
        hosts: Hosts<'_>,
        read: Read<'_>,
        variable: Variable<'_>,
    ) -> Result<Self, String> {
        kind.check(file)?;
        let parsed: CredentialFile =
            serde_json::from_slice(file).map_err(|why| fault(&why, file))?;
        // The machine's universe is where it stands, which only the configuration tells.
        if parsed.universe().is_some() || !parsed.begins_with_the_machine() {
            hosts.check_universe(parsed.universe())?;
        }
        let identity = parsed.impersonated("")?.map(str::to_owned);
        let hops = parsed.hops("", scopes, Nameable { hosts, read, variable }, MAX_DEPTH)?;
        Ok(Self { kind: kind.name(), identity, hops })
    }
}

impl CredentialFile {
    /// The universe that it says it is of, or that the source of its token says.
    fn universe(&self) -> Option<&str> {
        let of_source = || self.source_credentials.as_ref()?.universe();
        self.universe_domain.as_deref().or_else(of_source)
    }

    /// Whether its first token is the machine's.
    fn begins_with_the_machine(&self) -> bool {
        match &self.source_credentials {
            Some(source) => source.begins_with_the_machine(),
            None => self.r#type.as_deref() == Some("metadata"),
        }
    }

    /// The requests that this file describes; `at` is the pointer to it.
    fn hops(
        self,
        at: &str,
        scopes: &[String],
        nameable: Nameable<'_>,
        depth: usize,
    ) -> Result<Vec<Hop>, String> {
        if let Some(said) = self.universe_domain.as_deref() {
            nameable.hosts.check_universe(Some(said)).map_err(|why| format!("{at}{why}"))?;
        }
        if depth == 0 {
            return Err(format!("{at}: more sources within sources than {MAX_DEPTH}"));
        }
        match self.r#type.as_deref() {
            Some("impersonated_service_account") => self.impersonation(at, scopes, nameable, depth),
            Some("external_account") => self.external(at, scopes, nameable),
            Some("service_account") if !nameable.hosts.are_googles() => Err(format!(
                "{at}/type: a key's tokens are exchanged in Google's own universe alone: another source is \
                 wanted"
            )),
            Some("service_account") => {
                let account =
                    ServiceAccount::of(self.key(at)?).map_err(|why| format!("{at}: {why}"))?;
                Ok(vec![Hop::jwt_bearer(at, account, scopes, nameable.hosts)?])
            }
            Some("metadata") => {
                let hop = Hop::metadata("default", &[]).map_err(|why| format!("{at}: {why}"))?;
                Ok(vec![hop])
            }
            Some("authorized_user") if !nameable.hosts.are_googles() => Err(format!(
                "{at}/type: a person's login is Google's own universe's alone: another type is wanted"
            )),
            Some("authorized_user") => Ok(vec![self.login(at, scopes)?]),
            _ => Err(format!(
                "{at}/type: a source of type service_account, external_account, \
                 impersonated_service_account, authorized_user or metadata is wanted"
            )),
        }
    }

    fn impersonation(
        mut self,
        at: &str,
        scopes: &[String],
        nameable: Nameable<'_>,
        depth: usize,
    ) -> Result<Vec<Hop>, String> {
        let last = self.impersonation_hop(at, scopes, nameable.hosts)?.ok_or_else(|| {
            format!("{at}/service_account_impersonation_url: missing; {URL_WANTED}")
        })?;
        let source = self.source_credentials.take().ok_or_else(|| {
            format!("{at}/source_credentials: missing; whose token to impersonate with is wanted")
        })?;
        let at = format!("{at}/source_credentials");
        let mut hops = source.hops(&at, &[], nameable, depth.saturating_sub(1))?;
        hops.push(last);
        Ok(hops)
    }

    fn external(
        self,
        at: &str,
        scopes: &[String],
        nameable: Nameable<'_>,
    ) -> Result<Vec<Hop>, String> {
        let hosts = nameable.hosts;
        let impersonation = self.impersonation_hop(at, scopes, hosts)?;
        let wanted = |text: &Option<String>, member: &str, what: &str| {
            let text = text.clone().filter(|text| !text.is_empty());
            text.ok_or_else(|| format!("{at}/{member}: missing; {what} is wanted"))
        };
        let audience = wanted(&self.audience, "audience", "the full name of the pool's provider")?;
        let kind = wanted(&self.subject_token_type, "subject_token_type", "a token type's URN")?;
        let url = wanted(&self.token_url, "token_url", &hosts.sts_url())?;
        let endpoint = hosts.endpoint(&format!("{at}/token_url"), &url)?;
        if self.client_id.is_some() {
            return Err(format!("{at}/client_id: no OAuth client is used here: leave it out"));
        }
        let source = self.credential_source.ok_or_else(|| {
            format!("{at}/credential_source: missing; where the subject token is has to be said")
        })?;
        let (mut hops, subject) =
            source.subject(&format!("{at}/credential_source"), &audience, nameable)?;
        let scope = match impersonation {
            Some(_) => SCOPE.to_owned(),
            None => or_cloud_platform(scopes).join(" "),
        };
        let mut form = vec![
            ("grant_type", TOKEN_EXCHANGE.to_owned().into()),
            ("audience", audience.into()),
            ("scope", scope.into()),
            ("requested_token_type", ACCESS_TOKEN.to_owned().into()),
            ("subject_token_type", kind.into()),
        ];
        if let Some(project) = self.workforce_pool_user_project {
            let options = serde_json::json!({ "userProject": project }).to_string();
            form.push(("options", quoted(&options)));
        }
        hops.push(Hop::Exchange { endpoint, form, subject });
        hops.extend(impersonation);
        Ok(hops)
    }

    /// The request for a token of the person who logged in; without scopes with the login's.
    fn login(self, at: &str, scopes: &[String]) -> Result<Hop, String> {
        let wanted = |text: Option<Zeroizing<String>>, member: &str| {
            let text = text.filter(|text| !text.is_empty());
            text.ok_or_else(|| {
                format!("{at}/{member}: missing; `gcloud auth application-default login` writes it")
            })
        };
        let mut form = vec![
            ("grant_type", REFRESH_TOKEN.to_owned().into()),
            ("client_id", wanted(self.client_id, "client_id")?),
            ("client_secret", wanted(self.client_secret, "client_secret")?),
            ("refresh_token", wanted(self.refresh_token, "refresh_token")?),
        ];
        if !scopes.is_empty() {
            form.push(("scope", scopes.join(" ").into()));
        }
        Hop::login(at, form)
    }

    /// The request for a token of the service account that this file names, if it names one.
    fn impersonation_hop(
        &self,
        at: &str,
        scopes: &[String],
        hosts: Hosts<'_>,
    ) -> Result<Option<Hop>, String> {
        let Some(url) = &self.service_account_impersonation_url else {
            return Ok(None);
        };
        self.impersonated(at)?;
        let endpoint = hosts.endpoint(&format!("{at}/service_account_impersonation_url"), url)?;
        let said = self.service_account_impersonation.as_ref();
        let lifetime = said.and_then(|said| said.token_lifetime_seconds).unwrap_or(LIFETIME_SECS);
        let (least, most) = LIFETIME_RANGE_SECS;
        if !(least..=most).contains(&lifetime) {
            return Err(format!(
                "{at}/service_account_impersonation/token_lifetime_seconds: {least} to {most} are \
                 wanted"
            ));
        }
        let wanted = Wanted {
            delegates: self.delegates.clone().unwrap_or_default(),
            scope: or_cloud_platform(scopes),
            lifetime,
        };
        Ok(Some(Hop::Impersonation { endpoint, wanted }))
    }

    /// The address of the service account that this file names, if it names one.
    fn impersonated(&self, at: &str) -> Result<Option<&str>, String> {
        let Some(url) = self.service_account_impersonation_url.as_deref() else {
            return Ok(None);
        };
        url.strip_suffix(":generateAccessToken")
            .and_then(|rest| rest.rsplit_once("/v1/projects/-/serviceAccounts/"))
            .map(|(_, account)| account)
            .filter(|account| ServiceAccount::is_address(account))
            .map(Some)
            .ok_or_else(|| format!("{at}/service_account_impersonation_url: {URL_WANTED}"))
    }

    fn key(self, at: &str) -> Result<KeyFile, String> {
        let missing = |member: &str| format!("{at}/{member}: missing; a key file has it");
        Ok(KeyFile {
            client_email: self.client_email.ok_or_else(|| missing("client_email"))?,
            private_key_id: self.private_key_id.ok_or_else(|| missing("private_key_id"))?,
            private_key: self.private_key.ok_or_else(|| missing("private_key"))?,
            token_uri: self.token_uri,
            universe_domain: self.universe_domain,
        })
    }
}

const URL_WANTED: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
                          ACCOUNT:generateAccessToken is wanted";

impl SubjectSource {
    /// The requests that lead to the other issuer's token, and the token, which a file has now.
    fn subject(
        self,
        at: &str,
        audience: &str,
        nameable: Nameable<'_>,
    ) -> Result<(Vec<Hop>, Subject), String> {
        let unfit = [
            ("executable", self.executable.is_some(), "no program is started here"),
            ("certificate", self.certificate.is_some(), "no client certificate is used here"),
        ];
        if let Some((member, _, why)) = unfit.iter().find(|(_, is_given, _)| *is_given) {
            return Err(format!("{at}/{member}: {why}; `file`, `url` or AWS is wanted"));
        }
        if let Some(environment_id) = &self.environment_id {
            let source = AwsSource {
                environment_id,
                region_url: self.region_url.as_deref(),
                url: self.url.as_deref(),
                verification_url: self.regional_cred_verification_url.as_deref(),
                session_url: self.imdsv2_session_token_url.as_deref(),
            };
            let Nameable { hosts, variable, .. } = nameable;
            let (hops, subject) = source.hops(at, audience, hosts, variable)?;
            return Ok((hops.into_iter().map(Hop::Aws).collect(), Subject::Aws(Box::new(subject))));
        }
        match (self.file, self.url) {
            (Some(name), None) => {
                let bytes =
                    (nameable.read)(Path::new(&name)).map_err(|why| format!("{at}/file: {why}"))?;
                let token = Format::of(self.format, at)?.token(&bytes);
                let token = token.map_err(|why| format!("{at}/file: {name}: {why}"))?;
                Ok((Vec::new(), Subject::Known(token)))
            }
            (None, Some(url)) => {
                let (headers, format) = (self.headers.unwrap_or_default(), self.format);
                let format = Format::of(format, at)?;
                let server = SubjectServer::new(&url, headers, format, at, nameable.hosts)?;
                Ok((vec![Hop::Subject(server)], Subject::Brought))
            }
            (None, None) => Err(format!(
                "{at}/file: missing; the file with the subject token is wanted, or `url`, or AWS"
            )),
            (Some(_), Some(_)) => Err(format!("{at}/url: `file` stands beside it; one is wanted")),
        }
    }
}

/// serde quotes the value that it cannot use, which may be a secret; then only the place is named.
fn fault(why: &serde_json::Error, file: &[u8]) -> String {
    match why.is_data() {
        true => {
            let (line, column) = (why.line(), why.column());
            format!("line {line}, column {column}: no value that such a file has there")
        }
        false => format!("not JSON: {}", syntax_fault(why, file)),
    }
}
