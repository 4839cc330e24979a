//! What a request will use, before its answer says so.

/// English text has about four bytes a token, most other languages less. JSON around it and images
/// in base64 have far more, so the estimate is rather too high than too low.
const BYTES_A_TOKEN: u64 = 4;

/// What a body counts that does not declare its length, in bytes: the packaged buffer. A caller
/// who hides the length shall not be cheaper than one who gives it.
const UNDECLARED_BYTES: u64 = 32_768;

/// The tokens to reserve for a request: its body as input, and as output what it allows itself, or
/// else what the role says. `content_length` in bytes, 0 where there is no body; `output_cap` in
/// tokens, over all answers that are asked for.
#[must_use]
pub fn estimate(content_length: Option<u64>, output_cap: Option<u64>, reserve_tokens: u64) -> u64 {
    let input = tokens_in(content_length.unwrap_or(UNDECLARED_BYTES));
    input.saturating_add(output_cap.unwrap_or(reserve_tokens))
}

/// The tokens that so many bytes of text make.
#[must_use]
pub const fn tokens_in(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_A_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_a_token_in_four_bytes_and_output_what_the_request_or_the_role_says() {
        assert_eq!(estimate(Some(0), None, 1024), 1024);
        assert_eq!(estimate(Some(1), None, 1024), 1025);
        assert_eq!(estimate(Some(4), Some(10), 1024), 11);
        assert_eq!(estimate(Some(5), Some(10), 1024), 12);
        assert_eq!(estimate(Some(4), Some(0), 1024), 1);
        assert_eq!(estimate(None, None, 1024), 8192 + 1024);
    }

    #[test]
    fn no_number_of_a_caller_wraps_around() {
        assert_eq!(estimate(Some(u64::MAX), Some(u64::MAX), 1), u64::MAX);
        assert_eq!(estimate(Some(8), Some(u64::MAX), 1), u64::MAX);
    }
}
