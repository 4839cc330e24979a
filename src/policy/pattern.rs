//! Patterns with `*` and nothing else: anchored, `*` does not cross `/`, cost bounded by the
//! product of two short lengths. The pattern `*` alone means everything.

use std::fmt;

/// A checked pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Everything,
    /// Without a star: most patterns, compared at once.
    Exactly(Box<str>),
    Starred(Box<str>),
}

impl Pattern {
    /// Reads a pattern; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(match text {
            "*" => Kind::Everything,
            _ if text.contains('*') => Kind::Starred(text.into()),
            _ => Kind::Exactly(text.into()),
        })
    }

    /// The text without stars, where there are none.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match &self.0 {
            Kind::Exactly(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Everything => true,
            Kind::Exactly(own) => own.as_ref() == text,
            Kind::Starred(own) => starred(own.as_bytes(), text.as_bytes()),
        }
    }

    /// Whether `first/second` matches; neither holds a `/`.
    #[must_use]
    pub fn matches_pair(&self, first: &str, second: &str) -> bool {
        let halves = |own: &str, matches: fn(&[u8], &[u8]) -> bool| {
            own.split_once('/').is_some_and(|(own_first, own_second)| {
                matches(own_first.as_bytes(), first.as_bytes())
                    && matches(own_second.as_bytes(), second.as_bytes())
            })
        };
        match &self.0 {
            Kind::Everything => true,
            Kind::Exactly(own) => halves(own, |a, b| a == b),
            Kind::Starred(own) => halves(own, starred),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Everything => f.write_str("*"),
            Kind::Exactly(text) | Kind::Starred(text) => f.write_str(text),
        }
    }
}

/// Greedy matching that goes back to the latest star only.
fn starred(mut pattern: &[u8], mut text: &[u8]) -> bool {
    let mut latest_star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', after)), _) => {
                latest_star = Some((after, text));
                pattern = after;
            }
            (Some((p, pattern_rest)), Some((t, text_rest))) if p == t => {
                (pattern, text) = (pattern_rest, text_rest);
            }
            (None, None) => return true,
            _ => {
                let Some((after, from)) = latest_star else {
                    return false;
                };
                // The star takes one byte more.
                let Some((taken, rest)) = from.split_first() else {
                    return false;
                };
                if *taken == b'/' {
                    return false;
                }
                latest_star = Some((after, rest));
                (pattern, text) = (after, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Slow and obvious: a star is nothing, or one byte and a star.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => {
                naive(rest, text)
                    || matches!(text, [t, text_rest @ ..] if *t != b'/' && naive(pattern, text_rest))
            }
            ([p, rest @ ..], [t, text_rest @ ..]) => p == t && naive(rest, text_rest),
            ([], []) => true,
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_matcher(pattern in "[ab/*]{0,8}", text in "[ab/]{0,10}") {
            let expected = pattern == "*" || naive(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), expected);
        }

        #[test]
        fn a_pair_matches_as_its_text_does(pattern in "[ab*]{0,5}/[ab*]{0,5}", first in "[ab]{0,5}", second in "[ab]{0,5}") {
            let pattern = Pattern::new(&pattern);
            prop_assert_eq!(pattern.matches_pair(&first, &second), pattern.matches(&format!("{first}/{second}")));
        }
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        let gemini = Pattern::new("google/gemini-2.5-*");
        assert!(gemini.matches_pair("google", "gemini-2.5-flash"));
        assert!(!gemini.matches_pair("google", "gemini-3-flash"));
        assert!(!Pattern::new("goo*").matches_pair("google", "gemini"));
        assert!(Pattern::new("*").matches_pair("meta", "llama"));
    }
}
