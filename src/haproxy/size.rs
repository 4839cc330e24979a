//! Sizes in HAProxy's configuration.

/// The largest size that HAProxy accepts, in bytes.
const MAX_BYTES: usize = 0x7fff_ffff;

/// A size in bytes. HAProxy 3.2 reads `64k` as 65536, and older ones as 64: none that means another
/// number elsewhere is taken.
///
/// # Errors
/// Says what to write instead.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    if let Ok(size) = text.parse() {
        return match size <= MAX_BYTES {
            true => Ok(size),
            false => Err(format!("{text} bytes are more than HAProxy takes")),
        };
    }
    let suffixed =
        text.split_at_checked(text.len().saturating_sub(1)).and_then(|(number, unit)| {
            let shift = match unit.to_ascii_lowercase().as_str() {
                "k" => 10,
                "m" => 20,
                "g" => 30,
                _ => return None,
            };
            number.parse::<usize>().ok()?.checked_mul(1 << shift)
        });
    Err(match suffixed {
        Some(size) => format!("{text} is not the same in every HAProxy: write {size}"),
        None => format!("{text} is no number of bytes, like 65536"),
    })
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_taken_and_suffixes_told_in_bytes() {
        assert_eq!(bytes("65536"), Ok(65_536));
        assert!(bytes("99999999999").is_err());
        for (text, size) in
            [("64k", "65536"), ("64K", "65536"), ("1m", "1048576"), ("1g", "1073741824")]
        {
            let wanted = format!("{text} is not the same in every HAProxy: write {size}");
            assert_eq!(bytes(text), Err(wanted));
        }
        for text in
            ["", "k", "64kb", "lots", "-1", "0x10", "64 k", "99999999999999999999g", "\u{e9}"]
        {
            assert_eq!(bytes(text), Err(format!("{text} is no number of bytes, like 65536")));
        }
    }
}
