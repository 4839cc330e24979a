//! Query parameters: a closed list. Google's system parameters can carry credentials (`key`,
//! `access_token`), hide usage (`fields`) or change the answer's type (`$ct`, `callback`).
//! Source: Google's system parameters, docs.cloud.google.com/apis/docs/system-parameters.

use crate::error::Reason;
use crate::vertex::Method;

/// The one parameter a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// No query.
    None,
    /// Server-sent events.
    Sse,
    /// JSON, which is the default.
    Json,
    /// JSON with integers for enums, as Google's REST clients ask for.
    JsonIntegerEnums,
}

impl Query {
    /// Reads what stands behind `?`. A client may percent-encode `$`, `;` and `=`.
    pub(super) fn parse(query: &str, method: Method) -> Result<Self, Reason> {
        match query {
            "alt=sse" | "$alt=sse" | "%24alt=sse" if method == Method::StreamGenerateContent => {
                Ok(Self::Sse)
            }
            "alt=json" | "$alt=json" | "%24alt=json" => Ok(Self::Json),
            "$alt=json;enum-encoding=int"
            | "%24alt=json;enum-encoding=int"
            | "%24alt=json%3Benum-encoding%3Dint"
            | "%24alt=json%3benum-encoding%3dint" => Ok(Self::JsonIntegerEnums),
            _ => Err(Reason::QueryNotAllowed),
        }
    }

    /// The query that is sent to Google, with its `?`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Sse => "?alt=sse",
            Self::Json => "?alt=json",
            Self::JsonIntegerEnums => "?$alt=json;enum-encoding=int",
        }
    }
}
