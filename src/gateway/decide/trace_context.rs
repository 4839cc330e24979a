//! Reads the trace id of a `traceparent` header (W3C Trace Context, section 3.2).

/// Bytes of version, trace id, parent id and flags, with a `-` between them.
const LENGTH: usize = 55;

/// The trace id of a header's value, 32 hexadecimal digits; `None` if the value is not valid. A
/// version after 00 may have more behind what is known.
pub(super) fn trace_id(value: &str) -> Option<&str> {
    let (known, more) = value.split_at_checked(LENGTH)?;
    let mut parts = known.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = is_hex(version, 2)
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && version != "ff"
        && (more.is_empty() || (version != "00" && more.starts_with('-')));
    let is_some = |id: &str| id.bytes().any(|digit| digit != b'0');
    (fits && is_some(trace) && is_some(parent)).then_some(trace)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_names_a_trace() {
        let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let valid = format!("00-{trace}-{parent}-01");
        for value in [&valid, &format!("01-{trace}-{parent}-09"), &format!("cc{}-x", &valid[2..])] {
            assert_eq!(trace_id(value), Some(trace), "{value}");
        }
        for value in [
            "",
            trace,
            &valid[..54],
            &format!("{valid}-x"),
            &format!("{valid} "),
            &format!("cc{}x", &valid[2..]),
            &format!("ff{}", &valid[2..]),
            &valid.to_uppercase(),
            &valid.replace('-', "_"),
            &format!("00-{}-{parent}-01", "0".repeat(32)),
            &format!("00-{trace}-{}-01", "0".repeat(16)),
            &format!("00-{}g-{parent}-01", &trace[1..]),
            &format!("00-{parent}-{trace}-01"),
            &format!("00-{}é-{parent}-01", &trace[2..]),
        ] {
            assert_eq!(trace_id(value), None, "{value}");
        }
    }
}
