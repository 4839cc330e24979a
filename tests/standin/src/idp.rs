//! The identity provider: discovery documents and key sets, served well or badly.

use crate::app::App;
use crate::clock;
use crate::framing::{self, Ending};
use crate::http1::{Head, read_body, read_head};
use crate::idp_behaviour::{Behaviour, Endpoint, Mode};
use crate::keystore::Issuer;
use crate::recorder::{Outcome, Port, count};
use crate::wire::{Conn, Gone, Wire};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The name under which all issuers stand; nobody needs to resolve it.
pub const BASE: &str = "https://idp.example";

pub fn issuer_url(name: &str) -> String {
    format!("{BASE}/{name}")
}

pub async fn serve<S: Wire>(app: Arc<App>, port: Port, mut conn: Conn<S>) {
    loop {
        let Ok(head) = read_head(&mut conn).await else {
            return;
        };
        let Ok(body) = read_body(&mut conn, &head, 1024).await else {
            return;
        };
        let counters = &app.recorder.counters;
        count(&counters.idp_requests);
        let outcome = app.recorder.add(port, clock::micros(), &head, &body, None, None);
        match answer(&app, &mut conn, &head, &outcome).await {
            Ok(true) if !head.close => outcome.complete(),
            Ok(true) => {
                outcome.complete();
                return conn.close().await;
            }
            Ok(false) => return outcome.cut_if_open(),
            Err(Gone) => return outcome.client_gone(),
        }
    }
}

/// Which document of which issuer a path names; `followed` is where redirects lead.
fn locate(path: &str) -> (&str, Option<Endpoint>, bool) {
    let (issuer, rest) = path.trim_start_matches('/').split_once('/').unwrap_or(("", ""));
    let (rest, followed) = match rest.strip_prefix("followed/") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let endpoint = match rest {
        ".well-known/openid-configuration" => Some(Endpoint::Discovery),
        "jwks" => Some(Endpoint::Jwks),
        _ => None,
    };
    (issuer, endpoint, followed)
}

/// Ok(false): the connection is to be dropped.
async fn answer<S: Wire>(
    app: &App,
    conn: &mut Conn<S>,
    head: &Head,
    outcome: &Outcome,
) -> Result<bool, Gone> {
    let counters = &app.recorder.counters;
    let (path, _) = head.path_and_query();
    let (name, endpoint, followed) = locate(path);
    count(match (endpoint, followed) {
        (Some(_), true) => &counters.idp_followed,
        (Some(Endpoint::Discovery), _) => &counters.idp_discovery,
        (Some(Endpoint::Jwks), _) => &counters.idp_jwks,
        (None, _) => &counters.idp_other,
    });
    let mut behaviour = app.idp_behaviours.for_issuer(name, endpoint);
    if followed {
        behaviour.mode = Mode::Normal;
    }
    conn.pause(behaviour.delay_ms).await?;
    let mut headers = format!("Cache-Control: public, max-age={}\r\n", behaviour.max_age);
    let issuer = app.issuers.get(name).filter(|_| matches!(head.method.as_str(), "GET" | "HEAD"));
    let (status, body) = match (behaviour.mode, issuer, endpoint) {
        (Mode::Refuse, ..) => return Ok(false),
        (Mode::Hang, ..) => conn.wait(std::future::pending()).await?,
        (Mode::Drip, ..) => return trickle(conn, outcome, b" ", 1000).await,
        (Mode::Endless, ..) => return trickle(conn, outcome, &[b' '; 16 * 1024], 0).await,
        (Mode::Status, ..) => {
            headers = "Cache-Control: no-store\r\n".to_owned();
            (behaviour.status, json!({"error": "told to fail"}).to_string())
        }
        (Mode::NotJson, ..) => (200, "<html><body>Sign in</body></html>".to_owned()),
        (Mode::Redirect, ..) => {
            headers = format!("Location: {}\r\n", redirect(app, &behaviour, path));
            (302, String::new())
        }
        (mode, Some(issuer), Some(Endpoint::Discovery)) => {
            (200, discovery(issuer, mode).to_string())
        }
        (_, Some(issuer), Some(Endpoint::Jwks)) => (200, jwks(issuer, behaviour.jwks_bytes)),
        _ => (404, json!({"error": "not found"}).to_string()),
    };
    headers.push_str("Content-Type: application/json\r\n");
    if behaviour.header_bytes > 0 {
        headers += &format!("X-Padding: {}\r\n", "x".repeat(behaviour.header_bytes));
    }
    outcome.status.store(status, Relaxed);
    let mut out = Vec::new();
    let ending = if behaviour.chunked { Ending::Chunked } else { Ending::Length(body.len()) };
    framing::head(&mut out, status, &headers, ending, head.close);
    if head.method != "HEAD" {
        framing::piece(&mut out, body.as_bytes(), ending);
        if behaviour.chunked {
            out.extend_from_slice(framing::LAST_CHUNK);
        }
    }
    conn.send(&out).await?;
    Ok(true)
}

fn redirect(app: &App, behaviour: &Behaviour, path: &str) -> String {
    behaviour.location.clone().unwrap_or_else(|| {
        let port = app.port_of(Port::IdpHttp);
        let (issuer, rest) = path.trim_start_matches('/').split_once('/').unwrap_or(("", ""));
        format!("http://127.0.0.1:{port}/{issuer}/followed/{rest}")
    })
}

/// The beginning of a key set, and then blanks without end.
async fn trickle<S: Wire>(
    conn: &mut Conn<S>,
    outcome: &Outcome,
    blanks: &[u8],
    interval_ms: u64,
) -> Result<bool, Gone> {
    outcome.status.store(200, Relaxed);
    let mut out = Vec::new();
    framing::head(&mut out, 200, "Content-Type: application/json\r\n", Ending::Chunked, false);
    framing::piece(&mut out, b"{", Ending::Chunked);
    loop {
        conn.send(&out).await?;
        out.clear();
        framing::piece(&mut out, blanks, Ending::Chunked);
        conn.pause(interval_ms).await?;
    }
}

fn discovery(issuer: &Issuer, mode: Mode) -> Value {
    let url = issuer_url(&issuer.name);
    let jwks_uri = match mode {
        Mode::HttpJwksUri => url.replacen("https:", "http:", 1) + "/jwks",
        Mode::ForeignJwksUri => format!("https://evil.example/{}/jwks", issuer.name),
        _ => format!("{url}/jwks"),
    };
    let said = match mode {
        Mode::WrongIssuer => format!("https://other.example/{}", issuer.name),
        _ => url.clone(),
    };
    json!({
        "issuer": said,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": jwks_uri,
        "response_types_supported": ["code", "id_token"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": crate::keys::Alg::ALL,
        "scopes_supported": ["openid", "email", "profile", "groups"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "email", "groups"],
    })
}

/// The key set; blanks make it as long as is wanted.
fn jwks(issuer: &Issuer, bytes: usize) -> String {
    let keys: Vec<Value> = issuer.published().iter().map(|k| k.jwk()).collect();
    let set = json!({"keys": keys}).to_string();
    let blanks = " ".repeat(bytes.saturating_sub(set.len()));
    set + &blanks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(locate("/corp/jwks"), ("corp", Some(Endpoint::Jwks), false));
        assert_eq!(locate("/c/followed/jwks"), ("c", Some(Endpoint::Jwks), true));
        let discovery = "/corp/.well-known/openid-configuration";
        assert_eq!(locate(discovery), ("corp", Some(Endpoint::Discovery), false));
        assert_eq!(locate("/"), ("", None, false));
    }
}
