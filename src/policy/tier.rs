//! The tiers of capacity and price that a request can ask for in headers: Provisioned Throughput or
//! pay-as-you-go, and of the latter the faster or the cheaper one.

/// The header of `dedicated` and `shared`.
pub const REQUEST_TYPE: &str = "x-vertex-ai-llm-request-type";

/// The header of `priority` and `flex`.
pub const SHARED_REQUEST_TYPE: &str = "x-vertex-ai-llm-shared-request-type";

/// A tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Provisioned Throughput alone.
    Dedicated,
    /// Pay-as-you-go alone.
    Shared,
    /// Pay-as-you-go before others, at a higher price.
    Priority,
    /// Pay-as-you-go after others, at a lower price.
    Flex,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Dedicated, Self::Shared, Self::Priority, Self::Flex];

    /// The value of its header, and its name in `may.tiers`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Shared => "shared",
            Self::Priority => "priority",
            Self::Flex => "flex",
        }
    }

    /// The header that asks for it.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Dedicated | Self::Shared => REQUEST_TYPE,
            Self::Priority | Self::Flex => SHARED_REQUEST_TYPE,
        }
    }
}

/// The values of a request's tier headers, whatever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedTiers<'a> {
    request_type: Option<&'a str>,
    shared_request_type: Option<&'a str>,
}

impl<'a> AskedTiers<'a> {
    /// Of a request without tier headers.
    pub const NONE: Self = Self { request_type: None, shared_request_type: None };

    /// Adds a line of [`REQUEST_TYPE`].
    pub const fn add_request_type(&mut self, value: &'a str) {
        self.request_type = Some(once(self.request_type, value));
    }

    /// Adds a line of [`SHARED_REQUEST_TYPE`].
    pub const fn add_shared_request_type(&mut self, value: &'a str) {
        self.shared_request_type = Some(once(self.shared_request_type, value));
    }

    /// The first value that is none of these tiers in its header.
    pub(super) fn unlisted(&self, listed: &[Tier]) -> Option<&'a str> {
        let unlisted = |header: &str, value: Option<&'a str>| {
            let is = |tier: &Tier| tier.header() == header && value == Some(tier.name());
            value.filter(|_| !listed.iter().any(is))
        };
        unlisted(REQUEST_TYPE, self.request_type)
            .or_else(|| unlisted(SHARED_REQUEST_TYPE, self.shared_request_type))
    }
}

/// The value of a header that must stand once and say something; else a text that is no tier.
const fn once<'a>(former: Option<&'a str>, value: &'a str) -> &'a str {
    match former {
        Some(_) => "several in one header",
        None if value.is_empty() => "an empty header",
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_its_own_header_once_and_as_it_is_written() {
        let asked = |types: &[&'static str], shared: &[&'static str]| {
            let mut asked = AskedTiers::NONE;
            types.iter().for_each(|value| asked.add_request_type(value));
            shared.iter().for_each(|value| asked.add_shared_request_type(value));
            asked.unlisted(&Tier::ALL)
        };
        assert_eq!(asked(&[], &[]), None);
        assert_eq!(asked(&["shared"], &["flex"]), None);
        assert_eq!(asked(&["dedicated"], &["priority"]), None);
        assert_eq!(asked(&["flex"], &[]), Some("flex"));
        assert_eq!(asked(&["shared"], &["dedicated"]), Some("dedicated"));
        assert_eq!(asked(&["Shared"], &[]), Some("Shared"));
        assert_eq!(asked(&[], &["flex, flex"]), Some("flex, flex"));
        assert_eq!(asked(&[], &["flex", "flex"]), Some("several in one header"));
        assert_eq!(asked(&[""], &[]), Some("an empty header"));
        assert_eq!(AskedTiers::NONE.unlisted(&[]), None);
    }
}
