//! Who is at the other end of the connection, as HAProxy tells it: `src`, `ssl_c_used/ssl_c_verify`,
//! the subject of the client's certificate (RFC 2253) and its SHA-256, both in hexadecimal,
//! separated by blanks. What HAProxy does not know is empty; the address alone, or `-`, is no peer:
//! the others were not asked for.

use std::net::IpAddr;

use crate::policy::{Certificate, Peer};

/// A certificate was shown, and HAProxy verified it without a complaint.
const VERIFIED: &str = "1/0";

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct PeerLine {
    address: Option<IpAddr>,
    certificate: Option<(String, String)>,
}

impl PeerLine {
    /// Reads the line; nothing where HAProxy was not asked for it, or it is none.
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
        Some(Self { address: address.parse().ok(), certificate })
    }

    /// As roles see it.
    pub(in crate::gateway) fn as_peer(&self) -> Peer<'_> {
        let certificate = self.certificate.as_ref();
        Peer {
            address: self.address,
            certificate: certificate.map(|(subject, sha256)| Certificate { subject, sha256 }),
        }
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
    fn only_a_certificate_that_was_verified_counts() {
        let line = |state: &str| format!("192.0.2.7 {state} 434E3D61 AB12");
        let seen = PeerLine::parse(&line("1/0")).expect("a peer");
        let peer = seen.as_peer();
        assert_eq!(peer.address, "192.0.2.7".parse().ok());
        let certificate = peer.certificate.expect("a certificate");
        assert_eq!((certificate.subject, certificate.sha256), ("CN=a", "ab12"));
        for state in ["", "/", "0/0", "1/", "1/10", "1/20", "10"] {
            let seen = PeerLine::parse(&line(state)).expect("a peer");
            assert!(seen.as_peer().certificate.is_none(), "{state}");
        }
    }

    #[test]
    fn a_line_of_another_shape_is_none() {
        for line in ["-", "", "192.0.2.7", "192.0.2.7 / ", "192.0.2.7 1/0 4 AB", "a / b c d"] {
            assert!(PeerLine::parse(line).is_none(), "{line}");
        }
        let no_tls = PeerLine::parse("2001:db8::1 /  ").expect("a peer");
        assert_eq!(no_tls.as_peer().address, "2001:db8::1".parse().ok());
        assert!(PeerLine::parse(" /  ").expect("a peer").as_peer().address.is_none());
    }
}
