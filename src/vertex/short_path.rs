//! Paths without project and location, as other APIs have them for the same models: the caller's role
//! says which are meant. Sources: Google's express mode (docs.cloud.google.com/vertex-ai/generative-ai,
//! "express mode"), ai.google.dev/api, platform.openai.com/docs/api-reference, docs.claude.com/en/api.

use crate::vertex::Target;
use crate::vertex::route::{PathNames, Route, Walk};

/// The API whose paths a request is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Vertex AI's.
    Vertex,
    /// That of Vertex AI in express mode.
    Express,
    /// The Gemini API's, of AI Studio.
    Gemini,
    /// OpenAI's.
    OpenAi,
    /// Claude's.
    Claude,
}

/// How one API's paths are read as Vertex AI's.
struct Spelling {
    api: Api,
    /// The versions in its paths.
    versions: &'static [&'static str],
    /// Behind the version: all of the path or, with a `/` at its end, how it begins.
    path: &'static str,
    /// What stands for `path` behind project and location; an empty segment is the model's name,
    /// which the body holds.
    resource: &'static [&'static str],
    /// The verb, if the path has none.
    verb: &'static str,
}

const V1: &[&str] = &["v1"];

#[rustfmt::skip]
const SPELLINGS: [Spelling; 9] = [
    Spelling { api: Api::Express, versions: &["v1", "v1beta1"], path: "publishers/", resource: &["publishers"], verb: "" },
    Spelling { api: Api::Express, versions: &["v1", "v1beta1"], path: "endpoints/", resource: &["endpoints"], verb: "" },
    Spelling { api: Api::Gemini, versions: &["v1", "v1beta", "v1alpha"], path: "models/", resource: &["publishers", "google", "models"], verb: "" },
    Spelling { api: Api::OpenAi, versions: V1, path: "chat/completions", resource: &["endpoints", "openapi", "chat", "completions"], verb: "" },
    Spelling { api: Api::OpenAi, versions: V1, path: "completions", resource: &["endpoints", "openapi", "completions"], verb: "" },
    Spelling { api: Api::OpenAi, versions: V1, path: "embeddings", resource: &["endpoints", "openapi", "embeddings"], verb: "" },
    Spelling { api: Api::OpenAi, versions: V1, path: "responses", resource: &["endpoints", "openapi", "responses"], verb: "" },
    Spelling { api: Api::Claude, versions: V1, path: "messages", resource: &["publishers", "anthropic", "models", ""], verb: "streamRawPredict" },
    Spelling { api: Api::Claude, versions: V1, path: "messages/count_tokens", resource: &["publishers", "anthropic", "models", "count-tokens"], verb: "rawPredict" },
];

/// A path that was read as one of Vertex AI's: the names that it leaves open are empty.
pub(super) struct Spelled<'u> {
    pub(super) route: &'static Route,
    pub(super) version: &'u str,
    pub(super) names: PathNames<'u>,
    pub(super) api: Api,
}

impl Api {
    /// The API that has this path, version and all, if it names no project.
    #[must_use]
    pub fn of_short(path: &str) -> Option<Self> {
        let (version, path) = path.strip_prefix('/')?.split_once('/')?;
        spelling(version, path).map(|(spelling, _)| spelling.api)
    }
}

/// Every path without a project, up to its names: `/v1/chat/completions`, `/v1/publishers/`.
pub fn short_paths() -> impl Iterator<Item = String> {
    SPELLINGS.iter().flat_map(|spelling| {
        spelling.versions.iter().map(|version| format!("/{version}/{}", spelling.path))
    })
}

/// The API whose list of models a request asks for; Claude's clients and Google's ask for `/v1/models`,
/// too.
#[must_use]
pub fn model_list_asked(http_method: &str, url: &str) -> Option<Api> {
    if http_method != "GET" {
        return None;
    }
    match url.split('?').next()? {
        "/v1/models" => Some(Api::OpenAi),
        "/v1beta/models" => Some(Api::Gemini),
        _ => None,
    }
}

/// What is wrong with the base URL of a client, if that is what keeps a URL from being one of ours.
#[must_use]
pub fn base_url_fault(http_method: &str, url: &str) -> Option<&'static str> {
    let is_known = |url: &str| {
        Target::parse(http_method, url).is_ok() || model_list_asked(http_method, url).is_some()
    };
    let versions = ["/v1", "/v1beta1", "/v1beta"];
    if versions.iter().any(|version| is_known(&format!("{version}{url}"))) {
        return Some("no version in the path; let the base URL of your client end in /v1");
    }
    let (first, _) = url.strip_prefix('/')?.split_once('/')?;
    let behind_first = url.get(first.len().checked_add(1)?..)?;
    (first.starts_with("v1") && is_known(behind_first))
        .then_some("two versions in the path; let the base URL of your client end without /v1")
}

/// Reads a path behind its version.
pub(super) fn find<'u>(http_method: &str, version: &str, path: &'u str) -> Option<Spelled<'u>> {
    let (spelling, rest) = spelling(version, path)?;
    let version = if version == "v1" { "v1" } else { "v1beta1" };
    let (rest, verb) =
        if spelling.verb.is_empty() { Route::split_verb(rest)? } else { (rest, spelling.verb) };
    let behind = |mut walk: Walk<'u>| {
        spelling.resource.iter().try_for_each(|segment| walk.step(segment))?;
        if !rest.is_empty() {
            rest.split('/').try_for_each(|segment| walk.step(segment))?;
        }
        walk.route(http_method, version, verb)
    };
    let mut placed = Walk::new();
    ["projects", "", "locations", ""].iter().try_for_each(|segment| placed.step(segment))?;
    // What belongs to no project, like a publisher's list of models, has no place.
    let (route, names) = behind(placed).or_else(|| behind(Walk::new()))?;
    Some(Spelled { route, version, names, api: spelling.api })
}

/// How a path behind its version is spelled, and what follows.
fn spelling<'u>(version: &str, path: &'u str) -> Option<(&'static Spelling, &'u str)> {
    SPELLINGS.iter().find_map(|spelling| {
        let rest = path.strip_prefix(spelling.path)?;
        let is_all = rest.is_empty() != spelling.path.ends_with('/');
        (is_all && spelling.versions.contains(&version)).then_some((spelling, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_path_is_a_long_one_without_its_place() {
        let written = |http_method, path: &str| {
            let target = Target::parse(http_method, path).map(|target| target.at("p", "l"));
            target.map(|target| target.to_string())
        };
        for (short, long) in [
            (
                "/v1beta1/publishers/google/models/g:streamGenerateContent?alt=sse",
                "/v1beta1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse",
            ),
            (
                "/v1/endpoints/7:generateContent",
                "/v1/projects/p/locations/l/endpoints/7:generateContent",
            ),
            (
                "/v1/endpoints/7/chat/completions",
                "/v1/projects/p/locations/l/endpoints/7/chat/completions",
            ),
            (
                "/v1beta/models/g:countTokens",
                "/v1beta1/projects/p/locations/l/publishers/google/models/g:countTokens",
            ),
            (
                "/v1/models/g:generateContent",
                "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            ),
            (
                "/v1/chat/completions",
                "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
            ),
            ("/v1/embeddings", "/v1/projects/p/locations/l/endpoints/openapi/embeddings"),
            ("/v1/responses", "/v1/projects/p/locations/l/endpoints/openapi/responses"),
            (
                "/v1/messages?beta=true",
                "/v1/projects/p/locations/l/publishers/anthropic/models/:streamRawPredict",
            ),
            (
                "/v1/messages/count_tokens",
                "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
            ),
        ] {
            assert_eq!(written("POST", short).as_deref(), Ok(long), "{short}");
        }
        for none in [
            "/v1/messages/batches",
            "/v1/messages:rawPredict",
            "/v1/messages/",
            "/v1beta/messages",
            "/v2/chat/completions",
            "/v1/chat",
            "/v1beta/models/",
            "/v1beta/models/a/b:generateContent",
            "/v1beta/models/g:rawPredictAll",
            "/v1/publishers/",
            "/v1/projects/p/models/g:generateContent",
            "/v1/chat/completions?beta=true",
        ] {
            assert!(written("POST", none).is_err(), "{none}");
        }
        let listed = Target::parse("GET", "/v1beta/models/g").unwrap();
        assert_eq!(listed.to_string(), "/v1beta1/publishers/google/models/g");
        assert!(!listed.lacks_place() && listed.project.is_none());
    }
}
