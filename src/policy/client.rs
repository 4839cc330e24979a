//! The client's end of a connection, and what roles ask of it. The address is that of the
//! connection; headers such as `X-Forwarded-For` do not count.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// The client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<'c> {
    /// Its address; none on a Unix socket.
    pub address: Option<IpAddr>,
    /// The client certificate that HAProxy has verified.
    pub certificate: Option<Certificate<'c>>,
}

/// A client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<'c> {
    /// The subject's distinguished name (RFC 2253).
    pub subject: &'c str,
    /// SHA-256 of the certificate in DER, in lower-case hexadecimal.
    pub sha256: &'c str,
}

/// What a role asks of the client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateTest {
    /// There is one.
    Verified,
    /// Its subject is one of these, compared exactly.
    Subjects(Vec<String>),
    /// It is one of these.
    Sha256(Vec<String>),
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl CertificateTest {
    pub(super) fn holds(&self, certificate: Option<&Certificate<'_>>) -> bool {
        certificate.is_some_and(|certificate| match self {
            Self::Verified => true,
            Self::Subjects(subjects) => subjects.iter().any(|own| own == certificate.subject),
            Self::Sha256(digests) => digests.iter().any(|own| own == certificate.sha256),
        })
    }
}

impl Network {
    /// Reads an address, or a range in CIDR notation (RFC 4632, RFC 4291 section 2.3).
    ///
    /// # Errors
    /// Says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse().ok().or_else(address).ok_or_else(|| {
            format!("\"{text}\" is no address and no range like 10.0.0.0/8 or 2001:db8::/32")
        })?;
        // Addresses are compared in their own form.
        if matches!(network, IpNet::V6(six) if six.addr().to_ipv4_mapped().is_some()) {
            return Err(format!("{text} is a range of IPv4: write it as one, like 10.0.0.0/8"));
        }
        match network.trunc() {
            whole if whole == network => Ok(Self(network)),
            whole => Err(format!("{text} is an address within {whole}: write the range so")),
        }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        // HAProxy's dual-stack listeners show IPv4 as ::ffff:a.b.c.d.
        self.0.contains(&address.to_canonical())
    }

    /// Whether all of `other` is within.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
