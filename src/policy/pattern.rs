//! Patterns with `*` and nothing else: anchored, `*` does not cross `/`, cost bounded by the
//! product of two short lengths. The pattern `*` alone means everything.

use std::fmt;

use crate::json::fold_name;

/// A checked pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(PatternKind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternKind {
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
            "*" => PatternKind::Everything,
            _ if text.contains('*') => PatternKind::Starred(text.into()),
            _ => PatternKind::Exactly(text.into()),
        })
    }

    /// Reads a pattern whose star stays within its segment even when it stands alone.
    #[must_use]
    pub fn of_segments(text: &str) -> Self {
        match text.contains('*') {
            true => Self(PatternKind::Starred(text.into())),
            false => Self(PatternKind::Exactly(text.into())),
        }
    }

    /// Reads a pattern for the folded names of tools.
    #[must_use]
    pub fn of_tool(text: &str) -> Self {
        Self::new(&fold_name(text))
    }

    /// The text without stars, where there are none.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match &self.0 {
            PatternKind::Exactly(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            PatternKind::Everything => true,
            PatternKind::Exactly(own) => own.as_ref() == text,
            PatternKind::Starred(own) => starred(own.as_bytes(), text.as_bytes()),
        }
    }

    /// Whether some text matches both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (PatternKind::Everything, _) | (_, PatternKind::Everything) => true,
            (_, PatternKind::Exactly(text)) => self.matches(text),
            (PatternKind::Exactly(text), _) => other.matches(text),
            (PatternKind::Starred(one), PatternKind::Starred(two)) => {
                meet(one.as_bytes(), two.as_bytes())
            }
        }
    }

    /// Whether all that matches `other` matches this; no for some pairs of patterns with stars for
    /// which it is so.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (PatternKind::Everything, _) => true,
            (_, PatternKind::Everything) => false,
            // A star of the other is covered where a star of this one takes it.
            (_, PatternKind::Exactly(text) | PatternKind::Starred(text)) => self.matches(text),
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
            PatternKind::Everything => true,
            PatternKind::Exactly(own) => halves(own, |a, b| a == b),
            PatternKind::Starred(own) => halves(own, starred),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            PatternKind::Everything => f.write_str("*"),
            PatternKind::Exactly(text) | PatternKind::Starred(text) => f.write_str(text),
        }
    }
}

/// Whether two patterns with stars have a text in common: what is left of both, tried pair by
/// pair, each once.
fn meet(one: &[u8], two: &[u8]) -> bool {
    let width = two.len() + 1;
    let mut tried = vec![false; (one.len() + 1) * width];
    let mut todo = vec![(one, two)];
    while let Some((one, two)) = todo.pop() {
        let pair = tried.get_mut(one.len() * width + two.len());
        if pair.is_none_or(|tried| std::mem::replace(tried, true)) {
            continue;
        }
        match (one.split_first(), two.split_first()) {
            (None, None) => return true,
            (Some((b'*', one_rest)), Some((b'*', two_rest))) => {
                todo.extend([(one_rest, two), (one, two_rest)]);
            }
            (Some((b'*', rest)), other) => {
                todo.push((rest, two));
                todo.extend(
                    other.filter(|(b, _)| **b != b'/').map(|(_, two_rest)| (one, two_rest)),
                );
            }
            (other, Some((b'*', rest))) => {
                todo.push((one, rest));
                todo.extend(
                    other.filter(|(b, _)| **b != b'/').map(|(_, one_rest)| (one_rest, two)),
                );
            }
            (Some((a, one_rest)), Some((b, two_rest))) if a == b => todo.push((one_rest, two_rest)),
            _ => {}
        }
    }
    false
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

    /// Every text of up to eight of three letters: two patterns of five signs that have a text in
    /// common have one that is no longer.
    fn texts() -> impl Iterator<Item = String> {
        (0..=8_u32).flat_map(|length| {
            (0..3_u32.pow(length)).map(move |mut number| {
                (0..length)
                    .map(|_| {
                        let letter = ['a', 'b', '/'][usize::try_from(number % 3).unwrap()];
                        number /= 3;
                        letter
                    })
                    .collect()
            })
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_matcher(pattern in "[ab/*]{0,8}", text in "[ab/]{0,10}") {
            let expected = pattern == "*" || naive(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), expected);
        }

        #[test]
        fn patterns_overlap_if_some_text_matches_both(one in "[ab/*]{0,5}", two in "[ab/*]{0,5}") {
            let (one, two) = (Pattern::new(&one), Pattern::new(&two));
            let common = texts().any(|text| one.matches(&text) && two.matches(&text));
            prop_assert_eq!(one.overlaps(&two), common);
        }

        #[test]
        fn what_covers_leaves_nothing_out(one in "[ab/*]{0,5}", two in "[ab/*]{0,5}") {
            let (one, two) = (Pattern::new(&one), Pattern::new(&two));
            let left_out = texts().any(|text| two.matches(&text) && !one.matches(&text));
            prop_assert!(!(one.covers(&two) && left_out));
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
