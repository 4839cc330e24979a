//! Bodies as the module reads them.

use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::Body;
use serde_json::Value;

/// What a body asks for that has no fault.
pub fn scan(body: &Value) -> Body {
    text(&body.to_string()).unwrap_or_else(|e| panic!("{}: {body}", e.code()))
}

pub fn text(body: &str) -> Result<Body, Reason> {
    Body::scan(body.as_bytes())
}
