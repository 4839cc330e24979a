//! One answer, or one event of a stream, while it is read. Nothing in it holds before its end: its
//! type may stand after its counts, and of a repeated member the last one counts.

use crate::meter::counts::{Counts, Iteration};
use crate::meter::member::Member;

/// The meaning of an event for its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EventType {
    #[default]
    Any,
    /// The last event.
    End,
    /// The stream broke.
    Error,
    /// Google's addition to Claude's streams, which restates counts in another way.
    VertexEvent,
}

impl EventType {
    pub(super) const fn of(name: &[u8]) -> Self {
        match name {
            b"message_stop"
            | b"response.completed"
            | b"response.incomplete"
            | b"response.failed"
            | b"interaction.completed"
            | b"interaction.complete" => Self::End,
            b"error" => Self::Error,
            b"vertex_event" => Self::VertexEvent,
            _ => Self::Any,
        }
    }
}

/// How specific the name of an error is; the most specific one is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ErrorName {
    /// No name.
    Unnamed,
    /// A number, or a vendor's code.
    Code,
    /// A vendor's type.
    Type,
    /// The name of a google.rpc code.
    Status,
}

/// The candidate being read.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    index: u64,
    has_finished: bool,
}

/// The prediction being read.
#[derive(Clone, Copy, Debug, Default)]
struct Prediction {
    tokens: Option<u64>,
    has_media: bool,
    is_other_media: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Event {
    pub(super) counts: Counts,
    /// Whether a usage object was read to its end.
    pub(super) has_counts: bool,
    iteration: Iteration,
    /// The count of `countTokens`.
    pub(super) counted: Option<u64>,
    /// The sum of the predictions' `token_count`.
    pub(super) embedded: Option<u64>,
    pub(super) images: u64,
    pub(super) event_type: EventType,
    pub(super) has_generated: bool,
    pub(super) has_finish: bool,
    pub(super) is_blocked: bool,
    pub(super) error: Option<ErrorName>,
    /// Bit sets of the candidates in it, and of those that end in it.
    pub(super) candidates: u64,
    pub(super) finished: u64,
    candidate: Candidate,
    prediction: Prediction,
    is_image: bool,
}

impl Event {
    /// Begins a value: forgets an earlier one at the same place.
    pub(super) fn begin(&mut self, place: Member) {
        match place {
            Member::Usage => self.counts = Counts::default(),
            Member::Counted(count) => self.counts.set(count, None),
            Member::InputDetails => self.counts.forget_input_details(),
            Member::OutputDetails => self.counts.forget_output_details(),
            Member::Iterations => self.counts.forget_iterations(),
            Member::Iteration => self.iteration = Iteration::default(),
            Member::CountedOf(count) => self.iteration.set(count, None),
            Member::CountTokens => self.counted = None,
            Member::Predictions => (self.embedded, self.images) = (None, 0),
            Member::Prediction => self.prediction = Prediction::default(),
            Member::Embeddings | Member::Statistics | Member::TokenCount => {
                self.prediction.tokens = None;
            }
            Member::Candidates => (self.candidates, self.finished, self.images) = (0, 0, 0),
            Member::Candidate => self.candidate = Candidate::default(),
            Member::InlineData => self.is_image = false,
            _ => {}
        }
    }

    /// Ends an object or array.
    pub(super) fn end(&mut self, place: Member) {
        match place {
            Member::Usage => self.has_counts = true,
            Member::Iteration => self.counts.add(&self.iteration),
            Member::Prediction => {
                let Prediction { tokens, has_media, is_other_media } = self.prediction;
                if let Some(tokens) = tokens {
                    self.embedded = Some(self.embedded.unwrap_or(0).saturating_add(tokens));
                }
                self.images += u64::from(has_media && !is_other_media);
            }
            Member::InlineData => self.images += u64::from(self.is_image),
            Member::Candidate => {
                // A request asks for eight at most; those beyond 64 share a bit.
                let bit = 1 << self.candidate.index.min(63);
                self.candidates |= bit;
                if self.candidate.has_finished {
                    self.finished |= bit;
                }
            }
            _ => {}
        }
    }

    /// Takes a count.
    pub(super) fn number(&mut self, place: Member, number: Option<u64>) {
        match place {
            Member::Counted(count) => self.counts.say(count, number),
            Member::CountedOf(count) => self.iteration.set(count, number),
            Member::CountTokens => self.counted = number,
            Member::TokenCount => self.prediction.tokens = number,
            Member::CandidateIndex => self.candidate.index = number.unwrap_or(0),
            _ => {}
        }
    }

    /// Takes the media type of an inline part or of a prediction.
    pub(super) fn media_type(&mut self, place: Member, text: &[u8]) {
        let is_image = text.starts_with(b"image/");
        match place {
            Member::InlineType => self.is_image = is_image,
            _ => self.prediction.is_other_media = !is_image,
        }
    }

    /// Notes generated content in a prediction.
    pub(super) const fn media(&mut self) {
        self.prediction.has_media = true;
    }

    /// Notes that a candidate reports why it ended.
    pub(super) const fn candidate_ends(&mut self) {
        self.candidate.has_finished = true;
    }

    /// Whether a name of an error is more specific than the known one.
    pub(super) fn names_error(&mut self, name: ErrorName) -> bool {
        let is_better = self.error.is_none_or(|known| known <= name);
        if is_better {
            self.error = Some(name);
        }
        is_better
    }
}
