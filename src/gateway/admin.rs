//! What people and machines look at: counters, the page for Prometheus, tables, readiness, the health log.

pub(super) mod changes;
pub(super) mod count;
pub(super) mod counters;
pub(super) mod health_log;
pub(super) mod prometheus;
pub(super) mod readiness;
pub(super) mod show;
pub(super) mod show_tables;
pub(super) mod table;
