//! The size of HAProxy's buffer: a body that is read has to fit it, with the head before it.

use crate::error::{Reason, Refusal};
use crate::gateway::decide::request::Request;
use crate::haproxy::Haproxy;

/// Most bytes that HAProxy itself takes of the buffer for the fields of a head.
const OVERHEAD_BYTES: u64 = 2048;

/// The buffer's size, and the settings that it follows from.
#[derive(Debug)]
pub(in crate::gateway) struct Buffer {
    room: u64,
    /// A body of more bytes is never here as a whole; it is read as it passes.
    longest: Option<u64>,
    setting: &'static str,
}

impl Buffer {
    pub(in crate::gateway) fn of(haproxy: &Haproxy) -> Self {
        let bytes = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        let room = bytes(haproxy.bufsize.saturating_sub(haproxy.maxrewrite));
        let longest = haproxy.large_bufsize.map_or(room, bytes).max(room);
        let longest = (!haproxy.is_bare).then_some(longest);
        let setting = if haproxy.is_bare { "tune.bufsize" } else { "VERTEX_BUFSIZE" };
        Self { room, longest, setting }
    }

    /// Whether a body is too long for the buffer, as its head tells, and comes without being asked for.
    pub(in crate::gateway) fn is_exceeded(&self, request: &Request<'_>) -> bool {
        let is_longer = |longest| request.body_bytes().is_some_and(|declared| declared > longest);
        !request.expects_continue && self.longest.is_some_and(is_longer)
    }

    /// The refusal of a body that would fit and did not come.
    pub(in crate::gateway) fn incomplete(&self, request: &Request<'_>) -> Option<Refusal> {
        let (head, came) = request.bytes_that_came();
        let declared = request.body_bytes()?;
        let fits = declared.saturating_add(head).saturating_add(OVERHEAD_BYTES) <= self.room;
        let detail = format!("of {declared} bytes {came} came");
        fits.then(|| Refusal::detailed(Reason::RequestIncomplete, &detail))
    }

    /// The refusal of a body that has to be here as a whole, and is not.
    pub(in crate::gateway) fn too_large(&self, request: &Request<'_>) -> Refusal {
        let Self { room, setting, .. } = self;
        if request.holds_nul() {
            return Refusal::detailed(Reason::BodyNotJson, "it holds a NUL");
        }
        let size = match request.body_bytes() {
            Some(declared) => format!("it has {declared} bytes"),
            None => "it declares no length".to_owned(),
        };
        let detail = format!(
            "{size}, and with the headers {room} fit; {setting} raises that, and the rules of \
             vertex.cfg read longer ones as they pass"
        );
        Refusal::detailed(Reason::BodyTooLargeToCheck, &detail)
    }
}
