//! Embeddings: `embedContent` and `predict` of Google's, and OpenAI's with numbers or base64.

use crate::answers::{pretty, tokens};
use crate::keys::b64_standard;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// Enough to tell two texts apart.
const DIMENSIONS: usize = 8;

/// Depends on the text only; each number is the same as a double, a float and a decimal.
fn vector(text: &str) -> Vec<f32> {
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref()[..DIMENSIONS].iter().map(|byte| (f32::from(*byte) - 128.0) / 128.0).collect()
}

fn tokens_of(text: &str) -> usize {
    tokens(text.chars().count())
}

/// `:embedContent`: one content, one embedding, whatever the number of its parts.
pub fn embed_content(texts: &[String]) -> String {
    let text = texts.concat();
    let count = tokens_of(&text);
    pretty(&json!({
        "embedding": { "values": vector(&text) },
        "usageMetadata": {
            "promptTokenCount": count,
            "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": count }],
            "totalTokenCount": count,
        },
    }))
}

/// `:predict` of a text embedding model; statistics are in snake case there.
pub fn predict(texts: &[String]) -> String {
    let one = |text: &String| {
        json!({ "embeddings": {
            "statistics": { "token_count": tokens_of(text), "truncated": false },
            "values": vector(text),
        }})
    };
    let billable: usize = texts.iter().map(|text| text.chars().count()).sum();
    pretty(&json!({
        "metadata": { "billableCharacterCount": billable },
        "predictions": texts.iter().map(one).collect::<Vec<_>>(),
    }))
}

/// OpenAI's `/embeddings`; base64 is of little-endian floats.
pub fn openai(model: &str, texts: &[String], base64: bool) -> String {
    let one = |(index, text): (usize, &String)| {
        let numbers = vector(text);
        let embedding: Value = if base64 {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            b64_standard(bytes).into()
        } else {
            json!(numbers)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let count: usize = texts.iter().map(|text| tokens_of(text)).sum();
    pretty(&json!({
        "object": "list",
        "data": texts.iter().enumerate().map(one).collect::<Vec<_>>(),
        "model": model,
        "usage": { "prompt_tokens": count, "total_tokens": count },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;

    fn parse(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn one_vector_in_every_shape() {
        let texts = ["hello".to_owned(), "other".to_owned()];
        let numbers = json!(vector("hello"));
        assert_ne!(numbers, json!(vector("other")));
        assert_eq!(parse(&embed_content(&texts[..1]))["embedding"]["values"], numbers);
        let predicted = parse(&predict(&texts));
        assert_eq!(predicted["predictions"][0]["embeddings"]["values"], numbers);
        assert_eq!(predicted["predictions"][1]["embeddings"]["statistics"]["token_count"], 2);
        assert_eq!(predicted["metadata"]["billableCharacterCount"], 10);
        let listed = parse(&openai("m", &texts, false));
        assert_eq!(listed["data"][0]["embedding"], numbers);
        assert_eq!(listed["usage"]["total_tokens"], 4);
        let packed = parse(&openai("m", &texts, true));
        let text = packed["data"][0]["embedding"].as_str().unwrap();
        let bytes = base64::prelude::BASE64_STANDARD.decode(text).unwrap();
        let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(json!(first), numbers[0]);
        assert_eq!(bytes.len(), 4 * DIMENSIONS);
    }
}
