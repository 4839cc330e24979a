//! The list of models that a caller may use without naming project and location, in the shape of the
//! API whose path asks for it. It comes from the roles alone: Google is not asked. Sources:
//! platform.openai.com/docs/api-reference/models, docs.claude.com/en/api/models-list,
//! ai.google.dev/api/models.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::policy::Role;
use crate::vertex::Api;

/// Most models in a list; the verdict's text carries it.
const MAX_MODELS: usize = 100;

/// The publisher whose models an API has; any but Claude's in OpenAI's.
const fn has_publisher(api: Api, publisher: &str) -> bool {
    let is_claude = matches!(publisher.as_bytes(), b"anthropic");
    match api {
        Api::Claude => is_claude,
        Api::Gemini => matches!(publisher.as_bytes(), b"google"),
        Api::OpenAi | Api::Vertex | Api::Express => !is_claude,
    }
}

/// The methods that an API's paths lead to.
const fn methods(api: Api) -> &'static [&'static str] {
    match api {
        Api::Claude => &["streamRawPredict"],
        Api::OpenAi => &["chat.completions", "openapi.completions", "openapi.embeddings"],
        Api::Gemini | Api::Vertex | Api::Express => {
            &["generateContent", "streamGenerateContent", "embedContent", "predict"]
        }
    }
}

/// The list as JSON, of the models that these roles name in full.
pub(in crate::gateway) fn json<'r>(api: Api, roles: impl Iterator<Item = &'r Role>) -> String {
    let may = roles.filter(|role| role.default.is_some()).map(|role| &role.may);
    let may = may.filter(|may| methods(api).iter().any(|method| may.has_method(method)));
    let names: BTreeSet<_> = may
        .flat_map(|may| may.models.iter().filter_map(|pattern| pattern.exact()?.split_once('/')))
        .filter(|(publisher, _)| has_publisher(api, publisher))
        .collect();
    let models = || names.iter().take(MAX_MODELS);
    let list = match api {
        Api::Claude => {
            let ids: Vec<_> = models().map(|(_, name)| name.replace('@', "-")).collect();
            let model = |id: &String| {
                json!({ "type": "model", "id": id, "display_name": id,
                        "created_at": "1970-01-01T00:00:00Z" })
            };
            let data: Vec<Value> = ids.iter().map(model).collect();
            json!({ "data": data, "has_more": false, "first_id": ids.first(), "last_id": ids.last() })
        }
        Api::Gemini => {
            let model = |(_, name): &(&str, &str)| json!({ "name": format!("models/{name}") });
            json!({ "models": models().map(model).collect::<Vec<_>>() })
        }
        Api::OpenAi | Api::Vertex | Api::Express => {
            let model = |(publisher, name): &(&str, &str)| {
                json!({ "id": format!("{publisher}/{name}"), "object": "model", "created": 0,
                        "owned_by": publisher })
            };
            json!({ "object": "list", "data": models().map(model).collect::<Vec<_>>() })
        }
    };
    list.to_string()
}
