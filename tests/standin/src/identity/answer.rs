//! What an identity endpoint makes of a request, before it is written down in the service's form.

use super::form::Form;
use super::issued::Grant;
use crate::http1::Head;
use serde_json::{Map, Value};

/// What was read of the request and found true, for the record.
pub type Facts = Map<String, Value>;

#[derive(Debug, PartialEq)]
pub enum Answer {
    Token(Grant),
    /// The metadata server's plain values.
    Text(String),
    Json(Value),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    /// OAuth's name of the error, or the `reason` of google.rpc.ErrorInfo; empty: none.
    pub error: String,
    pub description: String,
}

impl Fault {
    pub fn new(status: u16, error: &str, description: impl Into<String>) -> Self {
        Self { status, error: error.to_owned(), description: description.into() }
    }

    pub fn not_found(path: &str) -> Self {
        Self::new(404, "", format!("The requested URL {path} was not found on this server."))
    }
}

pub struct Request<'a> {
    pub head: &'a Head,
    pub body: &'a [u8],
    pub now: i64,
}

impl Request<'_> {
    pub fn wants_type(&self, wanted: &str) -> Result<(), Fault> {
        let given = self.head.header("content-type").unwrap_or_default();
        let kind = given.split(';').next().unwrap_or("").trim();
        if kind.eq_ignore_ascii_case(wanted) {
            return Ok(());
        }
        Err(Fault::new(400, "invalid_request", format!("Content-Type is {given:?}, not {wanted}")))
    }

    /// The form of a POST to this path.
    pub fn form(&self, path: &str, facts: &mut Facts) -> Result<Form, Fault> {
        if self.head.method != "POST" || self.head.target() != path {
            return Err(Fault::not_found(self.head.target()));
        }
        self.wants_type("application/x-www-form-urlencoded")?;
        let form = Form::parse(self.body).map_err(|e| Fault::new(400, "invalid_request", e))?;
        facts.insert("fields".to_owned(), form.names().map(Value::from).collect());
        Ok(form)
    }
}

/// A scope parameter, as OAuth writes it.
pub fn scopes(text: &str) -> Vec<String> {
    text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}
