//! Evaluates conditions of `.if` and `.elif` (HAProxy's manual, section 2.4). Those on features of
//! HAProxy's build cannot be decided.

use crate::haproxy::Version;
use crate::haproxy::environment::Environment;

/// Depth down to which parentheses are followed.
const MAX_DEPTH: usize = 64;

/// Whether a condition holds; `None` if that cannot be decided.
pub(super) fn holds(text: &str, environment: &Environment<'_>) -> Option<bool> {
    match text.trim().is_empty() {
        true => Some(false),
        false => Condition { rest: text, environment }.any(MAX_DEPTH),
    }
}

struct Condition<'c> {
    rest: &'c str,
    environment: &'c Environment<'c>,
}

impl Condition<'_> {
    fn any(&mut self, depth: usize) -> Option<bool> {
        let mut found = self.all(depth);
        while self.take("||") {
            found = match (found, self.all(depth)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        found
    }

    fn all(&mut self, depth: usize) -> Option<bool> {
        let mut found = self.term(depth);
        while self.take("&&") {
            found = match (found, self.term(depth)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        found
    }

    fn term(&mut self, depth: usize) -> Option<bool> {
        let mut is_negated = false;
        while self.take("!") {
            is_negated = !is_negated;
        }
        let found = match self.take("(") {
            true => {
                let found = self.any(depth.checked_sub(1)?);
                self.take(")").then_some(found)?
            }
            false => self.predicate(),
        };
        found.map(|found| found != is_negated)
    }

    fn predicate(&mut self) -> Option<bool> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        self.rest = rest;
        if let Ok(number) = word.parse::<i64>() {
            return Some(number != 0);
        }
        let arguments = self.arguments()?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let is_at_least = |version| Some(self.environment.version()? >= Version::parse(version)?);
        match (word, arguments.as_slice()) {
            ("defined", [name]) => Some(self.environment.get(name).is_some()),
            ("streq", [one, two]) => Some(one == two),
            ("strneq", [one, two]) => Some(one != two),
            ("strstr", [text, part]) => Some(text.contains(part)),
            ("version_atleast", [version]) => is_at_least(version),
            ("version_before", [version]) => is_at_least(version).map(|is_at_least| !is_at_least),
            _ => None,
        }
    }

    /// Reads the arguments in the parentheses of a predicate, with quotes and escapes.
    fn arguments(&mut self) -> Option<Vec<String>> {
        let mut chars = self.rest.strip_prefix('(')?.chars();
        let (mut arguments, mut argument, mut quote) = (Vec::new(), String::new(), None);
        loop {
            match (chars.next()?, quote) {
                (c, Some(open)) if c == open => quote = None,
                (c @ ('"' | '\''), None) => quote = Some(c),
                ('\\', None | Some('"')) => argument.push(chars.next()?),
                (',', None) => arguments.push(std::mem::take(&mut argument)),
                (')', None) => break,
                (c, _) => argument.push(c),
            }
        }
        arguments.push(argument);
        self.rest = chars.as_str();
        Some(arguments)
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let after = rest.strip_prefix(sign);
        self.rest = after.unwrap_or(rest).trim_start_matches([' ', '\t']);
        after.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Version;
    use crate::haproxy::words::words;

    /// Each as HAProxy decides it: tests/e2e asks HAProxy itself about the same.
    const VECTORS: &str = include_str!("../../tests/vectors/conditions.json");

    #[test]
    fn decides_as_haproxy_does() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("vectors");
        let outer = |name: &str| vectors["environment"][name].as_str().map(str::to_owned);
        let environment = Environment::new(&outer, Version::parse("2.6.12"));
        let conditions = vectors["conditions"].as_array().expect("conditions");
        assert!(conditions.len() >= 20);
        for vector in conditions {
            let text = vector["text"].as_str().expect("a text");
            let joined = words(text, &environment).expect("words").join(" ");
            assert_eq!(holds(&joined, &environment), vector["holds"].as_bool(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_decided() {
        let environment = Environment::new(&|_| None, Version::parse("2.6.12"));
        for (text, expected) in [
            ("version_atleast(2.6)", Some(true)),
            ("version_atleast(2.7)", Some(false)),
            ("version_before(2.6.13)", Some(true)),
            ("version_before(2.7-dev5)", None),
            ("strstr(abc,b)", Some(true)),
            ("feature(OPENSSL)", None),
            ("feature(OPENSSL) || streq(a,a)", Some(true)),
            ("feature(OPENSSL) && streq(a,a)", None),
            ("feature(OPENSSL) && streq(a,b)", Some(false)),
            ("streq(a", None),
            ("nonsense", None),
        ] {
            assert_eq!(holds(text, &environment), expected, "{text}");
        }
        let unknown = Environment::new(&|_| None, None);
        assert_eq!(holds("version_atleast(2.4)", &unknown), None);
        assert_eq!(holds(&"(".repeat(100_000), &unknown), None);
    }
}
