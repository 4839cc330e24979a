//! Reads HAProxy's log formats (its manual, section 8.2.6) to tell when a line is written: when the
//! answer's head has come, unless a field has to wait for its end.

/// The fields that HAProxy waits for (`LW_BYTES` in its log.c); tests/e2e tries each.
const AT_THE_END: &[&str] = &[
    "B", "ID", "Ta", "Tc", "Td", "Th", "Ti", "Tq", "TR", "Tr", "Tt", "Tu", "Tw", "U", "ac", "bc",
    "bq", "fc", "rc", "sc", "sq", "ts",
];

/// Whether a line of this format is written at the answer's end.
#[must_use]
pub fn waits_for_the_end(format: &str) -> bool {
    let mut rest = format;
    while let Some((_, after)) = rest.split_once('%') {
        let (field, after) = field(after);
        if AT_THE_END.contains(&field) {
            return true;
        }
        rest = after;
    }
    false
}

/// The name of a field after its `%`, and the text after it; an expression has no name.
fn field(text: &str) -> (&str, &str) {
    let unnamed = behind(text, '(', ')');
    let unflagged = behind(unnamed, '{', '}');
    if let Some(expression) = unflagged.strip_prefix('[') {
        return ("", after_expression(expression));
    }
    let end = unflagged.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(unflagged.len());
    match unflagged.split_at_checked(end) {
        Some(("", after)) => ("", after.strip_prefix('%').unwrap_or(after)),
        Some(found) => found,
        None => ("", ""),
    }
}

fn behind(text: &str, open: char, close: char) -> &str {
    let inner = text.strip_prefix(open).and_then(|inner| inner.split_once(close));
    inner.map_or(text, |(_, after)| after)
}

/// The text after the `]` of an expression, whose arguments may hold brackets.
fn after_expression(text: &str) -> &str {
    let (mut chars, mut in_arguments, mut quote) = (text.chars(), false, None);
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) if in_arguments => drop(chars.next()),
            (c @ ('"' | '\''), None) if in_arguments => quote = Some(c),
            ('(', None) => in_arguments = true,
            (')', None) => in_arguments = false,
            (']', None) if !in_arguments => break,
            _ => {}
        }
    }
    chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_that_haproxy_waits_for() {
        let vectors = include_str!("../../tests/vectors/log_fields.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).expect("vectors");
        let names = |member: &str| vectors[member].as_array().expect("names").clone();
        assert_eq!(serde_json::json!(AT_THE_END), serde_json::json!(names("at_the_end")));
        for name in names("before") {
            let name = name.as_str().expect("a name");
            assert!(!waits_for_the_end(&format!("%{name}")), "{name}");
        }
    }

    #[test]
    fn one_field_that_is_known_at_the_end_makes_a_line_wait() {
        for format in [
            "%B",
            "%ci %Ta",
            "%ci:%cp[%Tt]",
            "%{+Q}o %ci %{+X}U",
            "%(bytes:sint)B",
            "%[str(-),lua.vertex_log_fields]%B",
            "%[str(']'),concat(\"]\")]%ts",
            "%%%ID",
            "%tsc %ts",
        ] {
            assert!(waits_for_the_end(format), "{format}");
        }
        for format in [
            "",
            "B",
            "%",
            "%%B",
            "%ci %ST %tsc %tr %r",
            "%[bytes_out] %{+Q}r",
            "%[str(%B)]",
            "%[str('%B]%B')]",
            "%{%B}o",
            "%(B)ci",
            "%Bx",
        ] {
            assert!(!waits_for_the_end(format), "{format}");
        }
    }
}
