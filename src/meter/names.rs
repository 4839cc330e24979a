//! The names of Google's enums, for answers asked for with `$alt=json;enum-encoding=int`.

/// `Candidate.FinishReason` of google.cloud.aiplatform.v1, by number.
const FINISH_REASONS: [&str; 17] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
];

/// `GenerateContentResponse.PromptFeedback.BlockedReason` of google.cloud.aiplatform.v1, by number.
const BLOCKED_REASONS: [&str; 7] = [
    "BLOCKED_REASON_UNSPECIFIED",
    "SAFETY",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "MODEL_ARMOR",
    "JAILBREAK",
];

/// `UsageMetadata.TrafficType` of google.cloud.aiplatform.v1, by number.
const TRAFFIC_TYPES: [&str; 5] = [
    "TRAFFIC_TYPE_UNSPECIFIED",
    "ON_DEMAND",
    "PROVISIONED_THROUGHPUT",
    "ON_DEMAND_PRIORITY",
    "ON_DEMAND_FLEX",
];

/// The name of the finish reason with this number; the number itself if unknown.
pub(super) fn finish_reason(number: &[u8]) -> &[u8] {
    name(&FINISH_REASONS, number)
}

/// The name of the blocked reason with this number; the number itself if unknown.
pub(super) fn blocked_reason(number: &[u8]) -> &[u8] {
    name(&BLOCKED_REASONS, number)
}

/// The name of the traffic type with this number; the number itself if unknown.
pub(super) fn traffic_type(number: &[u8]) -> &[u8] {
    name(&TRAFFIC_TYPES, number)
}

fn name<'n>(names: &[&'static str], number: &'n [u8]) -> &'n [u8] {
    let index = std::str::from_utf8(number).ok().and_then(|text| text.parse::<usize>().ok());
    index.and_then(|index| names.get(index)).map_or(number, |name| name.as_bytes())
}
