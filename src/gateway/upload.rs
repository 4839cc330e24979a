//! Follows a body that is longer than HAProxy's buffer: each piece is read before it goes on, and the
//! last brace goes on only if a role allows the whole.

use std::sync::Arc;

use crate::error::{Reason, Refusal};
use crate::gateway::calls::table::{CallMark, MarkText};
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::reply::{Attached, VerdictText};
use crate::gateway::decide::request::{Received, Request};
use crate::gateway::decide::request_id::RequestId;
use crate::gateway::decide::upload::{Stage, Upload};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::waiting::Patience;
use crate::gateway::{Gateway, tail_of};
use crate::test_switches::{Check, on};
use crate::time::Now;
use crate::vertex::{Body, BodyEdit, BodyScanner};
use crate::watch::Signals;

/// Before the number of an upload in a verdict's text.
const MARK: u8 = b'u';

/// An upload's number, as a verdict names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UploadMark(pub(super) u64);

impl UploadMark {
    /// Reads a mark: `u17`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.strip_prefix(char::from(MARK))?.parse().ok().map(Self)
    }

    pub(super) fn text(self) -> MarkText {
        MarkText::new(MARK, self.0)
    }
}

/// What becomes of a piece of a body, and the verdict that is new with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// What is to be done with it.
    pub piece: Piece,
    /// The verdict in place of the former one.
    pub verdict: Option<String>,
    /// The status of a refusal.
    pub status: Option<u16>,
    /// What goes in its place.
    pub instead: Option<Vec<u8>>,
}

/// What is to be done with a piece of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// It goes on to Google.
    Goes,
    /// It is dropped; the refusal follows when all has come.
    Dropped,
    /// The request ends now.
    Ends,
}

impl Passed {
    const fn of(piece: Piece) -> Self {
        Self { piece, verdict: None, status: None, instead: None }
    }
}

impl Gateway {
    /// Keeps a request whose head is allowed. Returns its mark.
    pub(super) fn begin_upload(
        &self,
        judgement: &Judgement<'_>,
        request: &Request<'_>,
        (id, signals): (RequestId, Signals),
        now: Now,
    ) -> Option<MarkText> {
        let Judgement {
            verdict: Verdict::Allow(signer), token: Some(token), role: Some(role), ..
        } = judgement
        else {
            return None;
        };
        let number = self.calls.table.number();
        let edit = request.edit_for(judgement.target.as_ref());
        let scanner = edit.as_ref().map_or_else(BodyScanner::new, BodyEdit::scanner);
        let upload = Upload {
            head: request.head_without_token(),
            token: Arc::clone(token),
            id,
            role: role.place,
            edit,
            length: request.body_bytes(),
            bearer: signer.number(),
            signals,
            tail: tail_of(judgement, Some(request)),
            stage: Stage::Reading(Box::new(scanner)),
            bytes: 0,
            began: now.mono,
            sent: None,
            heard: now.mono,
        };
        self.decide.uploads.put(number, upload);
        Some(UploadMark(number).text())
    }

    /// The number of the upload of a verdict whose body is to be read as it passes, and the body's new
    /// length if it is known and will be another.
    #[must_use]
    pub fn upload(&self, verdict: &str) -> Option<(u64, Option<u64>)> {
        let UploadMark(number) = VerdictText::of(verdict).call().and_then(UploadMark::parse)?;
        self.decide.uploads.with(number, |upload| {
            let length = upload.edit.as_ref().zip(upload.length);
            (number, length.and_then(|(edit, before)| edit.length(before)))
        })
    }

    /// Reads the next piece of a body, before it goes on.
    #[must_use]
    pub fn pass(&self, number: u64, piece: &[u8], now: Now) -> Passed {
        let Some(mut upload) = self.decide.uploads.take(number) else {
            return Passed::of(Piece::Ends);
        };
        let came = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let instead = upload.edit.as_ref().and_then(|edit| edit.apply(upload.bytes, piece));
        upload.heard = now.mono;
        upload.bytes = upload.bytes.saturating_add(came);
        let passed = match &mut upload.stage {
            Stage::Reading(scanner) => match scanner.push(piece) {
                Ok(()) if !scanner.is_closed() => Passed::of(Piece::Goes),
                Ok(()) => self.decide_upload(number, &mut upload, now),
                Err(reason) => self.refuse_upload(&mut upload, reason.into(), now),
            },
            Stage::Allowed if is_blank(piece) => Passed::of(Piece::Goes),
            Stage::Allowed => {
                self.calls.withdraw(number, upload.id.as_str(), now);
                self.refuse_upload(&mut upload, Reason::BodyNotJson.into(), now)
            }
            Stage::Refused { at, dropped } => {
                *dropped = dropped.saturating_add(came);
                match Stage::drops(*at, *dropped, now.mono) {
                    true => Passed::of(Piece::Dropped),
                    false => Passed::of(Piece::Ends),
                }
            }
        };
        self.decide.uploads.put(number, upload);
        Passed { instead: instead.filter(|_| passed.piece == Piece::Goes), ..passed }
    }

    /// Ends a body: what has not been allowed is refused.
    #[must_use]
    pub fn end_body(&self, number: u64, now: Now) -> Passed {
        let Some(mut upload) = self.decide.uploads.take(number) else {
            return Passed::of(Piece::Ends);
        };
        match upload.stage {
            Stage::Allowed => Passed::of(Piece::Goes),
            Stage::Refused { .. } => Passed::of(Piece::Ends),
            Stage::Reading(_) if !on(Check::BodyEnds) => Passed::of(Piece::Goes),
            Stage::Reading(_) => {
                let refused = self.refuse_upload(&mut upload, Reason::BodyNotJson.into(), now);
                Passed { piece: Piece::Ends, ..refused }
            }
        }
    }

    /// Decides on a body that is complete.
    fn decide_upload(&self, number: u64, upload: &mut Upload, now: Now) -> Passed {
        let stage = std::mem::replace(&mut upload.stage, Stage::Allowed);
        let Stage::Reading(scanner) = stage else {
            return self.refuse_upload(upload, Reason::Internal.into(), now);
        };
        match BodyScanner::finish(*scanner) {
            Ok(body) => self.judge_upload(number, upload, body, now),
            Err(reason) => self.refuse_upload(upload, reason.into(), now),
        }
    }

    fn judge_upload(&self, number: u64, upload: &mut Upload, body: Body, now: Now) -> Passed {
        let received = Received::split(upload.head.as_bytes());
        let Some(request) = received.request() else {
            return Passed::of(Piece::Ends);
        };
        let request = request.with_body(body, upload.bytes);
        let token = Arc::clone(&upload.token);
        let mut judgement = self.decide.judge_passed(&request, token, upload.role, now);
        judgement.verdict = judgement.verdict.within(Patience::Spent);
        let mut call = None;
        if let Verdict::Allow(signer) = judgement.verdict {
            let asked_as = (&upload.id, signer);
            let begun = self.begin_call(&judgement, Some(&request), asked_as, Some(number), now);
            match begun {
                Ok(mark) => call = mark,
                Err(refusal) => judgement.verdict = refusal,
            }
        }
        let passed = self.told(&judgement, &request, upload, call);
        if let (Some(sent), Piece::Goes) = (upload.sent, passed.piece) {
            self.calls.table.send(number, sent);
        }
        upload.stage = match passed.piece {
            Piece::Goes => Stage::Allowed,
            Piece::Dropped | Piece::Ends => Stage::Refused { at: now.mono, dropped: 0 },
        };
        passed
    }

    fn refuse_upload(&self, upload: &mut Upload, refusal: Refusal, now: Now) -> Passed {
        upload.stage = Stage::Refused { at: now.mono, dropped: 0 };
        let received = Received::split(upload.head.as_bytes());
        let Some(request) = received.request() else {
            return Passed::of(Piece::Ends);
        };
        let judgement = Judgement::refused(&request, Arc::clone(&upload.token), refusal);
        self.told(&judgement, &request, upload, None)
    }

    /// The new verdict on an upload.
    fn told(
        &self,
        judgement: &Judgement<'_>,
        request: &Request<'_>,
        upload: &Upload,
        call: Option<CallMark>,
    ) -> Passed {
        self.count_decision(&judgement.verdict);
        let mark = call.map(CallMark::text);
        let attached = Attached {
            id: Some(upload.id.as_str()),
            call: mark.as_ref().map(MarkText::as_str),
            labels: None,
            signals: upload.signals,
        };
        let verdict = self.text(judgement, Some(request), &attached);
        let status = judgement.verdict.reason().map(|reason| reason.status().code);
        let piece = if status.is_none() { Piece::Goes } else { Piece::Dropped };
        Passed { piece, verdict: Some(verdict), status, instead: None }
    }

    /// Forgets an upload; most requests are none.
    pub(super) fn end_upload(&self, number: Option<u64>) {
        if self.decide.uploads.len() > 0
            && let Some(number) = number
        {
            self.decide.uploads.take(number);
        }
    }
}

/// Whether a piece may follow a body that was allowed.
fn is_blank(piece: &[u8]) -> bool {
    piece.iter().all(u8::is_ascii_whitespace) || !on(Check::BehindBody)
}
