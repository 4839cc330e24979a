//! The usage of an answer while it is read: what its events have said so far.

use crate::meter::counts::{self, Counts};
use crate::meter::event::{ErrorName, Event, EventType};
use crate::meter::log_text::LogText;
use crate::meter::member::Member;
use crate::meter::names;
use crate::meter::traffic_type::TrafficType;
use crate::meter::usage::{Counted, Usage};

/// The type of a JSON value, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonType {
    Object,
    Array,
    String,
    Other,
}

/// Builds a [`Usage`] from an answer while it is read. Its texts are written as they come, its
/// counts when it is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct UsageBuilder {
    usage: Usage,
    counts: Counts,
    counted: Option<u64>,
    embedded: Option<u64>,
    images: u64,
    /// Bytes of generated text.
    generated: u64,
    /// Bit sets of the candidates that came, and of those that ended.
    candidates: u64,
    finished: u64,
    /// Number of candidates that must come; 0 and 1 are the same, as there always is one.
    wanted: u64,
    has_ended: bool,
    /// Whether it comes in events, each of which may report counts.
    is_stream: bool,
    /// Whether its events are separate: a broken one leaves the others intact.
    has_lines: bool,
    /// Whether the counts were reported while the answer was still written.
    is_interim: bool,
    /// Whether something was generated after the counts were reported.
    has_uncounted: bool,
    event: Event,
}

impl UsageBuilder {
    /// The usage known so far, including the open event if that cannot change any more.
    pub(super) fn usage(&self, is_complete: bool) -> Usage {
        let known = self.with_open_event();
        let usage = Usage { is_complete, ..known.usage };
        let counted = known.counted_in(&known.counts, usage);
        let counted = counted.judged(known.has_last_word());
        // Interim counts are no lower bound yet.
        let counts = match counted {
            Counted::AtLeast if known.is_interim => known.counts.without_output(),
            _ => known.counts,
        };
        Usage { counted, ..known.counted_in(&counts, usage) }
    }

    /// All tokens, as the API last reported, whatever follows.
    pub(super) fn total(&self) -> Option<u64> {
        let known = self.with_open_event();
        known.counted_in(&known.counts, Usage::default()).total
    }

    /// Whether the counts are valid and those of the whole answer.
    const fn has_last_word(&self) -> bool {
        !self.has_uncounted && !self.is_interim && !self.counts.has_nonsense()
    }

    fn counted_in(&self, counts: &Counts, mut usage: Usage) -> Usage {
        counts.write_to(&mut usage);
        usage.input = usage.input.or(self.embedded).or(self.counted);
        usage.total = usage.total.or(self.embedded);
        usage.images = (self.images > 0).then_some(self.images);
        usage
    }

    fn with_open_event(&self) -> Self {
        let mut known = self.clone();
        match self.has_lines {
            true => known.drop_event(),
            false => {
                if !self.event.has_counts {
                    known.event.counts = Counts::default();
                }
                known.take_event();
            }
        }
        known
    }

    /// Bytes of generated text read so far.
    pub(super) const fn generated(&self) -> u64 {
        self.generated
    }

    /// A builder for an answer of this many candidates, in lines or not.
    pub(super) fn of(candidates: u64, has_lines: bool) -> Self {
        let wanted = candidates.min(u64::BITS.into());
        Self { wanted, has_lines, is_stream: has_lines, ..Self::default() }
    }

    /// Whether a stream's last event came. Google's own streams mark none: theirs is the event in
    /// which the last candidate ends.
    pub(super) fn has_ended(&self) -> bool {
        let are_all_here = u64::from(self.candidates.count_ones()) >= self.wanted.max(1);
        self.has_ended || (are_all_here && self.candidates & !self.finished == 0)
    }

    /// Notes the end of a stream.
    pub(super) const fn end_stream(&mut self) {
        self.has_ended = true;
    }

    /// Sets whether the event's name is `error`.
    pub(super) const fn is_error(&mut self, is_error: bool) {
        self.event.event_type = if is_error { EventType::Error } else { EventType::Any };
    }

    /// Drops an event whose JSON is incomplete: its counts do not hold, but its generated text
    /// counts.
    pub(super) fn drop_event(&mut self) {
        self.take_generated();
        self.event = Event::default();
    }

    fn take_generated(&mut self) {
        self.usage.parts += u64::from(self.event.has_generated);
        self.has_uncounted |= self.event.has_generated;
    }

    /// Begins a value at a place that is read.
    pub(super) fn begin(&mut self, place: Member, kind: JsonType) {
        self.event.begin(place);
        match (place, kind) {
            (Member::Top, JsonType::Array) => self.is_stream = true,
            (Member::Generated, JsonType::Object)
            | (Member::GeneratedItem | Member::InlineData, _) => {
                self.event.has_generated = true;
            }
            (Member::Error, JsonType::Object | JsonType::String) => {
                self.event.error = None;
                self.name_error(ErrorName::Unnamed, b"UNKNOWN", false);
            }
            (Member::Media, JsonType::String) => self.event.media(),
            _ => {}
        }
    }

    /// Ends an object or array.
    pub(super) fn end(&mut self, place: Member) {
        self.event.end(place);
        if place == Member::Answer {
            self.take_event();
        }
    }

    /// Takes a string of this many bytes whose text is not needed.
    pub(super) const fn text(&mut self, place: Member, bytes: u64) {
        if matches!(place, Member::Generated | Member::Delta) {
            self.event.has_generated = true;
            self.generated = self.generated.saturating_add(bytes);
        }
    }

    /// Takes a number.
    pub(super) fn number(&mut self, place: Member, digits: &[u8]) {
        match place {
            Member::FinishReason => self.string(place, names::finish_reason(digits), false),
            Member::BlockReason => self.string(place, names::blocked_reason(digits), false),
            Member::TrafficType => self.string(place, names::traffic_type(digits), false),
            Member::ErrorCode => self.string(place, digits, false),
            _ => self.event.number(place, counts::parse(digits)),
        }
    }

    /// Takes a string; `is_cut` tells that it was longer.
    pub(super) fn string(&mut self, place: Member, text: &[u8], is_cut: bool) {
        match place {
            Member::EventType if !is_cut => match EventType::of(text) {
                EventType::Any => {}
                known => self.event.event_type = known,
            },
            Member::EventCode if self.event.event_type == EventType::Error => {
                self.name_error(ErrorName::Code, text, is_cut);
            }
            Member::InlineType | Member::MediaType => self.event.media_type(place, text),
            Member::FinishReason => {
                self.event.candidate_ends();
                self.finish(text, is_cut);
            }
            Member::StopReason => self.finish(text, is_cut),
            Member::Status if !self.event.has_finish => set(&mut self.usage.finish, text, is_cut),
            Member::BlockReason => {
                self.event.is_blocked = true;
                set(&mut self.usage.block, text, is_cut);
            }
            Member::Id => set(&mut self.usage.response_id, text, is_cut),
            Member::RequestId if self.usage.response_id.is_none() => {
                set(&mut self.usage.response_id, text, is_cut);
            }
            Member::Model => set(&mut self.usage.model_version, text, is_cut),
            Member::TrafficType if !is_cut => {
                self.usage.traffic = TrafficType::new(text).or(self.usage.traffic);
            }
            Member::TrafficType => {}
            Member::ErrorStatus => self.name_error(ErrorName::Status, text, is_cut),
            Member::ErrorType => self.name_error(ErrorName::Type, text, is_cut),
            Member::ErrorCode => self.name_error(ErrorName::Code, text, is_cut),
            // Google's JSON writes 64-bit integers as strings.
            _ if !is_cut => self.event.number(place, counts::parse(text)),
            _ => {}
        }
    }

    fn finish(&mut self, text: &[u8], is_cut: bool) {
        self.event.has_finish = true;
        set(&mut self.usage.finish, text, is_cut);
    }

    fn name_error(&mut self, name: ErrorName, text: &[u8], is_cut: bool) {
        if !text.is_empty() && self.event.names_error(name) {
            set(&mut self.usage.error, text, is_cut);
        }
    }

    /// Ends the event: what it reports holds.
    fn take_event(&mut self) {
        if self.event.event_type == EventType::Error && self.event.error.is_none() {
            self.name_error(ErrorName::Unnamed, b"UNKNOWN", false);
        }
        self.take_generated();
        let event = &self.event;
        if event.event_type != EventType::VertexEvent && event.counts.is_any() {
            self.counts.update(&event.counts);
            self.has_uncounted = false;
            let is_last = self.usage.finish.is_some() || event.event_type == EventType::End;
            let says_all = event.counts.says_output() || self.usage.parts == 0;
            self.is_interim = self.is_stream && !(is_last && says_all);
        }
        self.counted = event.counted.or(self.counted);
        self.embedded = event.embedded.or(self.embedded);
        self.images = self.images.saturating_add(event.images);
        self.candidates |= event.candidates;
        self.finished |= event.finished;
        let is_last = event.event_type == EventType::End || event.is_blocked;
        self.has_ended |= is_last || event.error.is_some();
        self.event = Event::default();
    }
}

fn set(place: &mut Option<LogText>, text: &[u8], is_cut: bool) {
    *place = LogText::new(text, is_cut).or(*place);
}
