//! The client's end of the connection, as HAProxy tells it in one line: `src`,
//! `ssl_c_used/ssl_c_verify`, the subject of the client's certificate (RFC 2253) and its SHA-256,
//! both in hexadecimal, separated by blanks. What HAProxy does not know is empty. The address
//! alone, or `-`, means that the other fields were not asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::policy::{Certificate, Client};

/// `ssl_c_used/ssl_c_verify` of a certificate that was shown and verified.
const VERIFIED: &str = "1/0";

/// The client's end of a connection: its address and its verified certificate, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct ClientEnd {
    address: Option<IpAddr>,
    certificate: Option<(String, String)>,
}

impl ClientEnd {
    /// Reads the line; `None` if it lacks fields or has another shape.
    pub(in crate::gateway) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let mut field = || fields.next();
        let (address, state, subject, sha256) = (field()?, field()?, field()?, field()?);
        if field().is_some() {
            return None;
        }
        let shown = state == VERIFIED && !sha256.is_empty();
        let certificate = match shown {
            true => Some((text_of_hex(subject)?, sha256.to_ascii_lowercase())),
            false => None,
        };
        Some(Self { address: address_of(address), certificate })
    }

    /// The same as policy takes it.
    pub(in crate::gateway) fn as_client(&self) -> Client<'_> {
        let certificate = self.certificate.as_ref();
        Client {
            address: self.address,
            certificate: certificate.map(|(subject, sha256)| Certificate { subject, sha256 }),
        }
    }
}

/// The client's address, as HAProxy writes it or, with `hex`, its bytes.
pub(in crate::gateway) fn address_of(text: &str) -> Option<IpAddr> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.len() {
        8 if is_hex => Some(Ipv4Addr::from_bits(u32::from_str_radix(text, 16).ok()?).into()),
        32 if is_hex => Some(Ipv6Addr::from_bits(u128::from_str_radix(text, 16).ok()?).into()),
        _ => text.parse().ok(),
    }
}

fn text_of_hex(hex: &str) -> Option<String> {
    let byte = |pair: &[u8]| match pair {
        [_, _] => u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok(),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_text_and_as_bytes() {
        for (text, want) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("C0000207", Some("192.0.2.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("20010DB8000000000000000000000001", Some("2001:db8::1")),
            ("00000000000000000000FFFFC0000207", Some("::ffff:192.0.2.7")),
            ("", None),
            ("C000020", None),
            ("+0000207", None),
            ("unix:1", None),
        ] {
            assert_eq!(address_of(text), want.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn only_a_certificate_that_was_verified_counts() {
        let line = |state: &str| format!("192.0.2.7 {state} 434E3D61 AB12");
        let seen = ClientEnd::parse(&line("1/0")).expect("a client");
        let client = seen.as_client();
        assert_eq!(client.address, "192.0.2.7".parse().ok());
        let certificate = client.certificate.expect("a certificate");
        assert_eq!((certificate.subject, certificate.sha256), ("CN=a", "ab12"));
        for state in ["", "/", "0/0", "1/", "1/10", "1/20", "10"] {
            let seen = ClientEnd::parse(&line(state)).expect("a client");
            assert!(seen.as_client().certificate.is_none(), "{state}");
        }
    }

    #[test]
    fn a_line_of_another_shape_is_none() {
        for line in ["-", "", "192.0.2.7", "192.0.2.7 / ", "192.0.2.7 1/0 4 AB", "a / b c d"] {
            assert!(ClientEnd::parse(line).is_none(), "{line}");
        }
        let no_tls = ClientEnd::parse("2001:db8::1 /  ").expect("a client");
        assert_eq!(no_tls.as_client().address, "2001:db8::1".parse().ok());
        assert!(ClientEnd::parse(" /  ").expect("a client").as_client().address.is_none());
    }
}
