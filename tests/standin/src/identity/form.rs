//! Bodies of `application/x-www-form-urlencoded`.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// A field that is there twice is an error (RFC 6749 section 3.2).
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
        let mut fields = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent_decode(&text.replace('+', " "));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(format!("bad escape in {pair}"));
            };
            if fields.contains_key(&name) {
                return Err(format!("{name} is there twice"));
            }
            fields.insert(name, value);
        }
        Ok(Self(fields))
    }

    /// Empty if it is absent: RFC 6749 treats both alike.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let form = Form::parse(b"a=1%2F%2frt&b=x+y%2B&c").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), ("1//rt", "x y+", ""));
        assert_eq!(form.get("d"), "");
        assert_eq!(form.names().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(Form::parse(b"a=1&%61=2").unwrap_err(), "a is there twice");
        for bad in ["a=%", "a=%1", "a=%zz", "a=%+1", "a=%ff"] {
            assert!(Form::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
