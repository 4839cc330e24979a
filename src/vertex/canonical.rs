//! Accepts only one spelling of a path, as Google does not document how its front end reads others.

use std::borrow::Cow;

use crate::error::Reason;
use crate::vertex::alphabet::Alphabet;

/// The path with `@` for `%40`, the one escape that client libraries write, in a model's version.
#[must_use]
pub fn respell(url: &str) -> Cow<'_, str> {
    let (path, rest) = url.split_at(url.find('?').unwrap_or(url.len()));
    match path.contains("%40") {
        true => Cow::Owned(path.replace("%40", "@") + rest),
        false => Cow::Borrowed(url),
    }
}

/// Refuses what is encoded, empty or dot segments, path parameters.
pub(super) fn check(path: &str) -> Result<(), Reason> {
    let rest = path.strip_prefix('/').ok_or(Reason::UrlNotCanonical)?;
    let (mut length, mut only_dots) = (0_usize, true);
    for byte in rest.bytes().chain([b'/']) {
        match byte {
            b'/' if length == 0 || (only_dots && length <= 2) => {
                return Err(Reason::UrlNotCanonical);
            }
            b'/' => (length, only_dots) = (0, true),
            _ if Alphabet::Path.has(byte) => {
                (length, only_dots) = (length + 1, only_dots && byte == b'.')
            }
            _ => return Err(Reason::UrlNotCanonical),
        }
    }
    Ok(())
}
