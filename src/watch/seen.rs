//! The few values of one kind that a principal has used, each as a short keyed hash.

use std::net::IpAddr;

use crate::keyed_hash::KeyedHash;

/// A value's hash, 16 bits of it: one new value in some thousands is taken for a known one. The
/// hash is keyed, so that nobody can choose such a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u16);

impl Tag {
    /// The tag of no value.
    const NONE: Self = Self(0);

    pub(super) fn of(value: &[u8], hash: &KeyedHash) -> Self {
        let [low, high, ..] = hash.short(value).to_le_bytes();
        Self(u16::from_le_bytes([low, high]).max(1))
    }

    /// The tag of the network around an address: /24 of IPv4, the smallest that is routed; /48 of
    /// IPv6, which a site gets (RFC 6177).
    pub(super) fn of_network(address: IpAddr, hash: &KeyedHash) -> Self {
        // HAProxy's dual-stack listeners show IPv4 as ::ffff:a.b.c.d.
        match address.to_canonical() {
            IpAddr::V4(four) => {
                let [a, b, c, _] = four.octets();
                Self::of(&[a, b, c], hash)
            }
            IpAddr::V6(six) => {
                let [a, b, c, d, e, f, ..] = six.octets();
                Self::of(&[a, b, c, d, e, f], hash)
            }
        }
    }

    /// The tag of the program that a `User-Agent` names first (RFC 9110 section 10.1.5), without
    /// its version. No header counts as a program too.
    pub(super) fn of_client(user_agent: &str, hash: &KeyedHash) -> Self {
        let product = user_agent.split(['/', ' ', '\t']).next();
        Self::of(product.unwrap_or_default().as_bytes(), hash)
    }
}

/// The last `N` values used. A new one replaces the one unused for longest, which is new again when
/// it comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenValues<const N: usize>([Tag; N]);

impl<const N: usize> SeenValues<N> {
    pub(super) const fn new() -> Self {
        Self([Tag::NONE; N])
    }

    /// Notes a use. Returns whether the value is new.
    pub(super) fn note(&mut self, tag: Tag) -> bool {
        let place = self.0.iter().position(|known| *known == tag);
        if let Some(newer) = self.0.get_mut(..=place.unwrap_or(N - 1)) {
            newer.rotate_right(1);
            if let Some(newest) = newer.first_mut() {
                *newest = tag;
            }
        }
        place.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_longest_unused_makes_room() {
        let mut known = SeenValues::<3>::new();
        let new = |known: &mut SeenValues<3>, tags: &[u16]| -> Vec<bool> {
            tags.iter().map(|tag| known.note(Tag(*tag))).collect()
        };
        assert_eq!(new(&mut known, &[1, 2, 3, 1, 2, 3]), [true, true, true, false, false, false]);
        assert_eq!(new(&mut known, &[1, 4, 3, 1]), [false, true, false, false]);
        assert_eq!(new(&mut known, &[2]), [true], "it was the one longest unused");
    }

    #[test]
    fn addresses_of_one_network_and_versions_of_one_client_are_one_value() {
        let hash = KeyedHash::default();
        let network = |text: &str| Tag::of_network(text.parse().unwrap(), &hash);
        assert_eq!(network("192.0.2.1"), network("192.0.2.254"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.7"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ffff::9"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
        let client = |text: &str| Tag::of_client(text, &hash);
        assert_eq!(client("google-genai-sdk/1.2 gl-python/3.11"), client("google-genai-sdk/2"));
        assert_eq!(client("curl"), client("curl/8.5.0"));
        assert_ne!(client("curl/8.5.0"), client("python-requests/2"));
        assert_ne!(client(""), client("curl"));
    }
}
