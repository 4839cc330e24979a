//! The stand-in for Vertex AI: judges the bearer, records, and answers as it was told to behave.

use crate::answers::Answer;
use crate::app::App;
use crate::bearer::Api;
use crate::flow::{Flow, unary};
use crate::framing::{self, Ending, LAST_CHUNK};
use crate::gate;
use crate::google_behaviour::{Behaviour, Canned};
use crate::google_errors::{self, JSON_HEADERS};
use crate::http1::{Body, Head, ReadError, read_body, read_head};
use crate::recorder::{Outcome, Port, count};
use crate::route::{Options, Route, Verb, options};
use crate::wire::{Conn, Gone, Wire};
use crate::{claude, clock};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Of longer bodies the prompt is not looked for.
const KEEP: usize = 1 << 20;

/// What becomes of the connection after an answer.
#[derive(PartialEq, Eq)]
enum Then {
    Keep,
    Close,
    /// Dropped in the middle, without a proper end.
    Cut,
}

/// Marks the answer as cut if its task ends in any way that nobody reported.
struct Fate(Arc<Outcome>);

impl Drop for Fate {
    fn drop(&mut self) {
        self.0.cut_if_open();
    }
}

pub async fn serve<S: Wire>(app: Arc<App>, port: Port, mut conn: Conn<S>) {
    let counters = &app.recorder.counters;
    count(&counters.google_connections);
    loop {
        let mut began = false;
        let request = async {
            let head = read_head(&mut conn).await?;
            began = true;
            let body = read_body(&mut conn, &head, KEEP).await?;
            Ok((head, body))
        }
        .await;
        let (head, body) = match request {
            Ok(request) => request,
            Err(ReadError::Gone) => {
                if began || !conn.unread.is_empty() {
                    count(&counters.google_bad_requests);
                }
                return;
            }
            Err(ReadError::Bad(reason)) => {
                count(&counters.google_bad_requests);
                let _ = conn.send(&plain(400, reason)).await;
                return conn.close().await;
            }
        };
        match answer(&app, port, &mut conn, &head, &body).await {
            Then::Keep => {}
            Then::Close => return conn.close().await,
            Then::Cut => return,
        }
    }
}

/// For what does not even parse, Google's front end answers without google.rpc.Status.
fn plain(status: u16, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let headers = "Content-Type: text/plain\r\n";
    framing::head(&mut out, status, headers, Ending::Length(text.len()), true);
    out.extend_from_slice(text.as_bytes());
    out
}

async fn answer<S: Wire>(
    app: &App,
    port: Port,
    conn: &mut Conn<S>,
    head: &Head,
    body: &Body,
) -> Then {
    let counters = &app.recorder.counters;
    count(&counters.google_requests);
    let now = clock::micros();
    let seconds = (now / 1_000_000) as i64;
    let (path, query) = head.path_and_query();
    let route = Route::parse(&head.method, path);
    let is_express = route.as_ref().is_some_and(Route::is_express);
    let key = head.api_key.as_deref();
    let checked = match key {
        Some(key) => app.bearers.check_api_key(key, &head.authorization, is_express),
        None => app.bearers.check(&head.authorization, &head.host, Api::Vertex, seconds),
    };
    let valid = checked.valid;
    count(if valid { &counters.google_valid_bearers } else { &counters.google_invalid_bearers });
    let outcome = app.recorder.add(port, now, head, body, Some(checked), None);
    let fate = Fate(Arc::clone(&outcome));
    let behaviour = app.google_behaviour();
    let mut reply = Reply {
        app,
        conn,
        head,
        outcome: &fate.0,
        behaviour: &behaviour,
        options: options(query),
        ending: if head.http11 { Ending::Chunked } else { Ending::Close },
    };
    let sent = match (valid, behaviour.status, &route) {
        (false, ..) if key.is_some() => reply.api_key_invalid().await,
        (false, ..) => reply.error(401, route.as_ref(), path).await,
        // No token tells the project.
        (true, _, Some(_)) if is_express && key.is_none() => reply.error(404, None, path).await,
        (true, status, Some(_)) if behaviour.canned.is_some() => reply.canned(status).await,
        (true, 200, Some(route)) => reply.good(route, body).await,
        (true, 200, None) => reply.error(404, None, path).await,
        (true, status, _) => reply.error(status, route.as_ref(), path).await,
    };
    match sent {
        Ok(then) => {
            if then != Then::Cut {
                outcome.complete();
            }
            then
        }
        Err(Gone) => {
            count(&counters.google_clients_gone);
            outcome.client_gone();
            Then::Cut
        }
    }
}

struct Reply<'a, S> {
    app: &'a App,
    conn: &'a mut Conn<S>,
    head: &'a Head,
    outcome: &'a Outcome,
    behaviour: &'a Behaviour,
    options: Options,
    ending: Ending,
}

impl<S: Wire> Reply<'_, S> {
    fn start(&self, status: u16, headers: &str) -> Vec<u8> {
        self.outcome.status.store(status, Relaxed);
        let mut out = Vec::with_capacity(1536);
        framing::head(&mut out, status, headers, self.ending, self.head.close);
        out
    }

    fn done(&self) -> Then {
        if self.head.close { Then::Close } else { Then::Keep }
    }

    fn last_chunk(&self) -> &'static [u8] {
        if self.ending == Ending::Chunked { LAST_CHUNK } else { b"" }
    }

    async fn error(
        &mut self,
        status: u16,
        route: Option<&Route<'_>>,
        path: &str,
    ) -> Result<Then, Gone> {
        self.conn.pause(self.behaviour.delay_ms).await?;
        let body = match route {
            Some(route) if route.is_claude() && matches!(status, 400 | 500) => {
                claude::error(status, "stand-in")
            }
            _ => google_errors::body(status, route, path),
        };
        let mut text = serde_json::to_string_pretty(&body).unwrap_or_default();
        // A JSON-array stream is an array even when it fails at once.
        if !self.options.sse && route.is_some_and(|r| r.verb == Verb::Stream) {
            text = format!("[{text}\n]");
        }
        let extra = "WWW-Authenticate: Bearer realm=\"https://accounts.google.com/\", \
                     error=\"invalid_token\"\r\n";
        let headers = format!("{JSON_HEADERS}{}", if status == 401 { extra } else { "" });
        self.whole(status, &headers, &text).await
    }

    async fn api_key_invalid(&mut self) -> Result<Then, Gone> {
        let text = serde_json::to_string_pretty(&google_errors::api_key_invalid());
        self.whole(400, JSON_HEADERS, &text.unwrap_or_default()).await
    }

    async fn good(&mut self, route: &Route<'_>, body: &Body) -> Result<Then, Gone> {
        let counters = &self.app.recorder.counters;
        let answer = Answer::new(route.model, body, self.options.int_enums);
        if let Some(flow) = Flow::of(route, &answer, self.options) {
            count(&counters.google_streams);
            return self.stream(&flow).await;
        }
        count(&counters.google_unary);
        self.conn.pause(self.behaviour.delay_ms).await?;
        let text = unary(route, &answer);
        if self.behaviour.hangup_after_chunks == Some(0) {
            return Ok(Then::Cut);
        }
        self.whole(200, JSON_HEADERS, &text).await
    }

    /// An answer in one piece; it is the first chunk when counting to a hang-up.
    async fn whole(&mut self, status: u16, headers: &str, text: &str) -> Result<Then, Gone> {
        let mut out = self.start(status, headers);
        framing::piece(&mut out, text.as_bytes(), self.ending);
        let cut = status == 200 && self.behaviour.hangup_after_chunks == Some(1);
        if !cut {
            out.extend_from_slice(self.last_chunk());
        }
        self.conn.send(&out).await?;
        self.outcome.chunks.store(1, Relaxed);
        Ok(if cut { Then::Cut } else { self.done() })
    }

    async fn canned(&mut self, status: u16) -> Result<Then, Gone> {
        let Some(Canned { content_type, pieces }) = &self.behaviour.canned else {
            return Ok(Then::Cut);
        };
        self.conn.pause(self.behaviour.delay_ms).await?;
        let headers = match content_type.as_str() {
            "" => String::new(),
            kind => format!("Content-Type: {kind}\r\n"),
        };
        let mut out = self.start(status, &headers);
        for (index, text) in pieces.iter().enumerate() {
            if self.behaviour.hangup_after_chunks == Some(index) {
                return Ok(Then::Cut);
            }
            if index > 0 {
                self.conn.pause(self.behaviour.interval_ms).await?;
            }
            framing::piece(&mut out, text.as_bytes(), self.ending);
            self.conn.send(&out).await?;
            out.clear();
            self.outcome.chunks.store(index as u32 + 1, Relaxed);
        }
        out.extend_from_slice(self.last_chunk());
        self.conn.send(&out).await?;
        Ok(self.done())
    }

    async fn stream(&mut self, flow: &Flow<'_>) -> Result<Then, Gone> {
        let behaviour = self.behaviour;
        let turnstile = behaviour.gate.then(|| self.app.gate.enter());
        self.conn.pause(behaviour.delay_ms).await?;
        let mut out = self.start(200, flow.headers());
        let chunks = behaviour.chunks.max(1);
        let mut broken = false;
        for index in 0..chunks {
            if behaviour.hangup_after_chunks == Some(index) {
                return Ok(Then::Cut);
            }
            if index > 0 {
                match &turnstile {
                    Some(turnstile) => self.conn.wait(gate::pass(turnstile)).await?,
                    None => self.conn.pause(behaviour.interval_ms).await?,
                }
            }
            broken = index == 1 && behaviour.mid_stream_error;
            let pieces = if broken { flow.error() } else { flow.part(index, chunks) };
            for piece in pieces {
                framing::piece(&mut out, piece.as_bytes(), self.ending);
                self.conn.send(&out).await?;
                out.clear();
            }
            self.outcome.chunks.store(index as u32 + 1, Relaxed);
            count(&self.app.recorder.counters.google_stream_chunks);
            if broken {
                break;
            }
        }
        if behaviour.hangup_after_chunks == Some(chunks) {
            return Ok(Then::Cut);
        }
        framing::piece(&mut out, flow.end(broken).as_bytes(), self.ending);
        out.extend_from_slice(self.last_chunk());
        self.conn.send(&out).await?;
        Ok(self.done())
    }
}
