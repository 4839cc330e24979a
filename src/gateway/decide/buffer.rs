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
    setting: &'static str,
}

impl Buffer {
    pub(in crate::gateway) fn of(haproxy: &Haproxy) -> Self {
        let room = haproxy.bufsize.saturating_sub(haproxy.maxrewrite);
        let setting = if haproxy.is_bare { "tune.bufsize" } else { "VERTEX_BUFSIZE" };
        Self { room: u64::try_from(room).unwrap_or(u64::MAX), setting }
    }

    /// Most bytes that a body and its head may take together.
    pub(in crate::gateway) fn room(&self) -> u64 {
        self.room
    }

    /// The refusal of a body that could not be read: it is too large, does not declare its length,
    /// or did not come. A role that leaves bodies unread does not help if the body names the model.
    pub(in crate::gateway) fn refusal(&self, request: &Request<'_>, names_model: bool) -> Refusal {
        let Self { room, setting } = self;
        let (head, came) = request.bytes_that_came();
        if request.holds_nul() {
            return Refusal::detailed(Reason::BodyNotJson, "it holds a NUL");
        }
        let detail = match request.body_bytes() {
            None => "it declares none; send Content-Length".to_owned(),
            Some(declared)
                if declared.saturating_add(head).saturating_add(OVERHEAD_BYTES) <= *room =>
            {
                let detail = format!("of {declared} bytes {came} came");
                return Refusal::detailed(Reason::RequestIncomplete, &detail);
            }
            Some(declared) => {
                let unread = match names_model {
                    true => "",
                    false => ", \"body\": \"unread\" in a role does without",
                };
                format!(
                    "it has {declared} bytes, and with the headers {room} fit; {setting} raises \
                     that{unread}"
                )
            }
        };
        Refusal::detailed(Reason::BodyTooLargeToCheck, &detail)
    }
}
