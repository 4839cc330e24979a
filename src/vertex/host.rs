//! Which host of Google's serves a location.
//! Source: the `endpoints` of the discovery document of aiplatform.googleapis.com.

/// The host for `location`. The multi-regions `us` and `eu` have names of their own.
#[must_use]
pub fn host_of(location: &str) -> String {
    match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        _ => format!("{location}-aiplatform.googleapis.com"),
    }
}
