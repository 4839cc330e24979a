//! Splits a line into words as HAProxy does (its manual, sections 2.2 and 2.3): quotes, escapes,
//! environment variables, comments.

use std::iter::Peekable;
use std::str::Chars;

use crate::haproxy::environment::Environment;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Weak,
    Strong,
}

/// The words read so far, and the current one.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    word: String,
}

impl Words {
    fn end_word(&mut self) {
        self.done.push(std::mem::take(&mut self.word));
    }

    fn end_line(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.end_word();
        }
        self.done
    }
}

/// The words of a line; `None` if HAProxy refuses it.
pub(super) fn words(line: &str, environment: &Environment<'_>) -> Option<Vec<String>> {
    let mut chars = line.trim_start_matches(is_blank).chars().peekable();
    let mut words = Words::default();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\0' | '\n' | '\r', _) | ('#', None) => break,
            ('"', None) => quote = Some(Quote::Weak),
            ('\'', None) => quote = Some(Quote::Strong),
            ('"', Some(Quote::Weak)) | ('\'', Some(Quote::Strong)) => quote = None,
            ('\\', None | Some(Quote::Weak)) => {
                words.word.push(escaped(&mut chars, quote.is_some())?);
            }
            ('$', Some(Quote::Weak)) => {
                let is_set = expand(&mut chars, &mut words, environment)?;
                // The unset variable was the whole word: the closing quote ends none.
                if !is_set && environment.drops_unset() && chars.next_if_eq(&'"').is_some() {
                    skip_blanks(&mut chars);
                    quote = None;
                }
            }
            (c, None) if is_blank(c) => {
                skip_blanks(&mut chars);
                words.end_word();
            }
            (c, _) => words.word.push(c),
        }
    }
    quote.is_none().then(|| words.end_line())
}

/// `isspace` of C.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| is_blank(*c)).is_some() {}
}

/// The character that an escape stands for, after its backslash; the backslash if it escapes
/// nothing.
fn escaped(chars: &mut Peekable<Chars<'_>>, is_quoted: bool) -> Option<char> {
    let escape = |c: char| match c {
        ' ' | '\\' | '#' | '\'' | '"' => Some(c),
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        '$' if is_quoted => Some('$'),
        _ => None,
    };
    if let Some(c) = chars.peek().copied().and_then(escape) {
        chars.next();
        return Some(c);
    }
    if chars.next_if_eq(&'x').is_none() {
        return Some('\\');
    }
    let mut digit = || chars.next().and_then(|c| c.to_digit(16));
    let code = digit()?.checked_mul(16)?.checked_add(digit()?)?;
    char::from_u32(code)
}

/// Inserts a variable's value: `$NAME`, `${NAME}`, `${NAME-default}` or, as separate words,
/// `${NAME[*]}`. Returns whether there was a variable.
fn expand(
    chars: &mut Peekable<Chars<'_>>,
    words: &mut Words,
    environment: &Environment<'_>,
) -> Option<bool> {
    let in_braces = chars.next_if_eq(&'{').is_some();
    let mut name = String::new();
    name.push(chars.next_if(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '.'))?);
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    let mut value = environment.get(&name);
    let mut are_words = false;
    if in_braces {
        if chars.next_if_eq(&'[').is_some() {
            chars.next_if_eq(&'*')?;
            chars.next_if_eq(&']')?;
            are_words = true;
        }
        if chars.next_if_eq(&'-').is_some() {
            let mut default = String::new();
            while let Some(c) = chars.next_if(|c| *c != '}') {
                default.push(c);
            }
            value = value.or(Some(default));
        }
        chars.next_if_eq(&'}')?;
    }
    let Some(value) = value else {
        return Some(false);
    };
    let mut pieces = value.chars().peekable();
    while let Some(c) = pieces.next() {
        if are_words && is_blank(c) {
            skip_blanks(&mut pieces);
            words.end_word();
        } else {
            words.word.push(c);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Version;

    /// Each line as HAProxy splits it: tests/e2e asks HAProxy itself about the same.
    const VECTORS: &str = include_str!("../../tests/vectors/words.json");

    #[test]
    fn splits_lines_as_haproxy_does() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("vectors");
        let outer = |name: &str| vectors["environment"][name].as_str().map(str::to_owned);
        let lines = vectors["lines"].as_array().expect("lines");
        assert!(lines.len() > 40);
        for vector in lines {
            let line = vector["line"].as_str().expect("a line");
            for (version, member) in [("2.6.12", "before_2.7"), ("3.2.1", "words")] {
                let environment = Environment::new(&outer, Version::parse(version));
                let expected = vector.get(member).unwrap_or_else(|| &vector["words"]);
                let found = serde_json::to_value(words(line, &environment)).expect("words");
                assert_eq!(found, *expected, "{line} on {version}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_word_in_strong_quotes_is_what_it_is(word in "[^'\0\r\n]{1,40}", next in "[a-z]{1,5}") {
            let environment = Environment::new(&|_| None, None);
            let found = words(&format!("'{word}' {next}"), &environment);
            proptest::prop_assert_eq!(found, Some(vec![word, next]));
        }

        #[test]
        fn a_word_whose_every_sign_is_escaped_is_what_it_is(word in "[ -~]{1,40}") {
            let environment = Environment::new(&|_| None, None);
            let escaped: String = word.bytes().map(|b| format!("\\x{b:02x}")).collect();
            proptest::prop_assert_eq!(words(&escaped, &environment), Some(vec![word.clone()]));
            proptest::prop_assert_eq!(words(&format!("\"{escaped}\""), &environment), Some(vec![word]));
        }

        #[test]
        fn no_line_is_too_strange(line in "[\\PC\t\\\\\"'#${}\\[\\]*x0-9-]{0,80}") {
            let environment = Environment::new(&|_| Some("a b".to_owned()), None);
            let _ = words(&line, &environment);
        }
    }
}
