//! The end of a request, asked for by its log line: what its answer took is counted, and the line
//! gets its last fields.

use crate::gateway::Gateway;
use crate::gateway::calls::{Answer, Begun, Call, CallMark};
use crate::gateway::record::{Record, Style};
use crate::meter::{Counted, Usage};
use crate::time::{Monotonic, Now};

/// Between the parts of what HAProxy hands over; none of them can hold it but the first.
const SEPARATOR: char = '^';

/// Without a verdict there is still something for HAProxy's rules to begin with.
const START: char = '-';

/// What HAProxy knows of a request that has ended.
struct Ended<'t> {
    /// The last verdict.
    verdict: &'t str,
    /// An allow that could not be carried out.
    undone: &'t str,
    /// The status that Google answered with.
    upstream: Option<u16>,
    /// The status of the answer that left, if one did.
    status: Option<u16>,
    /// What `usage` said of a whole answer.
    whole: Option<(Monotonic, Usage)>,
}

impl<'t> Ended<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.strip_prefix(START)?.rsplitn(5, SEPARATOR);
        let mut part = || parts.next();
        let (whole, status, upstream, undone, verdict) =
            (part()?, part()?, part()?, part()?, part()?);
        let whole = whole.split_once(' ').and_then(|(millis, fields)| {
            Some((Monotonic(millis.parse().ok()?), Usage::parse_fields(fields)?))
        });
        Some(Self {
            verdict,
            undone,
            upstream: upstream.parse().ok(),
            status: status.parse().ok(),
            whole,
        })
    }

    /// Whether Google can have seen the call: HAProxy says 503 where no connection came about.
    fn may_have_arrived(&self, call: &Call) -> bool {
        call.sent.is_some() && (self.upstream.is_some() || self.status != Some(503))
    }
}

impl Gateway {
    /// What a JSON answer that is here as a whole says of its tokens, for [`Self::account`]; nothing
    /// if more of it is to come.
    #[must_use]
    pub fn usage(&self, body: &[u8], now: Now) -> Option<String> {
        let usage = crate::meter::whole(body)?;
        let mut text = format!("{} ", now.mono.0);
        usage.write_fields(&mut text);
        Some(text)
    }

    /// Ends the request whose line is being written: the fields at the end of the line.
    #[must_use]
    pub fn account(&self, text: &str, style: Style, now: Now) -> Option<String> {
        let mut ended = Ended::parse(text)?;
        let mark = CallMark::in_verdict(ended.verdict).or_else(|| CallMark::in_verdict(ended.undone));
        let call = mark.and_then(|mark| self.calls.end(mark.number));
        let record = match call {
            Some(call) => self.settled(&mut ended, call, now),
            None => Record::default(),
        };
        Some(record.render(ended.verdict, style))
    }

    fn settled(&self, ended: &mut Ended<'_>, call: Call, now: Now) -> Record {
        let whole = ended.whole.take();
        let first_byte = call.first_byte.or(whole.as_ref().map(|(at, _)| *at));
        let usage = usage_of(ended, &call, whole.map(|(_, usage)| usage));
        let charged = charge(ended, &call, &usage);
        Record {
            is_streamed: Some(call.begun.answer == Answer::Streamed),
            upstream: ended.upstream,
            is_aborted: ended.upstream.map(|_| !usage.is_complete),
            first_byte_millis: first_byte.zip(call.sent).map(|(at, sent)| at.millis_since(sent)),
            prompt_bytes: call.begun.prompt_bytes,
            reserved: Some(call.begun.estimate),
            charged: Some(charged),
            usage,
        }
    }
}

fn usage_of(ended: &Ended<'_>, call: &Call, whole: Option<Usage>) -> Usage {
    let read = || call.reader.as_ref().map(|reader| reader.usage().clone());
    let has_tokens = call.begun.answer != Answer::Unmetered
        && ended.may_have_arrived(call)
        && ended.upstream.is_none_or(|status| status < 400);
    whole.or_else(read).unwrap_or_else(|| Usage { is_complete: !has_tokens, ..Usage::default() })
}

/// The tokens that a call costs its limits: what the answer says or, where it does not, no less
/// than was expected.
fn charge(ended: &Ended<'_>, call: &Call, usage: &Usage) -> u64 {
    let Begun { answer, estimate, prompt_estimate, is_free, .. } = call.begun;
    let is_refused = ended.upstream.is_some_and(|status| status >= 400);
    let is_unmetered = answer == Answer::Unmetered;
    if is_free || is_refused || is_unmetered || !ended.may_have_arrived(call) {
        return 0;
    }
    match usage.quality() {
        Counted::Exact => usage.total.unwrap_or(0),
        Counted::AtLeast => estimate.max(usage.total.unwrap_or(0)),
        // A prompt that was blocked: Google says nothing of what reading it took.
        Counted::Nothing => prompt_estimate,
        Counted::Unknown => estimate,
    }
}
