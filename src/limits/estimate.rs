//! Estimates the tokens that a request will use, before its answer reports them.

/// Bytes of text a token. English has about four, most other languages less, JSON around it far
/// more, so the estimate tends to be too high.
const BYTES_A_TOKEN: u64 = 4;

/// Bytes that a body of undeclared length counts as: the packaged buffer. A caller who hides the
/// length must not be cheaper than one who declares it.
const UNDECLARED_BYTES: u64 = 32_768;

/// The size of what a model reads of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The length of the body; `None` if undeclared.
    pub bytes: Option<u64>,
    /// Bytes of images, sounds and the like in the body, in base64.
    pub media_bytes: u64,
    /// Estimated tokens of those.
    pub media_tokens: u64,
}

impl Prompt {
    /// Estimated tokens. A body of undeclared length counts as `uploaded` bytes, once that is
    /// known.
    #[must_use]
    pub fn tokens(&self, uploaded: Option<u64>) -> u64 {
        let bytes = self.bytes.or(uploaded).unwrap_or(UNDECLARED_BYTES);
        tokens_in(bytes.saturating_sub(self.media_bytes)).saturating_add(self.media_tokens)
    }
}

/// Estimated tokens of this many bytes of text.
#[must_use]
pub const fn tokens_in(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_A_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(bytes: Option<u64>) -> Prompt {
        Prompt { bytes, ..Prompt::default() }
    }

    #[test]
    fn four_bytes_of_text_are_a_token_and_media_are_what_they_are() {
        for (bytes, tokens) in [(0, 0), (1, 1), (4, 1), (5, 2)] {
            assert_eq!(prompt(Some(bytes)).tokens(None), tokens);
        }
        let image = Prompt { media_bytes: 4000, media_tokens: 258, ..prompt(Some(4040)) };
        assert_eq!(image.tokens(None), 10 + 258);
    }

    #[test]
    fn a_body_of_undeclared_length_is_what_came_up_and_a_buffer_until_then() {
        assert_eq!(prompt(None).tokens(None), 8192);
        assert_eq!(prompt(None).tokens(Some(80_000_000)), 20_000_000);
        assert_eq!(prompt(Some(4)).tokens(Some(80_000_000)), 1);
    }

    #[test]
    fn no_number_of_a_caller_wraps_around() {
        let all = Prompt { bytes: Some(u64::MAX), media_bytes: 0, media_tokens: u64::MAX };
        assert_eq!(all.tokens(None), u64::MAX);
        assert_eq!(Prompt { bytes: Some(1), media_bytes: 2, media_tokens: 3 }.tokens(None), 3);
    }
}
