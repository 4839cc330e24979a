//! Rows as text: a table whose columns stand below their names, or JSON.

use serde_json::Value;

use crate::gateway::admin::show_tables::Row;

/// Two blanks between columns, nothing behind the last one.
pub(in crate::gateway) fn table<R: Row>(rows: &[R]) -> String {
    let columns: Vec<&str> = R::COLUMNS.iter().map(|name| name.trim_start_matches("r#")).collect();
    let last = columns.len().saturating_sub(1);
    let cells = rows.iter().map(|row| {
        let row = serde_json::to_value(row).unwrap_or_default();
        let cell = |(place, name): (usize, &&str)| text(row.get(name), place == last);
        columns.iter().enumerate().map(cell).collect::<Vec<_>>()
    });
    let head = columns.iter().map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    let width = |place: usize| {
        lines.iter().filter_map(|line| line.get(place)).map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let start = out.len();
        for (cell, width) in line.iter().zip(&widths) {
            out.push_str(cell);
            out.push_str(&" ".repeat(width.saturating_sub(cell.len()) + 2));
        }
        out.truncate(start + out.get(start..).unwrap_or_default().trim_end().len());
        out.push('\n');
    }
    out
}

/// `{"<name>":[…]}`, the members of a row in the order of the columns.
pub(in crate::gateway) fn json<R: Row>(name: &str, rows: &[R]) -> String {
    let rows = serde_json::to_string(rows).unwrap_or_default();
    format!("{{\"{name}\":{rows}}}")
}

/// A cell. Terminals obey control characters, and not every text here is ours: what is not plain
/// ASCII is written as its number, a blank too where it would look like the next column.
fn text(value: Option<&Value>, may_hold_blanks: bool) -> String {
    let text = match value {
        None | Some(Value::Null) => return "-".to_owned(),
        Some(Value::Bool(true)) => return "yes".to_owned(),
        Some(Value::Bool(false)) => return "no".to_owned(),
        Some(Value::String(text)) => text,
        Some(other) => return other.to_string(),
    };
    if text.is_empty() {
        return "-".to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' if may_hold_blanks => out.push(c),
            '\\' => out.push_str("\\\\"),
            _ if c.is_ascii_graphic() => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::admin::show_tables::KeyRow;

    fn key(issuer: &str, kid: &str) -> KeyRow {
        let (issuer, kid) = (issuer.to_owned(), kid.to_owned());
        KeyRow { issuer, kid, alg: "RS256".to_owned(), current: true, since: None }
    }

    #[test]
    fn columns_stand_below_their_names() {
        let text = table(&[key("corp", "k"), key("a-longer-name", "1")]);
        assert_eq!(
            text,
            "issuer         kid  alg    current  since\n\
             corp           k    RS256  yes      -\n\
             a-longer-name  1    RS256  yes      -\n"
        );
        assert_eq!(table::<KeyRow>(&[]), "issuer  kid  alg  current  since\n");
    }

    #[test]
    fn no_text_of_an_issuer_can_leave_its_cell_or_speak_to_a_terminal() {
        let text = table(&[key("corp", "a b\n\u{1b}[2Jé\\u{20}")]);
        assert!(text.contains(r" a\u{20}b\u{a}\u{1b}[2J\u{e9}\\u{20} "), "{text}");
        assert!(text.is_ascii() && text.lines().count() == 2);
    }

    #[test]
    fn json_has_the_columns_in_their_order() {
        let text = json("keys", &[key("corp", "k")]);
        assert_eq!(
            text,
            r#"{"keys":[{"issuer":"corp","kid":"k","alg":"RS256","current":true,"since":null}]}"#
        );
    }
}
