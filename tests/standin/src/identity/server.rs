//! The connections of the identity services: records, judges, and answers as it was told to behave.

use super::answer::{Answer, Facts, Fault, Request};
use super::behaviour::{Behaviour, Mode};
use super::replies::{self, Reply};
use super::{Service, iam_credentials, machine, metadata, oauth2, sts};
use crate::app::App;
use crate::bearer::{Api, Checked};
use crate::clock;
use crate::framing::{self, Ending};
use crate::http1::{Body, Head, read_body, read_head};
use crate::keys::Alg;
use crate::recorder::{Port, count};
use crate::wire::{Conn, Gone, Wire};
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

/// A subject token or an assertion is far shorter.
const MAX_BODY: usize = 64 * 1024;

pub async fn serve<S: Wire>(app: Arc<App>, port: Port, service: Service, mut conn: Conn<S>) {
    loop {
        let Ok(head) = read_head(&mut conn).await else {
            return;
        };
        let Ok(body) = read_body(&mut conn, &head, MAX_BODY).await else {
            return;
        };
        let now = clock::micros();
        let seconds = (now / 1_000_000) as i64;
        let bearer = (service == Service::Iamcredentials).then(|| {
            app.bearers.check(&head.authorization, &head.host, Api::IamCredentials, seconds)
        });
        let (requests, tokens) = app.recorder.counters.identity(service);
        count(requests);
        let endpoint = (service == Service::Metadata)
            .then(|| metadata::endpoint(head.path_and_query().0))
            .flatten();
        let behaviour = app.identity.behaviours.of(service).at(endpoint);
        let request = Request { head: &head, body: &body.kept, now: seconds };
        let mut facts = Facts::new();
        let judged = judge(&app, service, &request, &body, &behaviour, bearer.as_ref(), &mut facts);
        let verified = Some(verified(facts, &judged));
        let outcome = app.recorder.add(port, now, &head, &body, bearer, verified);
        let sent = async {
            conn.pause(behaviour.delay_ms).await?;
            let reply = match behaviour.mode {
                Mode::Hang => conn.wait(std::future::pending()).await?,
                Mode::Cut => None,
                _ => {
                    let (reply, gives_token) = reply(&app, service, &behaviour, judged, seconds);
                    if gives_token {
                        count(tokens);
                    }
                    Some(reply)
                }
            };
            let Some(reply) = reply else {
                return Ok(false);
            };
            outcome.status.store(reply.status, Relaxed);
            conn.send(&written(service, &head, &behaviour, &reply)).await?;
            Ok::<bool, Gone>(true)
        }
        .await;
        match sent {
            Ok(true) => outcome.complete(),
            Ok(false) => return outcome.cut_if_open(),
            Err(Gone) => return outcome.client_gone(),
        }
        if head.close {
            return conn.close().await;
        }
    }
}

fn judge(
    app: &App,
    service: Service,
    request: &Request<'_>,
    body: &Body,
    behaviour: &Behaviour,
    bearer: Option<&Checked>,
    facts: &mut Facts,
) -> Result<Answer, Fault> {
    if body.length > MAX_BODY as u64 {
        return Err(Fault::new(413, "", "The request is too large."));
    }
    if let Some(fault) = service.misdirected(request.head).or_else(|| unmeasured(request.head)) {
        return Err(fault);
    }
    match (service, bearer) {
        (Service::Metadata, _) => {
            metadata::judge(request, behaviour.mode != Mode::NoAccount, facts)
        }
        (Service::Machine, _) => {
            let signer = || app.issuers.get("corp")?.signer(Alg::Rs256, None).ok();
            let has_identity = behaviour.mode != Mode::NoAccount;
            machine::judge(request, has_identity, &app.identity.sessions, signer, facts)
        }
        (Service::Oauth2, _) => oauth2::judge(request, app.bearers.account(), facts),
        (Service::Iamcredentials, Some(bearer)) => {
            let policy = app.identity.policy.read().unwrap_or_else(PoisonError::into_inner);
            iam_credentials::judge(request, bearer, &policy, facts)
        }
        _ => {
            let pool = app.identity.pool.read().unwrap_or_else(PoisonError::into_inner);
            let keys = |name: &str| app.issuers.get(name).map(|issuer| issuer.published());
            sts::judge(request, &pool, &keys, facts)
        }
    }
}

/// Google's front end wants to know the length of a body before it comes.
fn unmeasured(head: &Head) -> Option<Fault> {
    let measured = head.method != "POST" || head.header("content-length").is_some();
    (!measured).then(|| Fault::new(411, "", "POST requests require a Content-length header."))
}

/// For the record.
fn verified(mut facts: Facts, judged: &Result<Answer, Fault>) -> Value {
    let reason = match judged {
        Ok(Answer::Token(grant)) => {
            facts.insert("principal".to_owned(), json!(grant.principal));
            facts.insert("grants".to_owned(), json!(grant.by));
            Value::Null
        }
        Ok(_) => Value::Null,
        Err(fault) => {
            facts.insert("error".to_owned(), json!(fault.error));
            json!(fault.description)
        }
    };
    facts.insert("valid".to_owned(), json!(judged.is_ok()));
    facts.insert("reason".to_owned(), reason);
    Value::Object(facts)
}

/// The answer, and whether it has a token.
fn reply(
    app: &App,
    service: Service,
    behaviour: &Behaviour,
    judged: Result<Answer, Fault>,
    now: i64,
) -> (Reply, bool) {
    if let Some(reply) = replies::ordered(service, behaviour) {
        return (reply, false);
    }
    if behaviour.mode == Mode::NotJson {
        let page = "<html><body>Sign in</body></html>";
        return (Reply::text(200, "text/html", page), false);
    }
    let mut good = match judged {
        Err(fault) => return (replies::fault(service, &fault), false),
        Ok(Answer::Text(text)) => (Reply::text(200, "application/text", text), false),
        Ok(Answer::Json(value)) => (Reply::json(service, 200, &value), false),
        Ok(Answer::Token(mut grant)) => {
            grant.lifetime = behaviour.lifetime.unwrap_or(grant.lifetime);
            let (tokens, length) = (&app.bearers.issued, behaviour.token_bytes);
            let (token, left) = if service == Service::Metadata {
                app.identity.metadata.token(tokens, grant.clone(), length, now)
            } else {
                (tokens.issue(grant.clone(), length, now), grant.lifetime)
            };
            (replies::token(service, behaviour, &grant, &token, left, now), true)
        }
    };
    let body = &mut good.0.body;
    match behaviour.mode {
        Mode::Huge => body.push_str(&" ".repeat(behaviour.bytes.saturating_sub(body.len()))),
        Mode::BrokenJson => body.truncate(body.len() / 2),
        _ => {}
    }
    good
}

fn written(service: Service, head: &Head, behaviour: &Behaviour, reply: &Reply) -> Vec<u8> {
    let mut headers = reply.headers.clone();
    if service == Service::Metadata {
        headers += "Server: Metadata Server for VM\r\nX-XSS-Protection: 0\r\n";
        if behaviour.mode != Mode::NoFlavor {
            headers += "Metadata-Flavor: Google\r\n";
        }
    }
    let mut out = Vec::new();
    let ending = Ending::Length(reply.body.len());
    framing::head(&mut out, reply.status, &headers, ending, head.close);
    out.extend_from_slice(reply.body.as_bytes());
    out
}
