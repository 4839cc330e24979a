//! How one of the identity services misbehaves, as the control API sets it.

use super::Service;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Normal,
    /// The error that `status` and the fields beside it say.
    Status,
    /// The request is taken and never answered.
    Hang,
    /// The request is taken, and the connection closed.
    Cut,
    /// A good answer, with blanks behind it up to `bytes`.
    Huge,
    /// A good answer that ends in the middle.
    BrokenJson,
    /// A page of HTML with status 200.
    NotJson,
    /// The metadata server's answer without `Metadata-Flavor: Google`.
    NoFlavor,
    /// The metadata server knows no service account.
    NoAccount,
}

/// How `expires_in` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiresIn {
    #[default]
    Number,
    Missing,
    String,
    Zero,
    Negative,
    Huge,
}

/// How `expireTime` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpireTime {
    #[default]
    Seconds,
    Fractions,
    Missing,
    /// An hour ago.
    Past,
    NotATime,
}

/// A part of the metadata server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Ping,
    Token,
    Account,
    Project,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    pub mode: Mode,
    pub status: u16,
    /// Instead of the error's usual name and text.
    pub error: Option<String>,
    pub error_description: Option<String>,
    /// Seconds, in a header of the error.
    pub retry_after: Option<u32>,
    pub delay_ms: u64,
    /// How long an answer of mode `huge` is at the least.
    pub bytes: usize,
    /// Of the tokens from now on; absent: as asked for, or 3600.
    pub lifetime: Option<i64>,
    /// How long a token is at the least.
    pub token_bytes: usize,
    pub expires_in: ExpiresIn,
    pub expire_time: ExpireTime,
    /// The mode is for this part alone.
    pub endpoint: Option<Endpoint>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            mode: Mode::Normal,
            status: 503,
            error: None,
            error_description: None,
            retry_after: None,
            delay_ms: 0,
            bytes: 1 << 20,
            lifetime: None,
            token_bytes: 0,
            expires_in: ExpiresIn::Number,
            expire_time: ExpireTime::Seconds,
            endpoint: None,
        }
    }
}

impl Behaviour {
    /// What would be without effect on this service.
    pub fn fault(&self, service: Service) -> Option<&'static str> {
        let metadata = service == Service::Metadata;
        let iam = service == Service::Iamcredentials;
        let has_account = metadata || service == Service::Machine;
        if !metadata && self.mode == Mode::NoFlavor || !has_account && self.mode == Mode::NoAccount
        {
            return Some("this mode is the metadata server's");
        }
        if !metadata && self.endpoint.is_some() {
            return Some("endpoint is the metadata server's");
        }
        if iam && self.expires_in != ExpiresIn::Number {
            return Some("IAM credentials say expireTime, not expires_in");
        }
        if !iam && self.expire_time != ExpireTime::Seconds {
            return Some("expireTime is IAM credentials'");
        }
        let words = self.error.is_some() || self.error_description.is_some();
        if self.mode != Mode::Status && (words || self.retry_after.is_some()) {
            return Some("error, error_description and retry_after go with mode status");
        }
        if !matches!(self.status, 400..=599) {
            return Some("status must be an error");
        }
        (self.lifetime.is_some_and(|seconds| seconds < 1)).then_some("lifetime must be positive")
    }

    /// For this part of the metadata server; the others are as normal.
    pub fn at(mut self, endpoint: Option<Endpoint>) -> Self {
        if self.endpoint.is_some() && self.endpoint != endpoint {
            self.mode = Mode::Normal;
            self.delay_ms = 0;
        }
        self
    }
}

#[derive(Default)]
pub struct Behaviours(Mutex<[Behaviour; 5]>);

impl Behaviours {
    pub fn set(&self, service: Service, behaviour: Behaviour) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[service as usize] = behaviour;
    }

    pub fn of(&self, service: Service) -> Behaviour {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[service as usize].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Behaviour {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn one_service_alone() {
        let behaviours = Behaviours::default();
        behaviours.set(Service::Sts, parsed(r#"{"mode":"hang"}"#));
        assert_eq!(behaviours.of(Service::Sts).mode, Mode::Hang);
        for other in [Service::Metadata, Service::Oauth2, Service::Iamcredentials, Service::Machine]
        {
            assert_eq!(behaviours.of(other).mode, Mode::Normal);
        }
    }

    #[test]
    fn one_part_of_the_metadata_server() {
        let token = parsed(r#"{"mode":"hang","endpoint":"token"}"#);
        assert_eq!(token.clone().at(Some(Endpoint::Token)).mode, Mode::Hang);
        assert_eq!(token.at(Some(Endpoint::Ping)).mode, Mode::Normal);
        assert_eq!(parsed(r#"{"mode":"hang"}"#).at(Some(Endpoint::Ping)).mode, Mode::Hang);
    }

    #[test]
    fn what_has_no_effect_is_refused() {
        let services = [
            Service::Metadata,
            Service::Oauth2,
            Service::Sts,
            Service::Iamcredentials,
            Service::Machine,
        ];
        // Who takes it, in the order above.
        for (json, taken) in [
            (r#"{"mode":"huge","bytes":9,"token_bytes":9,"lifetime":9}"#, [true; 5]),
            (r#"{"mode":"no_flavor"}"#, [true, false, false, false, false]),
            (r#"{"mode":"no_account"}"#, [true, false, false, false, true]),
            (r#"{"mode":"hang","endpoint":"ping"}"#, [true, false, false, false, false]),
            (r#"{"expires_in":"zero"}"#, [true, true, true, false, true]),
            (r#"{"expire_time":"fractions"}"#, [false, false, false, true, false]),
            (r#"{"mode":"status","status":400,"error":"invalid_grant"}"#, [true; 5]),
            (r#"{"error":"invalid_grant"}"#, [false; 5]),
            (r#"{"mode":"status","status":200}"#, [false; 5]),
            (r#"{"lifetime":0}"#, [false; 5]),
        ] {
            let behaviour = parsed(json);
            let fine = services.map(|service| behaviour.fault(service).is_none());
            assert_eq!(fine, taken, "{json}");
        }
        assert!(serde_json::from_str::<Behaviour>(r#"{"modus":"hang"}"#).is_err());
    }
}
