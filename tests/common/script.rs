//! One issuer and a provider that answers by a script, with a clock that moves when told to.

use haproxy_vertex::fetch::{Answer, Endpoint, Headers, Reply};
use haproxy_vertex::jose::Algorithms;
use haproxy_vertex::oidc::{
    ClaimNames, Issuer, IssuerConfig, KeySource, Outcome, Verifier, discovery,
};
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

use super::keys::{SigningKey, jwks};
use super::{START, now};

/// The scripted issuer.
pub const ISSUER: &str = "https://idp.example";
/// Where its discovery document is.
pub const DISCOVERY: &str = "https://idp.example/.well-known/openid-configuration";
/// Where its key set is.
pub const JWKS: &str = "https://idp.example/keys";

/// What an operator says of the scripted issuer, its keys from `source`.
pub fn issuer_config(source: KeySource) -> IssuerConfig {
    IssuerConfig {
        name: "corp".to_owned(),
        issuer: ISSUER.to_owned(),
        audiences: vec!["vertex-gateway".to_owned(), "second".to_owned()],
        algorithms: Algorithms::default(),
        claims: ClaimNames {
            subject: "sub".to_owned(),
            audience: "aud".to_owned(),
            groups: "groups".to_owned(),
            display: Some("email".to_owned()),
        },
        source,
    }
}

/// Keys are fetched: by discovery, or from `jwks`.
pub fn fetched(jwks: Option<&str>) -> KeySource {
    KeySource::Fetched {
        discovery: discovery(ISSUER).unwrap(),
        jwks: jwks.map(|url| Endpoint::parse(url).unwrap()),
        hosts: vec!["idp.example".to_owned(), "keys.example".to_owned()],
    }
}

/// Claims that pass for an hour.
pub fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "vertex-gateway", "sub": "alice", "iat": START, "exp": START + 3600 })
}

/// An answer with status 200.
pub fn ok(body: impl Into<Vec<u8>>) -> Reply {
    answer(200, "", "", body)
}

/// An answer.
pub fn answer(status: u16, cache_control: &str, age: &str, body: impl Into<Vec<u8>>) -> Reply {
    let headers = Headers::new([("Cache-Control", cache_control), ("Age", age)]);
    Reply::Answer(Answer::new(status, headers, body.into()))
}

/// The discovery document of the scripted issuer.
pub fn discovery_document() -> Reply {
    ok(json!({ "issuer": ISSUER, "jwks_uri": JWKS, "scopes_supported": [] }).to_string())
}

/// An issuer at work.
pub struct Script {
    pub verifier: Verifier,
    wall_secs: i64,
    mono_millis: i64,
}

impl Script {
    /// An issuer with keys from `source`.
    pub fn new(source: KeySource) -> Self {
        let issuer = Issuer::new(issuer_config(source), now(0, 0));
        Self { verifier: Verifier::new(vec![issuer]), wall_secs: 0, mono_millis: 0 }
    }

    /// An issuer by discovery whose first fetches brought `keys`, fresh for 900 s.
    pub fn with_keys(keys: &[Value]) -> Self {
        let script = Self::new(fetched(None));
        script.expect(DISCOVERY, &discovery_document());
        script.expect(JWKS, &ok(jwks(keys)));
        script
    }

    pub fn issuer(&self) -> &Issuer {
        &self.verifier.issuers()[0]
    }

    pub fn now(&self) -> Now {
        now(self.wall_secs, self.mono_millis)
    }

    /// Both clocks go on.
    pub fn pass(&mut self, secs: i64) {
        self.pass_millis(secs * 1000);
    }

    pub fn pass_millis(&mut self, millis: i64) {
        self.mono_millis += millis;
        self.wall_secs = self.mono_millis / 1000;
    }

    /// The fetch that is due, as its number and URL.
    pub fn step(&self) -> Option<(u32, String)> {
        self.issuer()
            .step(self.now())
            .map(|(number, request)| (number, request.endpoint.to_string()))
    }

    pub fn answer(&self, number: u32, reply: &Reply) {
        self.issuer().answer(number, reply, self.now());
    }

    /// A fetch of `url` is due now, and gets this reply.
    pub fn expect(&self, url: &str, reply: &Reply) {
        let (number, asked) = self.step().unwrap_or_else(|| panic!("no fetch; wanted {url}"));
        assert_eq!(asked, url);
        self.answer(number, reply);
    }

    /// No fetch is due.
    pub fn is_quiet(&self) -> bool {
        self.step().is_none()
    }

    /// The verdict on a token that has just come: `ok`, `wait` or a reason's code.
    pub fn verdict(&self, token: &str) -> &'static str {
        self.verdict_since(token, self.now())
    }

    /// The verdict on a token that came at `since`.
    pub fn verdict_since(&self, token: &str, since: Now) -> &'static str {
        match self.verifier.verify(token, self.now(), since.mono) {
            Outcome::Valid(_) => "ok",
            Outcome::Refuse(refusal) => refusal.reason.code(),
            Outcome::Wait(_) => "wait",
        }
    }
}

/// A token that passes for a day from the beginning.
pub fn day_token(key: &SigningKey, kid: &str) -> String {
    let mut claims = claims();
    claims["exp"] = json!(START + 24 * 3600);
    key.token(kid, &claims)
}

/// A token issued at `secs` after the beginning, for an hour.
pub fn token_at(key: &SigningKey, kid: &str, secs: i64) -> String {
    let mut claims = claims();
    claims["iat"] = json!(START + secs);
    claims["exp"] = json!(START + secs + 3600);
    key.token(kid, &claims)
}
