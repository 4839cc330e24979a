//! A gateway in process, requests as HAProxy hands them over, verdicts taken apart.

use std::sync::Arc;

use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

use super::keys::SigningKey;
use super::settings::{Files, haproxy, minimal};
use super::{at, script};

/// What most tests ask for.
pub const URL: &str = "/v1/projects/acme-ml/locations/us-central1/publishers/google/models/gemini-2.5-flash:generateContent";

/// The backends that the locations of [`minimal`] need.
pub const BACKENDS: &[&str] = &["vertex_us-central1", "vertex_global"];

/// Sets a configuration to work at the beginning of time.
pub fn open(key: &SigningKey, settings: &Value, backends: &[&str]) -> Gateway {
    let config = Files::new(key).load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}"));
    Gateway::open(config, &haproxy(backends), at(0)).unwrap_or_else(|e| panic!("{e}"))
}

/// The gateway of [`minimal`].
pub fn open_minimal(key: &SigningKey) -> Gateway {
    open(key, &minimal(), BACKENDS)
}

/// [`minimal`] with keys that are fetched.
pub fn fetching() -> Value {
    let mut settings = minimal();
    settings["issuers"][0].as_object_mut().unwrap().remove("jwks_file");
    settings
}

/// The backends of [`fetching`].
pub const FETCHING_BACKENDS: &[&str] =
    &["vertex_us-central1", "vertex_global", "vertex_fetch_idp.example"];

/// Claims of somebody in the group of [`minimal`]'s role.
pub fn member() -> Value {
    let mut claims = script::claims();
    claims["groups"] = json!(["ml"]);
    claims["email"] = json!("alice@corp.example");
    claims
}

/// The same with one claim more, or another value of it.
pub fn member_with(name: &str, value: Value) -> Value {
    let mut claims = member();
    claims[name] = value;
    claims
}

/// The verdict on a request that comes in the first second.
pub fn decide(gateway: &Gateway, ask: &Ask) -> Said {
    Said::new(&gateway.decide(&ask.bytes(), at(1)))
}

/// A request.
#[derive(Clone)]
pub struct Ask {
    pub version: String,
    pub method: String,
    pub url: String,
    /// `-` before HAProxy is asked for it.
    pub peer: String,
    /// `head` or `body`.
    pub stage: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A body that asks for nothing.
pub const BODY: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#;

impl Ask {
    /// A POST of [`URL`] with this token.
    pub fn with(token: &str) -> Self {
        Self::anonymous().header("authorization", &format!("Bearer {token}"))
    }

    /// A POST of [`URL`] without a token.
    pub fn anonymous() -> Self {
        let (version, method) = ("1.1".to_owned(), "POST".to_owned());
        let (peer, stage) = ("192.0.2.1 /  ".to_owned(), "body".to_owned());
        let (headers, body) = (Vec::new(), Vec::new());
        Self { version, method, url: URL.to_owned(), peer, stage, headers, body }
            .header("host", "gateway.example")
            .body(BODY)
    }

    /// With this JSON.
    pub fn body(self, json: &str) -> Self {
        let mut ask = self.bodiless();
        ask.body = json.as_bytes().to_vec();
        let length = ask.body.len().to_string();
        ask.header("content-type", "application/json").header("content-length", &length)
    }

    /// Without a body, as a GET is.
    pub fn bodiless(mut self) -> Self {
        self.body.clear();
        self.without("content-type").without("content-length")
    }

    pub fn without(mut self, header: &str) -> Self {
        self.headers.retain(|(name, _)| name != header);
        self
    }

    /// As HAProxy hands it over at first.
    pub fn head(mut self) -> Self {
        "-".clone_into(&mut self.peer);
        "head".clone_into(&mut self.stage);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// The text that `vertex.cfg` builds.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { version, method, url, peer, stage, headers, body } = self;
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let body = if stage.starts_with("body") { body.as_slice() } else { &[] };
        let stage = match stage.as_str() {
            "body" => format!("body {} 1", body.len()),
            stage => stage.to_owned(),
        };
        let head = format!("{version}\n{method}\n{url}\n{peer}\n{stage}\n{headers}\r\n");
        [head.as_bytes(), body].concat()
    }
}

/// The `Authorization` header behind a handle, whatever the request's id.
pub fn bearer(gateway: &Gateway, handle: &str, now: Now) -> Option<Arc<str>> {
    gateway
        .bearer(format!("{handle}|any-id").as_bytes(), now)
        .map(|(header, _)| header.as_str().into())
}

/// A verdict, taken apart as HAProxy's `field(n,|)` does.
#[derive(Debug)]
pub struct Said(Vec<String>);

impl Said {
    pub fn new(verdict: &str) -> Self {
        Self(verdict.split('|').map(str::to_owned).collect())
    }

    /// Field `n`, counted from 1.
    pub fn field(&self, n: usize) -> &str {
        self.0.get(n - 1).map_or("", String::as_str)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn decision(&self) -> &str {
        self.field(1)
    }

    /// The reason's code; `ok` for an allow.
    pub fn reason(&self) -> &str {
        if self.decision() == "allow" { "ok" } else { self.field(3) }
    }

    /// The handle of an allow whose call is not followed.
    pub fn handle(&self) -> &str {
        assert_eq!(self.decision(), "allow", "{self:?}");
        self.field(4)
    }

    /// What rules take an allow's bearer by.
    pub fn call_and_id(&self) -> String {
        assert_eq!(self.decision(), "allow", "{self:?}");
        format!("{}|{}", self.field(4), self.field(5))
    }

    pub fn tail(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// A value of the log tail.
    pub fn logged(&self, name: &str) -> &str {
        let inside = self.tail().split_once("vertex{").map_or("", |(_, inside)| inside);
        let value = inside.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {name} in {}", self.tail()))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.field(7)).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}
