//! Google's identity endpoints: the metadata server, the token endpoint, STS and IAM credentials.

mod answer;
mod aws;
pub mod behaviour;
mod form;
pub mod iam_credentials;
pub mod issued;
mod jwt_bearer;
pub mod machine;
pub mod metadata;
mod oauth2;
pub mod refresh_token;
mod replies;
pub mod server;
pub mod sts;
mod subject;

use crate::http1::Head;
use answer::Fault;
use serde::{Deserialize, Serialize};
use std::sync::RwLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    Metadata,
    Oauth2,
    Sts,
    Iamcredentials,
    /// The metadata servers of other clouds.
    Machine,
}

impl Service {
    /// Google's front end tells its services apart by `Host`; the metadata server is all there is
    /// at its address.
    fn misdirected(self, head: &Head) -> Option<Fault> {
        let own = match self {
            Self::Metadata | Self::Machine => return None,
            Self::Oauth2 => "oauth2.googleapis.com",
            Self::Sts => "sts.googleapis.com",
            Self::Iamcredentials => "iamcredentials.googleapis.com",
        };
        let host = head.host.split(':').next().unwrap_or("");
        // Clients that cannot be led elsewhere name the stand-in itself.
        let good = [own, "localhost", "127.0.0.1"].contains(&host);
        (!good).then(|| Fault::not_found(head.target()))
    }
}

#[derive(Default)]
pub struct Identity {
    pub behaviours: behaviour::Behaviours,
    pub metadata: metadata::Cache,
    pub sessions: machine::Sessions,
    pub pool: RwLock<sts::Pool>,
    pub policy: RwLock<iam_credentials::Policy>,
}
