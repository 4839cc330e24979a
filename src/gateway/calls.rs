//! From an allow to its log line: what the call may take, what its answer says, what it cost.

pub(super) mod charge;
pub(super) mod ended;
pub(super) mod log_fields;
pub(super) mod log_tail;
pub(super) mod read;
pub(super) mod settle;
pub(super) mod table;
pub(super) mod unlogged;
