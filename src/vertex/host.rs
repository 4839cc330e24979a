//! Which host of Google's serves a location.
//! Source: the `endpoints` of the discovery document of aiplatform.googleapis.com.

/// The host for `location` in the universe of this domain. The multi-regions `us` and `eu` have names of
/// their own.
#[must_use]
pub fn host_of(location: &str, universe: &str) -> String {
    match location {
        "global" => format!("aiplatform.{universe}"),
        "us" | "eu" => format!("aiplatform.{location}.rep.{universe}"),
        _ => format!("{location}-aiplatform.{universe}"),
    }
}
