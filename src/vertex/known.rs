//! Google's locations, its publishers, and the methods by which their models are called, as
//! far as that was known when this was written. Google adds to it, so nothing is refused by it.

use crate::vertex::route::Route;

/// Locations of Vertex AI's API: regions, multi-regions and `global`.
const LOCATIONS: &[&str] = &[
    "africa-south1",
    "asia-east1",
    "asia-east2",
    "asia-northeast1",
    "asia-northeast2",
    "asia-northeast3",
    "asia-south1",
    "asia-south2",
    "asia-southeast1",
    "asia-southeast2",
    "asia-southeast3",
    "australia-southeast1",
    "australia-southeast2",
    "eu",
    "europe-central2",
    "europe-north1",
    "europe-north2",
    "europe-southwest1",
    "europe-west1",
    "europe-west10",
    "europe-west12",
    "europe-west2",
    "europe-west3",
    "europe-west4",
    "europe-west6",
    "europe-west8",
    "europe-west9",
    "global",
    "me-central1",
    "me-central2",
    "me-west1",
    "northamerica-northeast1",
    "northamerica-northeast2",
    "northamerica-south1",
    "southamerica-east1",
    "southamerica-west1",
    "us",
    "us-central1",
    "us-central2",
    "us-east1",
    "us-east4",
    "us-east5",
    "us-east7",
    "us-south1",
    "us-west1",
    "us-west2",
    "us-west3",
    "us-west4",
    "us-west8",
];

/// Publishers whose models Google serves itself.
const PUBLISHERS: &[&str] = &[
    "ai21",
    "anthropic",
    "cohere",
    "deepseek-ai",
    "google",
    "meta",
    "minimaxai",
    "mistralai",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "xai",
    "zai-org",
];

/// Names at a publisher's place for a project's own endpoints and models.
const OWN: &[&str] = &["endpoints", "models"];

/// Publishers whose own API Google passes through.
const RAW: &[&str] = &["ai21", "anthropic", "mistralai"];
const RAW_METHODS: &[&str] = &["rawPredict", "streamRawPredict", "models.get", "models.list"];

/// Methods that only Google's own models have.
const GOOGLES: &[&str] = &["batchEmbedContents", "computeTokens", "embedContent"];

/// Whether Google has a location of this name.
#[must_use]
pub fn is_known_location(name: &str) -> bool {
    LOCATIONS.contains(&name)
}

/// Whether Google has a publisher of this name.
#[must_use]
pub fn is_known_publisher(name: &str) -> bool {
    PUBLISHERS.contains(&name) || OWN.contains(&name)
}

/// The publishers.
#[must_use]
pub const fn known_publishers() -> &'static [&'static str] {
    PUBLISHERS
}

/// Whether a publisher's models have a method.
#[must_use]
pub fn speaks(publisher: &str, route: &Route) -> bool {
    let method = route.method.as_str();
    match publisher {
        "anthropic" => RAW_METHODS.contains(&method) || method == "countTokens",
        _ if RAW.contains(&publisher) => RAW_METHODS.contains(&method),
        "google" => true,
        _ if PUBLISHERS.contains(&publisher) => !GOOGLES.contains(&method),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vertex::routes;

    #[test]
    fn every_method_that_is_named_here_is_one() {
        for method in RAW_METHODS.iter().chain(GOOGLES).chain(&["countTokens"]) {
            assert!(routes().iter().any(|route| route.method == *method), "{method}");
        }
        assert!(RAW.iter().all(|publisher| PUBLISHERS.contains(publisher)));
    }

    #[test]
    fn a_publisher_speaks_its_own_methods() {
        let spoken = |publisher: &str, method: &str| {
            routes().iter().any(|route| route.method == method && speaks(publisher, route))
        };
        for (publisher, method) in [
            ("anthropic", "streamRawPredict"),
            ("anthropic", "countTokens"),
            ("google", "generateContent"),
            ("mistralai", "rawPredict"),
            ("meta", "chat.completions"),
            ("endpoints", "predict"),
            ("unheard-of", "embedContent"),
        ] {
            assert!(spoken(publisher, method), "{publisher} {method}");
        }
        for (publisher, method) in [
            ("anthropic", "generateContent"),
            ("anthropic", "chat.completions"),
            ("mistralai", "countTokens"),
            ("meta", "embedContent"),
        ] {
            assert!(!spoken(publisher, method), "{publisher} {method}");
        }
    }
}
