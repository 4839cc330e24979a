//! The decision in three steps, for rules that look at it in between: who asks (verify), whether
//! that is allowed (authorize), and as whom it goes on (sign). What one step found, the next one
//! takes from the passage, which no rule can reach.

use std::sync::Arc;

use crate::error::Reason;
use crate::gateway::Gateway;
use crate::gateway::calls::log_tail::{self, Facts};
use crate::gateway::decide::request::{self, Request};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::verified_token::Session;
use crate::gateway::decide::waiting::Patience;
use crate::time::{Monotonic, Now};

/// What a step tells, by the names of the variables below `txn.vertex`.
pub type Variables = Vec<(&'static str, String)>;

/// How far one request has come.
#[derive(Clone, Debug)]
pub struct Passage {
    session: Arc<Session>,
    grant: Option<Grant>,
}

#[derive(Clone, Debug)]
struct Grant {
    handle: String,
    call: Option<u64>,
    target: SignedTarget,
    location: String,
    /// The audit tail, for a credential that is not the role's.
    audit: String,
    /// What to tell if there is no credential to sign with.
    unavailable: Variables,
}

/// What was decided on, as it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTarget {
    /// The method.
    pub method: String,
    /// Google's host.
    pub host: String,
    /// Path and query.
    pub uri: String,
}

/// What leaves in place of what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The value of the `Authorization` header.
    pub authorization: Arc<str>,
    /// The call that leaves with it.
    pub call: Option<u64>,
    /// Nothing for a credential that is used without a role: then the request leaves as it is.
    pub target: Option<SignedTarget>,
}

/// The end of a step.
#[derive(Clone, Debug)]
pub enum Step<T> {
    /// It is to be asked again later.
    Wait,
    /// It is to be asked again with more of the request: `peer` or `body`.
    Needs(&'static str),
    /// No.
    Refused(Variables),
    /// Yes.
    Done(T, Variables),
}

impl Gateway {
    /// Who asks. A request that has to wait holds a ticket.
    #[must_use]
    pub fn verify(&self, request: &[u8], ticket: u64, now: Now) -> Step<Passage> {
        self.step_within(ticket, now, |(since, patience)| {
            let Ok((head, body)) = request::split(request) else {
                return self.refused(Reason::Internal, &Facts::default());
            };
            let Ok(request) = Request::parse(&head, body) else {
                return self.refused(Reason::Internal, &Facts::default());
            };
            match self.session(&request, now, since) {
                Ok(session) => {
                    let told = vec![
                        ("issuer", issuer_and_subject(&session).0.to_owned()),
                        ("subject", issuer_and_subject(&session).1.to_owned()),
                        ("principal", session.principal.to_string()),
                    ];
                    Step::Done(Passage { session, grant: None }, told)
                }
                Err(verdict) => {
                    let facts = Facts { request: Some(&request), ..Facts::default() };
                    self.undone(verdict.within(patience), &facts)
                }
            }
        })
    }

    /// Whether a verified caller may do what the request asks for.
    #[must_use]
    pub fn permit(
        &self,
        passage: &Passage,
        request: &[u8],
        ticket: u64,
        now: Now,
    ) -> Step<Passage> {
        self.step_within(ticket, now, |within| {
            // A wait may lie between the steps.
            let session = &passage.session;
            let holds = match session.is_current() {
                true => session.validity.check(now.wall),
                false => Err(Reason::KeyUnknown),
            };
            if let Err(reason) = holds {
                let facts = Facts { session: Some(session), ..Facts::default() };
                return self.refused(reason, &facts);
            }
            let known = Some(session);
            let grant = |verdict: Verdict<'_>, facts: &Facts<'_>| {
                let Verdict::Allow { target, host, handle, call, .. } = verdict else {
                    return self.undone(verdict, facts);
                };
                self.count(&verdict);
                let told = granted(&verdict, facts);
                let audit = told.iter().find(|(name, _)| *name == "audit");
                let grant = Grant {
                    handle: handle.to_owned(),
                    call: call.map(|mark| mark.number),
                    target: SignedTarget {
                        method: facts.request.map_or("", |request| request.method).to_owned(),
                        host: host.to_owned(),
                        uri: target.to_string(),
                    },
                    location: target.location.to_owned(),
                    audit: audit.map(|(_, tail)| tail.clone()).unwrap_or_default(),
                    unavailable: self
                        .refusal(&Verdict::Deny(Reason::CredentialUnavailable.into()), facts),
                };
                let session = Arc::clone(&passage.session);
                Step::Done(Passage { session, grant: Some(grant) }, told)
            };
            self.judge(request, known, now, within, |verdict, facts| {
                self.admit(verdict, facts, now, grant)
            })
        })
    }

    /// Google's credential for a request: that of its role, or the one called `name`. Without a
    /// role only a credential that the configuration gives away so; a refusal then tells nothing,
    /// as it is whoever decided before that has to say why.
    #[must_use]
    pub fn sign(&self, passage: Option<&Passage>, name: &str, now: Now) -> Step<Signed> {
        let grant = passage.and_then(|passage| passage.grant.as_ref());
        let unavailable = || match grant {
            Some(grant) => Step::Refused(grant.unavailable.clone()),
            None => Step::Refused(Vec::new()),
        };
        let target = grant.map(|grant| grant.target.clone());
        let call = grant.and_then(|grant| grant.call);
        if let Some(call) = call {
            self.calls.send(call, now.mono);
        }
        if let ("role", Some(grant)) = (name, grant) {
            return match self.bearers.header(&grant.handle, now) {
                Some(authorization) => {
                    Step::Done(Signed { authorization, call, target }, Vec::new())
                }
                None => unavailable(),
            };
        }
        let location = grant.map(|grant| grant.location.as_str());
        let named = self.bearers.named(name, location);
        let named = named.filter(|(credential, _)| grant.is_some() || credential.without_role);
        let Some((credential, slot)) = named else {
            return unavailable();
        };
        let Some(authorization) = self.bearers.header(slot.handle(), now) else {
            return unavailable();
        };
        let mut told = vec![("credential", credential.name.clone())];
        let identity = credential.google_identity().unwrap_or("-");
        told.push(("google_identity", identity.to_owned()));
        if let Some(grant) = grant {
            told.push(("audit", log_tail::with_credential(&grant.audit, credential)));
        }
        Step::Done(Signed { authorization, call, target }, told)
    }

    /// Runs a step for the request with this ticket, and takes the ticket back at its end.
    fn step_within<T>(
        &self,
        ticket: u64,
        now: Now,
        step: impl FnOnce((Monotonic, Patience)) -> Step<T>,
    ) -> Step<T> {
        let Some(within) = self.waiting.news(ticket, self.learnt(), now.mono) else {
            return Step::Wait;
        };
        let done = step(within);
        match &done {
            Step::Wait => {}
            Step::Needs(_) => self.waiting.again(ticket),
            Step::Refused(_) | Step::Done(..) => self.stop_waiting(ticket, now),
        }
        done
    }

    fn undone<T>(&self, verdict: Verdict<'_>, facts: &Facts<'_>) -> Step<T> {
        match verdict {
            Verdict::Wait(_) => Step::Wait,
            Verdict::NeedsPeer => Step::Needs("peer"),
            Verdict::NeedsBody => Step::Needs("body"),
            Verdict::Deny(_) | Verdict::Exhausted(_) | Verdict::Allow { .. } => {
                self.count(&verdict);
                Step::Refused(self.refusal(&verdict, facts))
            }
        }
    }

    fn refusal(&self, verdict: &Verdict<'_>, facts: &Facts<'_>) -> Variables {
        let id = self.ids.next();
        let text = verdict.render(&Facts { id: facts.id.or(Some(&id)), ..*facts }, &self.accepted);
        let field = |n: usize| text.split('|').nth(n).unwrap_or_default().to_owned();
        vec![
            ("decision", field(0)),
            ("status", field(1)),
            ("reason", field(2)),
            ("message", verdict.message(&self.accepted)),
            ("error", field(6)),
            ("id", field(4)),
            ("audit", text.rsplit('|').next().unwrap_or_default().to_owned()),
            ("verdict", text),
        ]
    }

    fn refused<T>(&self, reason: Reason, facts: &Facts<'_>) -> Step<T> {
        self.undone(Verdict::Deny(reason.into()), facts)
    }
}

fn granted(verdict: &Verdict<'_>, facts: &Facts<'_>) -> Variables {
    let text = verdict.render(facts, "");
    let told = [
        ("decision", Some("allow")),
        ("reason", Some("ok")),
        ("id", facts.known_id()),
        ("audit", text.split('|').next_back()),
        ("verdict", Some(text.as_str())),
    ];
    told.into_iter()
        .chain(facts.named())
        .filter_map(|(name, value)| Some((name, value?.to_owned())))
        .collect()
}

/// The two parts of a principal as the log writes it; an issuer's name holds no colon.
fn issuer_and_subject(session: &Session) -> (&str, &str) {
    session.principal.split_once(':').unwrap_or_default()
}
