//! Exchanges the caller's own token for one of Google's, so that Google sees the person (RFC 8693).

use std::fmt;

use zeroize::Zeroizing;

use crate::fetch::{Answer, Endpoint, Request};
use crate::google::brought::Brought;
use crate::google::credential_file::{ACCESS_TOKEN, LIFETIME_SECS, TOKEN_EXCHANGE};
use crate::google::hop::{Hop, Wanted};
use crate::google::pool::is_id;
use crate::google::self_signed::SCOPE;
use crate::google::token::{Fault, Token};
use crate::google::token_source::or_cloud_platform;
use crate::google::{Hosts, MAX_ACCESS_TOKEN_BYTES, Pool, ServiceAccount};
use crate::jose::Compact;
use crate::log_value;
use crate::time::UnixTime;

/// Google says 2048 of a service account's.
const ACCOUNT_TOKEN_BYTES: usize = 4096;

/// What the operator says of such a credential.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeSettings<'s> {
    /// The full name of the pool's provider.
    pub audience: &'s str,
    /// The URN of the callers' tokens' type.
    pub subject_token_type: &'s str,
    /// The service account that each caller becomes, if one.
    pub account: Option<&'s str>,
    /// The OAuth scopes of the token that is sent; cloud-platform without any.
    pub scopes: &'s [String],
    /// Google's Security Token Service, where it is not the usual one.
    pub sts_url: Option<&'s str>,
    /// The project that the calls of a workforce pool are charged to.
    pub user_project: Option<&'s str>,
    /// The most callers whose tokens are kept.
    pub max_callers: usize,
    /// The most exchanges that are begun in a second.
    pub per_second: usize,
}

/// How a caller's token becomes one of Google's.
pub struct TokenExchange {
    endpoint: Endpoint,
    /// All of the form but the caller's token.
    form: Vec<(&'static str, String)>,
    impersonation: Option<Hop>,
    pub(super) account: Option<String>,
    /// The pool whose provider takes the callers' tokens.
    pub(super) pool: Pool,
    /// `principal://iam.googleapis.com/…/subject/`
    principals: String,
    pub(super) max_callers: usize,
    pub(super) per_second: usize,
}

impl TokenExchange {
    /// The exchange that these settings describe.
    ///
    /// # Errors
    /// The member that is wrong, and what would be right.
    pub fn new(
        settings: ExchangeSettings<'_>,
        hosts: Hosts<'_>,
    ) -> Result<Self, (&'static str, String)> {
        let ExchangeSettings { audience, account, scopes, user_project, .. } = settings;
        let pool = Pool::of(audience, settings.subject_token_type)
            .ok_or_else(|| ("audience", AUDIENCE_WANTED.to_owned()))?;
        let sts_url = settings.sts_url.map_or_else(|| hosts.sts_url(), str::to_owned);
        let endpoint = hosts
            .endpoint("", &sts_url)
            .map_err(|why| ("sts_url", why.trim_start_matches(": ").to_owned()))?;
        let scope = match account {
            Some(_) => SCOPE.to_owned(),
            None => or_cloud_platform(scopes).join(" "),
        };
        let mut form = vec![
            ("grant_type", TOKEN_EXCHANGE.to_owned()),
            ("audience", audience.to_owned()),
            ("scope", scope),
            ("requested_token_type", ACCESS_TOKEN.to_owned()),
            ("subject_token_type", settings.subject_token_type.to_owned()),
        ];
        match user_project {
            None => {}
            Some(_) if !pool.is_of_workforce() => {
                let why = "only the tokens of a workforce pool name one: leave it out";
                return Err(("user_project", why.to_owned()));
            }
            Some(project) if !is_id(project) => {
                let why = "the id or number of a project is wanted";
                return Err(("user_project", why.to_owned()));
            }
            // JSON whose escapes are its own, as Google's libraries send it.
            Some(project) => {
                form.push(("options", format!("%7B%22userProject%22%3A%22{project}%22%7D")));
            }
        }
        let impersonation =
            account.map(|account| impersonation(account, scopes, hosts)).transpose()?;
        Ok(Self {
            endpoint,
            form,
            impersonation,
            account: account.map(str::to_owned),
            principals: format!("principal://{}/subject/", pool.name),
            pool,
            max_callers: settings.max_callers,
            per_second: settings.per_second,
        })
    }

    /// Whom it asks, in the order of the requests.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        std::iter::once(&self.endpoint).chain(self.impersonation.as_ref().map(Hop::endpoint))
    }

    /// The most bytes that its tokens usually have.
    pub(super) const fn usual_token_bytes(&self) -> usize {
        match self.impersonation {
            Some(_) => ACCOUNT_TOKEN_BYTES,
            None => MAX_ACCESS_TOKEN_BYTES,
        }
    }

    /// Who the caller is to Google, as the log writes it, if the pool takes its subject from `sub`; the
    /// account, where each caller becomes that.
    pub(super) fn identity(&self, caller: &str) -> Option<String> {
        if let Some(account) = &self.account {
            return Some(account.clone());
        }
        let payload = Compact::parse(caller).ok()?.payload;
        let subject = payload.get("sub")?.as_str()?;
        let mut identity = self.principals.clone();
        log_value::write(&mut identity, subject, log_value::MAX_VALUE_BYTES);
        Some(identity)
    }

    /// The request with the caller's token.
    pub(super) fn first_request(&self, caller: &str) -> Request {
        let form = self.form.iter().map(|(name, value)| (*name, value.as_str()));
        let form: Vec<_> = form.chain([("subject_token", caller)]).collect();
        Request::post_form(self.endpoint.clone(), &form)
    }

    /// The request with the token that the first one brought.
    pub(super) fn last_request(&self, former: &Brought, now: UnixTime) -> Result<Request, Fault> {
        let hop = self.impersonation.as_ref().ok_or_else(Fault::internal)?;
        hop.request(former, now)
    }

    /// Whether another request follows the first.
    pub(super) const fn has_second(&self) -> bool {
        self.impersonation.is_some()
    }

    /// Reads an answer, to the second request if `is_second`; a fault says whose answer it was.
    pub(super) fn token(
        &self,
        answer: &Answer,
        is_second: bool,
        now: UnixTime,
    ) -> Result<Token, Fault> {
        match self.impersonation.as_ref().filter(|_| is_second) {
            Some(hop) => hop.token(answer, now),
            None => Token::of_oauth(answer),
        }
    }
}

const AUDIENCE_WANTED: &str = "//iam.googleapis.com/projects/NUMBER/locations/global/\
                               workloadIdentityPools/POOL/providers/PROVIDER is wanted, or \
                               //iam.googleapis.com/locations/global/workforcePools/POOL/providers/\
                               PROVIDER";

fn impersonation(
    account: &str,
    scopes: &[String],
    hosts: Hosts<'_>,
) -> Result<Hop, (&'static str, String)> {
    if !ServiceAccount::is_address(account) {
        let why = format!("\"{account}\": the address of a service account is wanted");
        return Err(("account", why));
    }
    let url = format!(
        "https://iamcredentials.{}/v1/projects/-/serviceAccounts/{account}:generateAccessToken",
        hosts.universe
    );
    let endpoint = Endpoint::parse(&url).map_err(|why| ("account", why.to_owned()))?;
    let (delegates, scope) = (Vec::new(), or_cloud_platform(scopes));
    let wanted = Wanted { delegates, scope, lifetime: LIFETIME_SECS };
    Ok(Hop::Impersonation { endpoint, wanted })
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenExchange at {}", self.endpoint.authority)
    }
}

/// A caller's token, while it is exchanged.
pub(super) type CallersToken = Zeroizing<String>;

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDER: &str =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/corp";
    const WORKFORCE: &str = "//iam.googleapis.com/locations/global/workforcePools/p/providers/corp";

    fn settings(audience: &str) -> ExchangeSettings<'_> {
        ExchangeSettings {
            audience,
            subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
            account: None,
            scopes: &[],
            sts_url: None,
            user_project: None,
            max_callers: 10,
            per_second: 10,
        }
    }

    fn of(settings: ExchangeSettings<'_>) -> Result<TokenExchange, (&'static str, String)> {
        TokenExchange::new(settings, Hosts::GOOGLES)
    }

    #[test]
    fn a_provider_is_named_in_full() {
        for good in [PROVIDER, WORKFORCE] {
            assert!(of(settings(good)).is_ok(), "{good}");
        }
        for bad in [
            "https:".to_owned() + PROVIDER,
            PROVIDER.replace("projects/1", "projects/acme-ml"),
            PROVIDER.replace("/p/", "//"),
            PROVIDER.replace("corp", ""),
            PROVIDER.replace("corp", "corp/x"),
            PROVIDER.replace("global", "us-central1"),
            PROVIDER.replace("//iam.", "//sts."),
        ] {
            assert_eq!(of(settings(&bad)).err().unwrap().0, "audience", "{bad}");
        }
    }

    #[test]
    fn each_wrong_member_is_named() {
        let account = Some("gw@acme-ml.iam.gserviceaccount.com");
        assert!(of(ExchangeSettings { account, ..settings(PROVIDER) }).is_ok());
        let project = Some("acme-ml");
        assert!(of(ExchangeSettings { user_project: project, ..settings(WORKFORCE) }).is_ok());
        let sts_url = Some("https://sts.us-east1.rep.googleapis.com/v1/token");
        assert!(of(ExchangeSettings { sts_url, ..settings(PROVIDER) }).is_ok());
        for (wrong, member) in [
            (ExchangeSettings { account: Some("gw"), ..settings(PROVIDER) }, "account"),
            (ExchangeSettings { account: Some("g/w@x"), ..settings(PROVIDER) }, "account"),
            (ExchangeSettings { user_project: project, ..settings(PROVIDER) }, "user_project"),
            (ExchangeSettings { user_project: Some("a\""), ..settings(WORKFORCE) }, "user_project"),
            (
                ExchangeSettings { sts_url: Some("https://x.example/"), ..settings(PROVIDER) },
                "sts_url",
            ),
        ] {
            assert_eq!(of(wrong).err().unwrap().0, member);
        }
    }

    #[test]
    fn the_form_says_what_google_wants_to_know() {
        let project = Some("42");
        let exchange =
            of(ExchangeSettings { user_project: project, ..settings(WORKFORCE) }).unwrap();
        let request = exchange.first_request("a.b.c");
        assert_eq!(request.endpoint.to_string(), "https://sts.googleapis.com/v1/token");
        let body = str::from_utf8(&request.body).unwrap();
        assert!(body.contains("subject_token=a.b.c"), "{body}");
        assert!(
            body.contains("options=%257B%2522userProject%2522%253A%252242%2522%257D"),
            "{body}"
        );
    }
}
