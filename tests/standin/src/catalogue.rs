//! The catalogue of a publisher's models: the list, and one of it.

use crate::answers::pretty;
use serde_json::{Value, json};

const MODELS: [&str; 3] = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"];

fn entry(publisher: &str, model: &str) -> Value {
    let name = format!("publishers/{publisher}/models/{model}");
    json!({
        "name": name,
        "versionId": "default",
        "openSourceCategory": "PROPRIETARY",
        "launchStage": "GA",
        "publisherModelTemplate": format!("projects/{{user-project}}/locations/{{location}}/{name}"),
    })
}

pub fn list(publisher: &str) -> String {
    pretty(&json!({ "publisherModels": MODELS.map(|model| entry(publisher, model)) }))
}

pub fn get(publisher: &str, model: &str) -> String {
    pretty(&entry(publisher, model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_what_get_gives() {
        let list: Value = serde_json::from_str(&list("google")).unwrap();
        let one: Value = serde_json::from_str(&get("google", MODELS[0])).unwrap();
        assert_eq!(list["publisherModels"][0], one);
        assert_eq!(one["name"], "publishers/google/models/gemini-2.5-flash");
    }
}
