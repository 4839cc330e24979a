//! For operators and their tools: counters, the page for Prometheus, tables, readiness, the health
//! log.

pub(super) mod counters;
pub(super) mod health_log;
pub(super) mod prometheus;
pub(super) mod readiness;
pub(super) mod show;
pub(super) mod show_tables;

use crate::gateway::calls::Calls;
use crate::gateway::decide::Decide;
use counters::Metrics;
use health_log::HealthLog;
use readiness::Readiness;

/// What the gateway keeps for operators.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) counters: Metrics,
    pub(super) health_log: HealthLog,
    pub(super) readiness: Readiness,
    /// Whether commands may change something.
    pub(super) may_change: bool,
}

/// All state of the gateway that operators can look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'v> {
    pub(super) decide: &'v Decide,
    pub(super) calls: &'v Calls,
    pub(super) admin: &'v Admin,
}
