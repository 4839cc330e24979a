//! The paths that the Google side serves, and the query options that change an answer.

/// What is asked, and so the shape of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Generate,
    Stream,
    CountTokens,
    EmbedContent,
    Predict,
    /// Claude: `rawPredict` and `streamRawPredict`; only the body says whether it is streamed.
    Messages,
    CountMessages,
    Chat,
    Embeddings,
    ListModels,
    GetModel,
}

/// `/{version}/projects/P/locations/L/publishers/PUB/models/M:verb`,
/// `/{version}/projects/P/locations/L/endpoints/openapi/…`, `/{version}/publishers/PUB/models…`, or
/// `/{version}/publishers/google/models/M:verb` of express mode.
#[derive(Debug, PartialEq, Eq)]
pub struct Route<'a> {
    version: &'a str,
    /// What stands between the version and the verb.
    resource: &'a str,
    publisher: &'a str,
    /// Empty where the body names it, or nothing does.
    pub model: &'a str,
    pub verb: Verb,
    method: &'static str,
}

impl<'a> Route<'a> {
    pub fn parse(http_method: &str, path: &'a str) -> Option<Self> {
        let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
        let (resource, verb) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let parts: Vec<&str> = resource.split('/').collect();
        let (publisher, model, (verb, method)) = match (http_method, &parts[..]) {
            (
                "POST",
                ["projects", _, "locations", _, "publishers", "anthropic", "models", model],
            ) => ("anthropic", *model, claude(model, verb)?),
            ("POST", ["projects", _, "locations", _, "publishers", publisher, "models", model]) => {
                (*publisher, *model, gemini(verb)?)
            }
            ("POST", ["projects", _, "locations", _, "endpoints", "openapi", tail @ ..])
                if verb.is_empty() =>
            {
                ("google", "", openai(tail)?)
            }
            ("POST", ["publishers", "google", "models", model]) if verb != "embedContent" => {
                ("google", *model, gemini(verb)?)
            }
            ("GET", ["publishers", publisher, "models"]) if version == "v1beta1" => {
                (*publisher, "", (Verb::ListModels, "ModelGardenService.ListPublisherModels"))
            }
            ("GET", ["publishers", publisher, "models", model]) => {
                (*publisher, *model, (Verb::GetModel, "ModelGardenService.GetPublisherModel"))
            }
            _ => return None,
        };
        let plain = parts.iter().all(|part| !part.is_empty());
        let model = if verb == Verb::CountMessages { "" } else { model };
        (plain && matches!(version, "v1" | "v1beta1")).then_some(Self {
            version,
            resource,
            publisher,
            model,
            verb,
            method,
        })
    }

    pub fn resource(&self) -> String {
        self.resource.to_owned()
    }

    pub fn publisher(&self) -> &'a str {
        self.publisher
    }

    /// Whether it is one of express mode, which an API key opens.
    pub fn is_express(&self) -> bool {
        self.resource.starts_with("publishers/")
            && !matches!(self.verb, Verb::ListModels | Verb::GetModel)
    }

    /// Whether it is Claude that answers.
    pub fn is_claude(&self) -> bool {
        matches!(self.verb, Verb::Messages | Verb::CountMessages)
    }

    /// The name of the called method as Google's error details give it.
    pub fn rpc(&self) -> String {
        format!("google.cloud.aiplatform.{}.{}", self.version, self.method)
    }
}

type Method = (Verb, &'static str);

fn gemini(verb: &str) -> Option<Method> {
    Some(match verb {
        "generateContent" => (Verb::Generate, "PredictionService.GenerateContent"),
        "streamGenerateContent" => (Verb::Stream, "PredictionService.StreamGenerateContent"),
        "countTokens" => (Verb::CountTokens, "LlmUtilityService.CountTokens"),
        "embedContent" => (Verb::EmbedContent, "PredictionService.EmbedContent"),
        "predict" => (Verb::Predict, "PredictionService.Predict"),
        _ => return None,
    })
}

fn claude(model: &str, verb: &str) -> Option<Method> {
    Some(match (model, verb) {
        ("count-tokens", "rawPredict") => (Verb::CountMessages, "PredictionService.RawPredict"),
        ("count-tokens", _) => return None,
        (_, "rawPredict") => (Verb::Messages, "PredictionService.RawPredict"),
        (_, "streamRawPredict") => (Verb::Messages, "PredictionService.StreamRawPredict"),
        _ => return None,
    })
}

fn openai(tail: &[&str]) -> Option<Method> {
    Some(match tail {
        ["chat", "completions"] => (Verb::Chat, "PredictionService.ChatCompletions"),
        ["embeddings"] => (Verb::Embeddings, "PredictionService.Embeddings"),
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub sse: bool,
    /// `enum-encoding=int`: enumerations as numbers.
    pub int_enums: bool,
}

pub fn options(query: &str) -> Options {
    let mut options = Options::default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if matches!(decode(name).as_str(), "alt" | "$alt") {
            let value = decode(value);
            let mut words = value.split(';');
            options.sse |= words.next() == Some("sse");
            options.int_enums |= words.any(|w| w == "enum-encoding=int");
        }
    }
    options
}

/// Percent-decoding; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let path = "/v1beta1/projects/p/locations/l/publishers/google/models/m@1:countTokens";
        let route = Route::parse("POST", path).unwrap();
        assert_eq!((route.model, route.verb), ("m@1", Verb::CountTokens));
        assert_eq!(route.rpc(), "google.cloud.aiplatform.v1beta1.LlmUtilityService.CountTokens");
        for bad in [
            "/v2/projects/p/locations/l/publishers/g/models/m:generateContent",
            "/v1/projects//locations/l/publishers/g/models/m:generateContent",
            "/v1/projects/p/locations/l/publishers/g/models/m:rawPredict",
            "/v1/projects/p/locations/l/publishers/anthropic/models/m:generateContent",
            "/v1/projects/p/locations/l/endpoints/openapi/models",
            "/v1/projects/p/locations/l/endpoints/7/chat/completions",
            "/v1/publishers/google/models/m",
            "/v1/projects/p/locations/l/publishers/g/models/m/:generateContent",
            "/v1//projects/p/locations/l/publishers/g/models/m:generateContent",
            "/v1/projects/p/locations/l/publishers/g/models/m%3AgenerateContent",
            "/v1",
            "",
        ] {
            assert_eq!(Route::parse("POST", bad), None, "{bad}");
        }
    }

    #[test]
    fn other_dialects() {
        fn parse<'a>(method: &str, path: &'a str) -> (Verb, &'a str) {
            let route = Route::parse(method, path).unwrap();
            (route.verb, route.model)
        }
        let claude = "/v1/projects/p/locations/l/publishers/anthropic/models";
        let openai = "/v1/projects/p/locations/l/endpoints/openapi";
        for (path, verb, model) in [
            (format!("{claude}/c@1:streamRawPredict"), Verb::Messages, "c@1"),
            (format!("{claude}/count-tokens:rawPredict"), Verb::CountMessages, ""),
            (format!("{openai}/chat/completions"), Verb::Chat, ""),
            (format!("{openai}/embeddings"), Verb::Embeddings, ""),
        ] {
            assert_eq!(parse("POST", &path), (verb, model), "{path}");
            assert_eq!(Route::parse("GET", &path), None, "{path}");
        }
        let one = "/v1beta1/publishers/google/models/m";
        assert_eq!(parse("GET", one), (Verb::GetModel, "m"));
        assert_eq!(parse("GET", "/v1beta1/publishers/google/models").0, Verb::ListModels);
        assert_eq!(Route::parse("GET", "/v1/publishers/google/models"), None);
    }

    #[test]
    fn queries() {
        assert_eq!(options(""), Options::default());
        assert_eq!(options("x=1&alt=sse"), Options { sse: true, int_enums: false });
        let int = Options { sse: false, int_enums: true };
        assert_eq!(options("%24alt=json%3Benum-encoding%3Dint"), int);
        assert_eq!(options("$alt=json;enum-encoding=int&alt=sse%"), int);
    }
}
