//! A gateway whose only credential is a fetched one, the files that Google's tools write, and what
//! Google's endpoints answer.

use haproxy_vertex::config::Config;
use haproxy_vertex::fetch::{Answer, Headers, Id, Reply, Request};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

use super::at;
use super::gateway::{Ask, BACKENDS, Said, URL, bearer, member};
use super::keys::{self, SigningKey};
use super::settings::{Files, haproxy, minimal, only};

pub const METADATA: &str = "vertex_fetch_metadata.google.internal";
pub const DEFAULT: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

/// A gateway whose only credential is `credential`, and a caller's token for it.
pub struct Place {
    pub gateway: Gateway,
    pub token: String,
}

impl Place {
    pub fn new(credential: Value) -> Self {
        Self::with_room(credential, 16_384)
    }

    pub fn with_room(credential: Value, maxrewrite: usize) -> Self {
        let key = SigningKey::ed();
        let mut settings = minimal();
        settings["credentials"] = json!([credential]);
        let config = Files::new(&key).load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}"));
        let mut haproxy = haproxy(&[BACKENDS, &[METADATA]].concat());
        haproxy.maxrewrite = maxrewrite;
        let gateway = Gateway::open(config, &haproxy, at(0)).unwrap_or_else(|e| panic!("{e}"));
        let mut claims = member();
        claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 24 * 3600);
        Self { gateway, token: key.token("k1", &claims) }
    }

    pub fn metadata() -> Self {
        Self::new(json!({ "name": "ml-prod", "type": "metadata" }))
    }

    pub fn decide(&self, now: Now) -> Said {
        Said::new(&self.gateway.decide(&Ask::with(&self.token).url(URL).bytes(), now))
    }

    /// The header that a request leaves with, or why it waits.
    pub fn sent(&self, now: Now) -> String {
        let said = self.decide(now);
        match said.decision() {
            "allow" => bearer(&self.gateway, said.handle(), now).unwrap().as_ref().to_owned(),
            other => format!("{other} {}", said.reason()),
        }
    }

    pub fn asks(&self, now: Now) -> Option<(Id, Request)> {
        self.gateway.step(now).map(|fetch| (fetch.id, fetch.request))
    }

    /// A request is due now, and gets this reply.
    pub fn expect(&self, now: Now, reply: &Reply) {
        let (id, _) = self.asks(now).unwrap_or_else(|| panic!("nothing is due at {now:?}"));
        self.gateway.answer(id, reply, now);
    }

    /// The first second from `from` at which a request is due, of a whole day.
    pub fn due_at(&self, from: i64) -> (i64, Id) {
        (from..from + 90_000).find_map(|secs| Some((secs, self.asks(at(secs))?.0))).unwrap()
    }

    pub fn credentials(&self, now: Now) -> Value {
        let shown: Value =
            serde_json::from_str(&self.gateway.show(&["credentials", "json"], now)).unwrap();
        shown["credentials"][0].clone()
    }
}

pub fn answer(status: u16, flavor: Option<&str>, body: impl Into<Vec<u8>>) -> Reply {
    let headers = Headers::new(flavor.map(|flavor| ("Metadata-Flavor", flavor)));
    Reply::Answer(Answer::new(status, headers, body.into()))
}

pub fn token(text: &str, expires_in: impl Into<Value>) -> Reply {
    let body =
        json!({ "access_token": text, "expires_in": expires_in.into(), "token_type": "Bearer" });
    answer(200, Some("Google"), body.to_string())
}

pub const STS: &str = "https://sts.googleapis.com/v1/token";
pub const IAM: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
                   gw@acme-ml.iam.gserviceaccount.com:generateAccessToken";
pub const OAUTH: &str = "https://oauth2.googleapis.com/token";
pub const CLOUD: &str = "https://www.googleapis.com/auth/cloud-platform";
pub const FETCHES: &[&str] = &[
    METADATA,
    "vertex_fetch_sts.googleapis.com",
    "vertex_fetch_iamcredentials.googleapis.com",
    "vertex_fetch_oauth2.googleapis.com",
    "vertex_fetch_sts.corp.example",
    "vertex_fetch_169.254.169.254",
];

pub fn external() -> Value {
    json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pool",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": STS,
        "credential_source": { "file": "subject.txt" },
    })
}

pub fn impersonated(source: Value) -> Value {
    json!({
        "type": "impersonated_service_account", "service_account_impersonation_url": IAM,
        "delegates": ["projects/-/serviceAccounts/b@x.iam.gserviceaccount.com"],
        "source_credentials": source,
    })
}

pub fn login() -> Value {
    json!({
        "type": "authorized_user", "client_id": "us.apps.example", "client_secret": "our-secret",
        "refresh_token": "1//0refresh", "quota_project_id": "acme-ml",
    })
}

pub fn key_file() -> Value {
    let mut key: Value = serde_json::from_str(keys::KEY_FILE).unwrap();
    key["token_uri"] = json!(OAUTH);
    key
}

/// Loads `credential`, whose `file` is this one.
pub fn loaded(credential: &Value, file: &str) -> Result<(Config, SigningKey), (String, String)> {
    loaded_with(credential, file, &[])
}

/// The same with these variables in the environment.
pub fn loaded_with(
    credential: &Value,
    file: &str,
    environment: &[(&str, &str)],
) -> Result<(Config, SigningKey), (String, String)> {
    let key = SigningKey::ed();
    let mut settings = minimal();
    let mut files = Files::new(&key);
    files.put("identity.json", file);
    environment.iter().for_each(|(name, value)| files.set(name, value));
    files.put("subject.txt", "subject.of.corp\n");
    files.put("subject.json", r#"{ "id_token": "subject.of.json", "other": 5 }"#);
    let mut credential = credential.clone();
    credential["name"] = json!("ml-prod");
    credential["file"] = json!("identity.json");
    settings["credentials"] = json!([credential]);
    let config = files.load(&settings.to_string());
    config.map(|config| (config, key)).map_err(|errors| {
        let error = only(errors);
        (error.pointer, error.problem)
    })
}

pub fn place(credential: &Value, file: &Value) -> Place {
    place_with(credential, file, &[])
}

pub fn place_with(credential: &Value, file: &Value, environment: &[(&str, &str)]) -> Place {
    let (config, key) =
        loaded_with(credential, &file.to_string(), environment).unwrap_or_else(|e| panic!("{e:?}"));
    let haproxy = haproxy(&[BACKENDS, FETCHES].concat());
    let gateway = Gateway::open(config, &haproxy, at(0)).unwrap_or_else(|e| panic!("{e}"));
    Place { gateway, token: key.token("k1", &member()) }
}

pub fn form(request: &Request) -> Vec<(String, String)> {
    let text = str::from_utf8(&request.body).unwrap();
    let decoded = |text: &str| {
        let (mut bytes, mut out) = (text.bytes(), Vec::new());
        while let Some(byte) = bytes.next() {
            let mut digit = || char::from(bytes.next().unwrap()).to_digit(16).unwrap();
            out.push(match byte {
                b'+' => b' ',
                b'%' => u8::try_from(digit() * 16 + digit()).unwrap(),
                byte => byte,
            });
        }
        String::from_utf8(out).unwrap()
    };
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

pub fn value<'f>(form: &'f [(String, String)], name: &str) -> &'f str {
    &form.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
}

pub fn iam_token(text: &str, expires: &str) -> Reply {
    answer(200, None, json!({ "accessToken": text, "expireTime": expires }).to_string())
}
