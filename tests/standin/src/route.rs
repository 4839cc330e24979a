//! The paths that the Google side serves, and the query options that change an answer.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Generate,
    Stream,
    CountTokens,
}

/// `/{version}/projects/P/locations/L/publishers/PUB/models/M:verb`
#[derive(Debug, PartialEq, Eq)]
pub struct Route<'a> {
    version: &'a str,
    /// From `projects/` to the model.
    resource: &'a str,
    pub model: &'a str,
    pub verb: Verb,
}

impl<'a> Route<'a> {
    pub fn parse(path: &'a str) -> Option<Self> {
        let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
        let (resource, verb) = rest.rsplit_once(':')?;
        let parts: Vec<&str> = resource.split('/').collect();
        let ["projects", project, "locations", location, "publishers", publisher, "models", model] =
            parts[..]
        else {
            return None;
        };
        let verb = match verb {
            "generateContent" => Verb::Generate,
            "streamGenerateContent" => Verb::Stream,
            "countTokens" => Verb::CountTokens,
            _ => return None,
        };
        let plain = [project, location, publisher, model].iter().all(|p| !p.is_empty());
        (plain && matches!(version, "v1" | "v1beta1")).then_some(Self {
            version,
            resource,
            model,
            verb,
        })
    }

    pub fn resource(&self) -> String {
        self.resource.to_owned()
    }

    /// The name of the called method as Google's error details give it.
    pub fn rpc(&self) -> String {
        let (service, method) = match self.verb {
            Verb::Generate => ("PredictionService", "GenerateContent"),
            Verb::Stream => ("PredictionService", "StreamGenerateContent"),
            Verb::CountTokens => ("LlmUtilityService", "CountTokens"),
        };
        format!("google.cloud.aiplatform.{}.{service}.{method}", self.version)
    }
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
        let route = Route::parse(path).unwrap();
        assert_eq!((route.model, route.verb), ("m@1", Verb::CountTokens));
        assert_eq!(route.rpc(), "google.cloud.aiplatform.v1beta1.LlmUtilityService.CountTokens");
        for bad in [
            "/v2/projects/p/locations/l/publishers/g/models/m:generateContent",
            "/v1/projects//locations/l/publishers/g/models/m:generateContent",
            "/v1/projects/p/locations/l/publishers/g/models/m:predict",
            "/v1/projects/p/locations/l/publishers/g/models/m/:generateContent",
            "/v1//projects/p/locations/l/publishers/g/models/m:generateContent",
            "/v1/projects/p/locations/l/publishers/g/models/m%3AgenerateContent",
            "/v1",
            "",
        ] {
            assert_eq!(Route::parse(bad), None, "{bad}");
        }
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
