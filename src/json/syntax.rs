//! Explains why a text is not JSON, in the terms of RFC 8259.

/// A message for the author of `text`; it quotes nothing of it.
pub fn syntax_fault(why: &serde_json::Error, text: &[u8]) -> String {
    if text.iter().all(u8::is_ascii_whitespace) {
        return "empty; JSON is wanted".to_owned();
    }
    if text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]) {
        return "this is UTF-16: save the file as UTF-8".to_owned();
    }
    let place = format!("line {}, column {}", why.line(), why.column());
    if why.is_eof() {
        return format!("{place}: it ends too early: a closing quote, ] or }} is missing");
    }
    format!("{place}: {}", words(why, text))
}

fn words(why: &serde_json::Error, text: &[u8]) -> String {
    let at = at(why, text);
    let told = why.to_string();
    let told = told.split(" at line ").next().unwrap_or_default();
    let said = match (told, at) {
        (_, [b'#', ..] | [b'/', b'/' | b'*', ..]) => "JSON has no comments: leave it out",
        (_, [0xEF, 0xBB, 0xBF, ..]) => "a byte order mark: save the file as UTF-8 without one",
        ("trailing comma", _) | ("key must be a string", [b'}', ..]) => {
            "a comma before a closing ] or }: leave it out"
        }
        ("key must be a string", _) => "a member's name in double quotes is wanted",
        ("expected value", [b'\'', ..]) => "a text stands in double quotes",
        ("expected value" | "expected ident", _) => {
            "a text in double quotes, a number, true, false, null, [ or { is wanted"
        }
        ("trailing characters", _) => "more text after the end; one JSON value is wanted",
        ("expected `,` or `}`", _) => "a comma or } is wanted",
        ("expected `,` or `]`", _) => "a comma or ] is wanted",
        ("expected `:`", _) => "a colon is wanted after a member's name",
        ("recursion limit exceeded", _) => "nested deeper than 128",
        ("invalid unicode code point", _) => "not UTF-8",
        ("invalid number", [b'-', b'-', ..]) => "this is PEM, and JSON is wanted",
        ("invalid number" | "number out of range", _) => "a number is written 12, -3 or 0.5",
        ("invalid escape", _) => "an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX",
        (
            "unexpected end of hex escape"
            | "lone leading surrogate in hex escape"
            | "lone surrogate found",
            _,
        ) => "a character beyond \\uFFFF is two escapes, as \\ud83d\\ude00",
        (control, _) if control.starts_with("control character") => {
            "a line feed or control character in a text: \\n and \\u00XX are wanted"
        }
        (other, _) => other,
    };
    said.to_owned()
}

/// The text from the place of the error on.
fn at<'t>(why: &serde_json::Error, text: &'t [u8]) -> &'t [u8] {
    let lines_before = why.line().saturating_sub(1);
    let line = text.splitn(lines_before.saturating_add(1), |b| *b == b'\n').nth(lines_before);
    line.and_then(|line| line.get(why.column().saturating_sub(1)..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::json::{Json, syntax_fault};

    fn fault(text: &str) -> String {
        syntax_fault(&Json::parse(text.as_bytes()).unwrap_err(), text.as_bytes())
    }

    #[test]
    fn each_fault_is_told_in_jsons_words() {
        let cases = [
            ("", "empty; JSON is wanted"),
            (" \n", "empty; JSON is wanted"),
            (r#"{"a": ["#, "line 1, column 7: it ends too early"),
            (r#"{"a": "b"#, "line 1, column 8: it ends too early"),
            ("{\"a\": 1, // why\n}", "line 1, column 10: JSON has no comments"),
            ("// why\n{}", "line 1, column 1: JSON has no comments"),
            ("{\n # why\n}", "line 2, column 2: JSON has no comments"),
            ("{\"a\": 1 /* why */}", "line 1, column 9: JSON has no comments"),
            ("{\"a\": /* why */ 1}", "line 1, column 7: JSON has no comments"),
            ("[1, // why\n2]", "line 1, column 5: JSON has no comments"),
            ("{} // why", "line 1, column 4: JSON has no comments"),
            ("{\"a\":[1,]}", "line 1, column 9: a comma before a closing ] or }"),
            ("{\"a\":1,}", "line 1, column 8: a comma before a closing ] or }"),
            ("{a: 1}", "line 1, column 2: a member's name in double quotes"),
            ("{\"a\": 'b'}", "line 1, column 7: a text stands in double quotes"),
            ("{\"a\": yes}", "line 1, column 7: a text in double quotes, a number"),
            ("issuers: []", "line 1, column 1: a text in double quotes, a number"),
            ("{} {}", "line 1, column 4: more text after the end"),
            ("{\"a\" 1}", "line 1, column 6: a colon is wanted"),
            ("{\"a\": 1 \"b\": 2}", "line 1, column 9: a comma or } is wanted"),
            ("[1 2]", "line 1, column 4: a comma or ] is wanted"),
            ("\u{feff}{}", "line 1, column 1: a byte order mark"),
            ("[\"a\nb\"]", "a line feed or control character in a text"),
            ("[1.]", "a number is written 12, -3 or 0.5"),
            ("[1e999]", "a number is written 12, -3 or 0.5"),
            ("[\"\\q\"]", "an escape is one of"),
            ("[\"\\ud83d x\"]", "a character beyond \\uFFFF is two escapes"),
            ("-----BEGIN PRIVATE KEY-----\nx", "this is PEM, and JSON is wanted"),
        ];
        for (text, says) in cases {
            let told = fault(text);
            assert!(told.starts_with(says) || told.contains(says), "{text}: {told}");
        }
        let wide = [0xFF, 0xFE, b'{', 0, b'}', 0];
        assert!(syntax_fault(&Json::parse(&wide).unwrap_err(), &wide).contains("UTF-16"));
        let latin = b"[\"\xe9\"]";
        let told = syntax_fault(&Json::parse(latin).unwrap_err(), latin);
        assert!(told.ends_with(": not UTF-8"), "{told}");
    }
}
