//! The four Lua actions: each runs one step of a decision, and the last one begins the call.

use std::sync::Arc;

use crate::error::Reason;
use crate::gateway::calls::log_tail;
use crate::gateway::decide::actions::{Grant, Passage, Signed, SignedTarget, Step, Variables};
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::reply::{self, Attached, ToldRefusal};
use crate::gateway::decide::request::{Received, Request};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::waiting::Patience;
use crate::gateway::{Gateway, tail_of};
use crate::time::{Monotonic, Now};

impl Gateway {
    /// Verifies the caller's token. A request that has to wait holds a ticket.
    #[must_use]
    pub fn verify(&self, request: &[u8], ticket: u64, now: Now) -> Step<Passage> {
        let received = Received::split(request);
        let request = received.request();
        self.step_within(ticket, now, |within| {
            match self.decide.verify(request.as_ref(), now, within) {
                Ok(token) => {
                    let (issuer, subject) = token.issuer_and_subject();
                    let told = vec![
                        ("issuer", issuer.to_owned()),
                        ("subject", subject.to_owned()),
                        ("principal", token.principal.to_string()),
                    ];
                    Step::Done(Passage { token, grant: None }, told)
                }
                Err(verdict) => self.undone(&Judgement::of(verdict), request.as_ref()),
            }
        })
    }

    /// Checks whether the policy allows the verified caller this request.
    #[must_use]
    pub fn permit(
        &self,
        passage: &Passage,
        request: &[u8],
        ticket: u64,
        now: Now,
    ) -> Step<Passage> {
        let received = Received::split(request);
        let request = received.request();
        self.step_within(ticket, now, |within| {
            let request = request.as_ref();
            let mut judgement = self.decide.permit(&passage.token, request, now, within);
            if let Some(request) = request {
                judgement = self.decide.without_rules(judgement, request);
            }
            let begun = self.begin(&mut judgement, request, now);
            let attached = begun.attached();
            let (Verdict::Allow(signer), Some(target)) = (&judgement.verdict, &judgement.target)
            else {
                return self.refused_after(&judgement, request, &attached);
            };
            self.count_decision(&judgement.verdict);
            let mut uri = String::new();
            judgement.write_path(&mut uri);
            let grant = Grant {
                bearer: signer.number(),
                call: begun.call.map(|mark| mark.number),
                target: SignedTarget {
                    method: request.map_or("", |request| request.method).to_owned(),
                    host: signer.host().to_owned(),
                    uri,
                    without: target.route.without,
                },
                location: target.location.to_owned(),
                audit: tail_of(&judgement, request),
                unavailable: self.unavailable(&judgement, request, &attached),
            };
            let told = self.granted(&judgement, request, &attached);
            let token = Arc::clone(&passage.token);
            Step::Done(Passage { token, grant: Some(grant) }, told)
        })
    }

    /// Google's credential for a request: that of its role, or the one called `name`. Without a
    /// role only a credential with `without_role` is used; then a refusal sets no variables, as the
    /// step that decided before has to say why.
    #[must_use]
    pub fn sign(&self, passage: Option<&Passage>, name: &str, now: Now) -> Step<Signed> {
        let grant = passage.and_then(|passage| passage.grant.as_ref());
        let call = grant.and_then(|grant| grant.call);
        if let Some(call) = call {
            self.calls.table.send(call, now.mono);
        }
        let Some((authorization, other)) = self.decide.sign(grant, name, now) else {
            return Step::Refused(grant.map(|grant| grant.unavailable.clone()).unwrap_or_default());
        };
        let mut told = Vec::new();
        if let Some(credential) = other {
            let identity = credential.google_identity();
            told.push(("credential", credential.name.clone()));
            told.push(("google_identity", identity.unwrap_or("-").to_owned()));
            if let Some(grant) = grant {
                let tail = log_tail::with_credential(&grant.audit, &credential.name, identity);
                if let Some(call) = call {
                    self.calls.table.tell(call, &tail);
                }
                told.push(("audit", tail));
            }
        }
        let target = grant.map(|grant| grant.target.clone());
        Step::Done(Signed { authorization, call, target }, told)
    }

    /// Runs a step for the request with this ticket, and ends the ticket once the step is done or
    /// refused.
    fn step_within<T>(
        &self,
        ticket: u64,
        now: Now,
        step: impl FnOnce((Monotonic, Patience)) -> Step<T>,
    ) -> Step<T> {
        let waiting = &self.decide.waiting;
        let Some(within) = waiting.news(ticket, self.decide.learnt(), now.mono) else {
            return Step::Wait;
        };
        let done = step(within);
        match &done {
            Step::Wait => {}
            Step::Needs(_) => waiting.again(ticket),
            Step::Refused(_) | Step::Done(..) => self.stop_waiting(ticket, now),
        }
        done
    }

    fn undone<T>(&self, judgement: &Judgement<'_>, request: Option<&Request<'_>>) -> Step<T> {
        let id = self.decide.ids.next();
        let attached = Attached { id: Some(id.as_str()), ..Attached::default() };
        self.refused_after(judgement, request, &attached)
    }

    fn refused_after<T>(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        attached: &Attached<'_>,
    ) -> Step<T> {
        match &judgement.verdict {
            Verdict::Wait(_) => Step::Wait,
            Verdict::NeedsClient => Step::Needs("peer"),
            Verdict::NeedsBody => Step::Needs("body"),
            verdict @ (Verdict::Allow(_)
            | Verdict::Answer(_)
            | Verdict::Deny(_)
            | Verdict::Exhausted(_)) => {
                self.count_decision(verdict);
                Step::Refused(self.refusal(judgement, request, attached))
            }
        }
    }

    fn refusal(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        attached: &Attached<'_>,
    ) -> Variables {
        let (verdict, accepted) = (&judgement.verdict, &self.decide.accepted);
        let dialect = request.map(Request::dialect).unwrap_or_default();
        let told = ToldRefusal::of(verdict, dialect, attached.id, accepted);
        vec![
            ("decision", verdict.word().to_owned()),
            ("status", told.status.code.to_string()),
            ("reason", told.reason.code().to_owned()),
            ("message", reply::message(verdict, accepted)),
            ("error", told.json_field().into_owned()),
            ("id", attached.id.unwrap_or("-").to_owned()),
            ("audit", tail_of(judgement, request)),
            ("verdict", self.text(judgement, request, attached)),
        ]
    }

    /// The variables of an allowed request for the case that no credential can sign it.
    fn unavailable(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        attached: &Attached<'_>,
    ) -> Variables {
        let verdict = Reason::CredentialUnavailable.into();
        self.refusal(&Judgement { verdict, ..judgement.clone() }, request, attached)
    }

    fn granted(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        attached: &Attached<'_>,
    ) -> Variables {
        let (audit, verdict) =
            (tail_of(judgement, request), self.text(judgement, request, attached));
        let told = [
            ("decision", Some("allow")),
            ("reason", Some("ok")),
            ("id", attached.id),
            ("audit", Some(audit.as_str())),
            ("verdict", Some(verdict.as_str())),
        ];
        told.into_iter()
            .chain(judgement.named())
            .filter_map(|(name, value)| Some((name, value?.to_owned())))
            .collect()
    }
}
