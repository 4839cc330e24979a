//! The end of the access-log line: the request line, then who, what, why. Every value is bounded
//! and percent-encoded here, so that no claim and no URL can forge a field or a line, and the
//! decision, the reason and the principal come first, where a short log line still has them.

use crate::error::Reason;
use crate::gateway::decide::request::Request;
use crate::gateway::decide::request_id::RequestId;
use crate::gateway::decide::verified_token::Session;
use crate::google::Credential;
use crate::log_value::{self, MAX_BYTES};
use crate::policy::Role;
use crate::vertex::{Media, Target};
use crate::watch::Signals;

/// The most bytes of a path in the log.
const MAX_PATH_BYTES: usize = 256;

/// What stands before the decision, and before the caller.
const DECISION: &str = " vertex{decision=";
const PRINCIPAL: &str = " principal=";

/// The first word of a verdict and of its log tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Decision {
    Allow,
    Deny,
    Wait,
    Peer,
    Body,
}

impl Decision {
    pub(in crate::gateway) const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Wait => "wait",
            Self::Peer => "peer",
            Self::Body => "body",
        }
    }
}

/// What is known of a request by the time its verdict is written.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gateway) struct Facts<'f> {
    pub(in crate::gateway) request: Option<&'f Request<'f>>,
    pub(in crate::gateway) session: Option<&'f Session>,
    pub(in crate::gateway) target: Option<&'f Target<'f>>,
    pub(in crate::gateway) role: Option<&'f Role>,
    /// The cap on output tokens that the body sets, where it was read.
    pub(in crate::gateway) output_cap: Option<u64>,
    /// How many answers the body asks for; 0 where nothing says.
    pub(in crate::gateway) answers: u64,
    /// What the body holds that is no text, where it was read.
    pub(in crate::gateway) media: Media,
    /// Whether the answer comes in pieces.
    pub(in crate::gateway) is_streamed: bool,
    /// What is unusual about the request.
    pub(in crate::gateway) signals: Signals,
    /// The request's; nothing of one that is only asked about.
    pub(in crate::gateway) id: Option<&'f RequestId>,
    pub(in crate::gateway) credential: Option<&'f Credential>,
    /// What of the request is refused.
    pub(in crate::gateway) detail: Option<&'f str>,
}

impl<'f> Facts<'f> {
    /// The request's id as a verdict has it.
    pub(in crate::gateway) fn id(&self) -> &'f str {
        self.known_id().unwrap_or("-")
    }

    pub(in crate::gateway) fn known_id(&self) -> Option<&'f str> {
        self.id.map(RequestId::as_str)
    }

    /// `publisher/model`, or nothing.
    pub(in crate::gateway) fn model(&self) -> String {
        let model = self.target.and_then(|target| target.model);
        model.map(|model| format!("{}/{}", model.publisher, model.name)).unwrap_or_default()
    }

    /// What the role and the target say, by the names of log line and variables.
    pub(in crate::gateway) fn named(&self) -> [(&'static str, Option<&'f str>); 8] {
        let (target, credential) = (self.target, self.credential);
        let model = target.and_then(|target| target.model);
        [
            ("role", self.role.map(|role| role.name.as_str())),
            ("credential", credential.map(|credential| credential.name.as_str())),
            ("google_identity", credential.and_then(Credential::google_identity)),
            ("project", target.and_then(|target| target.project)),
            ("location", target.map(|target| target.location)),
            ("publisher", model.map(|model| model.publisher)),
            ("model", model.map(|model| model.name)),
            ("method", target.map(|target| target.route.method.as_str())),
        ]
    }
}

/// Writes the tail; HAProxy's log format adds what is known later and the closing brace.
pub(in crate::gateway) fn write_tail(
    out: &mut String,
    decision: Decision,
    reason: Option<Reason>,
    facts: &Facts<'_>,
) {
    match facts.request {
        Some(request) => {
            out.push('"');
            log_value::write(out, request.method, 32);
            out.push(' ');
            match facts.target {
                Some(_) => checked(out, request.path(), MAX_PATH_BYTES),
                None => log_value::write(out, request.path(), MAX_PATH_BYTES),
            }
            out.push_str(" HTTP/");
            log_value::write(out, request.version, 8);
            out.push('"');
        }
        None => out.push_str("\"-\""),
    }
    let session = facts.session;
    for part in [
        DECISION,
        decision.name(),
        " reason=",
        reason.map_or("ok", Reason::code),
        PRINCIPAL,
        session.map_or("-", |session| &session.principal),
    ] {
        out.push_str(part);
    }
    for (name, value) in facts.named() {
        out.push(' ');
        out.push_str(name);
        out.push('=');
        checked(out, value.unwrap_or_default(), MAX_BYTES);
    }
    out.push_str(" display=");
    out.push_str(session.map_or("-", |session| &session.display));
    out.push_str(" detail=");
    log_value::write(out, facts.detail.unwrap_or_default(), MAX_BYTES);
}

/// A tail that was written with another outcome; nothing for a text that is none.
pub(in crate::gateway) fn with_outcome(tail: &str, refusal: Option<Reason>) -> Option<String> {
    let (request, fields) = tail.split_once(DECISION)?;
    let (_, who) = fields.split_once(PRINCIPAL)?;
    let decision = if refusal.is_none() { Decision::Allow } else { Decision::Deny };
    let (decision, reason) = (decision.name(), refusal.map_or("ok", Reason::code));
    Some([request, DECISION, decision, " reason=", reason, PRINCIPAL, who].concat())
}

/// The tail of a request of which nothing is known but its outcome.
pub(in crate::gateway) fn unknown(refusal: Option<Reason>) -> String {
    let decision = if refusal.is_none() { Decision::Allow } else { Decision::Deny };
    let mut out = String::new();
    write_tail(&mut out, decision, refusal, &Facts::default());
    out
}

/// A tail that was written for another credential.
pub(in crate::gateway) fn with_credential(tail: &str, credential: &Credential) -> String {
    let (Some((before, _)), Some((_, after))) =
        (tail.split_once(" credential="), tail.split_once(" project="))
    else {
        return String::new();
    };
    let mut out = format!("{before} credential={} google_identity=", credential.name);
    checked(&mut out, credential.google_identity().unwrap_or_default(), MAX_BYTES);
    out.push_str(" project=");
    out.push_str(after);
    out
}

/// A principal as the log writes it: `issuer:subject`; an issuer's name holds no colon.
pub(in crate::gateway) fn principal(issuer: &str, subject: &str) -> String {
    let mut out = String::new();
    log_value::write(&mut out, issuer, MAX_BYTES);
    out.push(':');
    log_value::write(&mut out, subject, MAX_BYTES);
    out
}

/// Writes a value whose alphabet was checked when it was parsed, and is within `plain`.
fn checked(out: &mut String, text: &str, limit: usize) {
    match text {
        "" | "-" => log_value::write(out, text, limit),
        _ if text.len() > limit => log_value::write(out, text, limit),
        _ => out.push_str(text),
    }
}
