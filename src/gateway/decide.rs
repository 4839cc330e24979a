//! From a request to its verdict: who asks, for what, under which role, as whom.

pub(super) mod actions;
pub(super) mod buffer;
pub(super) mod connection;
pub(super) mod dialect;
pub(super) mod explain;
pub(super) mod judge;
pub(super) mod rate_limit_headers;
pub(super) mod request;
pub(super) mod request_id;
pub(super) mod verdict;
pub(super) mod verified_token;
pub(super) mod waiting;
