//! Google's express mode, in which an API key stands for a project: few methods, of Google's own models
//! alone, and paths without project and location. Source: docs.cloud.google.com/vertex-ai/generative-ai,
//! "express mode".

use crate::vertex::Target;

/// The methods that it has.
const METHODS: [&str; 5] =
    ["generateContent", "streamGenerateContent", "countTokens", "computeTokens", "predict"];

/// Where its models stand in the paths of other requests, and how many segments and names of those
/// paths it leaves out.
const MODELS: &str =
    "/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}";
const PLACE: (usize, usize) = (4, 2);

/// The publisher whose models it has.
pub const EXPRESS_PUBLISHER: &str = "google";

/// The location that it has, as roles name it.
pub const EXPRESS_LOCATION: &str = "global";

/// The methods that it has, as roles name them.
#[must_use]
pub const fn express_methods() -> &'static [&'static str] {
    &METHODS
}

impl Target<'_> {
    /// Whether express mode has it.
    #[must_use]
    pub fn is_express(&self) -> bool {
        self.location == EXPRESS_LOCATION
            && self.publisher() == Some(EXPRESS_PUBLISHER)
            && METHODS.contains(&self.route.method.as_str())
            && self.route.path.starts_with(MODELS)
    }

    /// Writes the path and query that are sent to Google's express mode.
    pub fn write_express_to(&self, out: &mut String) {
        self.write_without(PLACE, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Target<'_> {
        Target::parse("POST", path).unwrap_or_else(|reason| panic!("{path}: {reason:?}"))
    }

    #[test]
    fn a_path_of_express_mode_has_no_project_and_no_location() {
        let sent = |path| {
            let (target, mut out) = (target(path), String::new());
            assert!(target.is_express(), "{path}");
            target.write_express_to(&mut out);
            out
        };
        assert_eq!(
            sent(
                "/v1/projects/p/locations/global/publishers/google/models/gemini-9:generateContent"
            ),
            "/v1/publishers/google/models/gemini-9:generateContent"
        );
        assert_eq!(
            sent(
                "/v1beta1/projects/p/locations/global/publishers/google/models/gemini-9:\
                 streamGenerateContent?alt=sse"
            ),
            "/v1beta1/publishers/google/models/gemini-9:streamGenerateContent?alt=sse"
        );
    }

    #[test]
    fn what_express_mode_does_not_have_is_told_from_what_it_has() {
        let at = |location: &str, publisher: &str, verb: &str| {
            format!("/v1/projects/p/locations/{location}/publishers/{publisher}/models/m:{verb}")
        };
        for method in METHODS {
            assert!(target(&at("global", "google", method)).is_express(), "{method}");
        }
        for path in [
            at("us-central1", "google", "generateContent"),
            at("global", "anthropic", "rawPredict"),
            at("global", "google", "embedContent"),
            "/v1/projects/p/locations/global/endpoints/7:generateContent".to_owned(),
            "/v1/projects/p/locations/global/endpoints/openapi/chat/completions".to_owned(),
        ] {
            assert!(!target(&path).is_express(), "{path}");
        }
    }
}
