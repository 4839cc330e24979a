//! The control API, plain http with JSON, by which tests steer the stand-in.

use crate::app::App;
use crate::framing::{self, Ending};
use crate::google_behaviour;
use crate::http1::{read_body, read_head};
use crate::identity::{Service, behaviour, metadata, refresh_token};
use crate::idp_behaviour;
use crate::keys::Alg;
use crate::recorder::Side;
use crate::tokens::{self, Order};
use crate::wire::{Conn, Wire};
use crate::{account, google_errors::JSON_HEADERS, idp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

const MAX_BODY: usize = 16 << 20;

/// Status and what went wrong.
struct Fault(u16, String);
type Answer = Result<Value, Fault>;

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self(400, text)
    }
}

pub async fn serve<S: Wire>(app: Arc<App>, mut conn: Conn<S>) {
    loop {
        let Ok(head) = read_head(&mut conn).await else {
            return;
        };
        let Ok(body) = read_body(&mut conn, &head, MAX_BODY).await else {
            return;
        };
        let (path, query) = head.path_and_query();
        let answer = if body.length > MAX_BODY as u64 {
            Err(Fault(400, "body too long".to_owned()))
        } else {
            answer(&app, &head.method, path, query, &body.kept).await
        };
        let (status, value) = match answer {
            Ok(value) => (200, value),
            Err(Fault(status, error)) => (status, json!({"error": error})),
        };
        let text = value.to_string();
        let mut out = Vec::with_capacity(text.len() + 256);
        framing::head(&mut out, status, JSON_HEADERS, Ending::Length(text.len()), head.close);
        out.extend_from_slice(text.as_bytes());
        if conn.send(&out).await.is_err() {
            return;
        }
        if head.close {
            return conn.close().await;
        }
    }
}

async fn answer(app: &Arc<App>, method: &str, path: &str, query: &str, body: &[u8]) -> Answer {
    match (method, path) {
        ("GET", "/healthz") => Ok(json!({"ok": true})),
        ("POST", "/tokens") => mint(app, parse(body)?).await,
        ("POST", "/keys/rotate") => rotate(app, parse(body)?).await,
        ("POST", "/keys/remove") => {
            let Remove { issuer, kid } = parse(body)?;
            Ok(json!({"removed": issuer_of(app, &issuer)?.remove(&kid)?}))
        }
        ("POST", "/idp/behaviour") => {
            let behaviour: idp_behaviour::Behaviour = parse(body)?;
            if let Some(issuer) = &behaviour.issuer {
                issuer_of(app, issuer)?;
            }
            app.idp_behaviours.set(behaviour);
            Ok(json!({}))
        }
        ("POST", "/google/behaviour") => behave(app, parse(body)?),
        ("POST", "/google/release") => {
            let Release { all } = parse(body)?;
            Ok(json!({"streams": app.gate.release(all)}))
        }
        ("POST", "/google/access-tokens") => {
            app.bearers.register(parse::<Token>(body)?.token);
            Ok(json!({}))
        }
        ("DELETE", "/google/access-tokens") => {
            Ok(json!({"removed": app.bearers.forget(&parse::<Token>(body)?.token)}))
        }
        ("POST", "/google/api-keys") => {
            app.bearers.register_api_key(parse::<ApiKey>(body)?.key);
            Ok(json!({}))
        }
        ("DELETE", "/google/api-keys") => {
            Ok(json!({"removed": app.bearers.forget_api_key(&parse::<ApiKey>(body)?.key)}))
        }
        ("POST", "/metadata/behaviour") => misbehave(app, Service::Metadata, parse(body)?),
        ("POST", "/oauth2/behaviour") => misbehave(app, Service::Oauth2, parse(body)?),
        ("POST", "/sts/behaviour") => misbehave(app, Service::Sts, parse(body)?),
        ("POST", "/iamcredentials/behaviour") => {
            misbehave(app, Service::Iamcredentials, parse(body)?)
        }
        ("POST", "/machine/behaviour") => misbehave(app, Service::Machine, parse(body)?),
        ("POST", "/sts/pool") => {
            *app.identity.pool.write().unwrap_or_else(PoisonError::into_inner) = parse(body)?;
            Ok(json!({}))
        }
        ("POST", "/iamcredentials/policy") => {
            *app.identity.policy.write().unwrap_or_else(PoisonError::into_inner) = parse(body)?;
            Ok(json!({}))
        }
        ("GET", "/identity") => Ok(identities(app)),
        ("DELETE", "/identity/tokens") => {
            let Revoked { token } = parse(body)?;
            Ok(json!({"revoked": app.bearers.issued.revoke(token.as_deref())}))
        }
        ("POST", "/identity/keys") => {
            let app = Arc::clone(app);
            blocking(move || Ok(app.bearers.account().add_key()?)).await
        }
        ("DELETE", "/identity/keys") => {
            app.bearers.delete_keys(parse::<Deleted>(body)?.key_ids);
            Ok(json!({}))
        }
        ("POST", "/down") => down(app, parse(body)?).await,
        ("GET", "/requests") => requests(app, query),
        ("DELETE", "/requests") => {
            app.recorder.clear();
            Ok(json!({}))
        }
        ("GET", "/counters") => Ok(json!(app.recorder.counters)),
        _ => Err(Fault(404, format!("no {method} {path}"))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    issuer: String,
    alg: Alg,
    #[serde(default = "yes")]
    keep_old: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    issuer: String,
    kid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiKey {
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Down {
    what: Side,
    #[serde(default = "yes")]
    down: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    /// Absent: all that were given out.
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deleted {
    #[serde(default)]
    key_ids: HashSet<String>,
}

/// An absent body is an empty object.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|e| Fault(400, e.to_string()))
}

fn issuer_of<'a>(app: &'a App, name: &str) -> Result<&'a crate::keystore::Issuer, Fault> {
    app.issuers.get(name).ok_or_else(|| Fault(404, format!("no issuer {name}")))
}

/// Signing and key generation would hold up the other connections of a worker thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Fault(500, "the work panicked".to_owned())))
}

async fn mint(app: &Arc<App>, order: Order) -> Answer {
    let app = Arc::clone(app);
    blocking(move || {
        let issuer = issuer_of(&app, &order.issuer)?;
        let url = idp::issuer_url(&order.issuer);
        let draft = tokens::draft(&order, issuer, &url, &app.store)?;
        let mut signed = draft.sign()?;
        app.recorder.counters.tokens_minted.fetch_add(signed.len() as u64, Relaxed);
        if order.count == 1 {
            let token = signed.pop().unwrap_or_default();
            return Ok(json!({"token": token, "header": draft.header, "claims": draft.claims}));
        }
        Ok(json!({"tokens": signed}))
    })
    .await
}

async fn rotate(app: &Arc<App>, order: Rotate) -> Answer {
    let app = Arc::clone(app);
    blocking(move || {
        let key = issuer_of(&app, &order.issuer)?.rotate(order.alg, order.keep_old)?;
        Ok(json!({"kid": key.kid}))
    })
    .await
}

fn behave(app: &App, behaviour: google_behaviour::Behaviour) -> Answer {
    if !matches!(behaviour.status, 200 | 400..=599) {
        return Err(Fault(400, "status must be 200 or an error".to_owned()));
    }
    app.recorder.off.store(!behaviour.record, Relaxed);
    let gate = behaviour.gate;
    *app.google.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(behaviour);
    // Streams begun under a gate that is no more would wait for ever.
    if !gate {
        app.gate.release(true);
    }
    Ok(json!({}))
}

fn misbehave(app: &App, service: Service, behaviour: behaviour::Behaviour) -> Answer {
    if let Some(fault) = behaviour.fault(service) {
        return Err(Fault(400, fault.to_owned()));
    }
    app.identity.behaviours.set(service, behaviour);
    Ok(json!({}))
}

/// What a credential file needs to know.
fn identities(app: &App) -> Value {
    json!({
        "service_account": app.bearers.account().email,
        "metadata_account": metadata::EMAIL,
        "project_id": account::PROJECT,
        "project_number": account::PROJECT_NUMBER,
        "client_id": refresh_token::CLIENT_ID,
        "client_secret": refresh_token::CLIENT_SECRET,
        "refresh_token": refresh_token::REFRESH_TOKEN,
    })
}

async fn down(app: &App, order: Down) -> Answer {
    for door in &app.doors {
        if door.port.side() == Some(order.what) {
            door.set(!order.down).await.map_err(|e| Fault(500, e))?;
        }
    }
    Ok(json!({}))
}

fn requests(app: &App, query: &str) -> Answer {
    let (mut since, mut limit, mut side) = (0, 10_000, None);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let number = || value.parse::<u64>().map_err(|_| Fault(400, format!("bad {name}")));
        match name {
            "since" => since = number()?,
            "limit" => limit = usize::try_from(number()?).unwrap_or(usize::MAX).max(1),
            "of" => side = Some(parse::<Side>(format!("\"{value}\"").as_bytes())?),
            _ => return Err(Fault(400, format!("unknown {name}"))),
        }
    }
    Ok(app.recorder.since(since, limit, side))
}
