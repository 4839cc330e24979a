//! Finds where a member of a body's outermost object stands.

use std::ops::Range;

use crate::vertex::body::syntax::{Event, Syntax};
use crate::vertex::body::text::Purpose;

/// The bytes of a member's name and of its text, each with its quotes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::vertex) struct Member {
    pub(in crate::vertex) name: Range<usize>,
    pub(in crate::vertex) value: Range<usize>,
}

/// The member `wanted` of the outermost object, if it is a text and stands in `bytes`, where a body
/// begins.
pub(in crate::vertex) fn member_of_root(bytes: &[u8], wanted: &[u8]) -> Option<Member> {
    let mut syntax = Syntax::new();
    let mut rest = bytes;
    let mut depth = 0_u32;
    let mut found = None;
    loop {
        let before = bytes.len().checked_sub(rest.len())?;
        let event = syntax.next(&mut rest, Purpose::Skip).ok()??;
        // Behind it the reader may have taken a colon or a comma, too.
        let taken = bytes.get(before..bytes.len().checked_sub(rest.len())?)?;
        let quoted = || {
            let start = memchr::memchr(b'"', taken)?;
            let end = memchr::memrchr(b'"', taken)?.checked_add(1)?;
            Some(before.checked_add(start)?..before.checked_add(end)?)
        };
        match event {
            Event::ObjectBegin | Event::ArrayBegin => depth = depth.checked_add(1)?,
            Event::ObjectEnd | Event::ArrayEnd => depth = depth.checked_sub(1)?,
            Event::Name(name) if depth == 1 && name == wanted => found = Some(quoted()?),
            Event::Text(_) if depth == 1 && found.is_some() => {
                return Some(Member { name: found?, value: quoted()? });
            }
            Event::Name(_) if depth == 1 => found = None,
            _ => {}
        }
    }
}
