//! Follows an allowed request to its log line: reserves its limits, reads its answer, computes its
//! cost.

pub(super) mod charge;
pub(super) mod log_fields;
pub(super) mod log_tail;
pub(super) mod read;
pub(super) mod settle;
pub(super) mod table;
pub(super) mod unlogged;
pub(super) mod upstream;

use crate::limits::{BudgetKey, Exhausted, Limits, Rules};
use crate::time::Now;
use crate::vertex::ModelText;
use crate::watch::Watch;
use table::{Begun, CallMark, CallTable};

/// The calls in flight, the limits, and the callers' histories.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) table: CallTable,
    pub(super) limits: Limits,
    pub(super) watch: Watch,
    /// Whether HAProxy's log format reports the end of each request.
    pub(super) accounts: bool,
}

impl Calls {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            table: CallTable::default(),
            limits: Limits::new(rules),
            watch: Watch::new(),
            accounts: false,
        }
    }

    /// Begins a call if its limits allow it, and reserves what it may take. If HAProxy does not
    /// report ends, the call is settled with its estimate at once, and not followed. `number` is one
    /// that the request has already.
    pub(super) fn begin(
        &self,
        mut begun: Begun,
        number: Option<u64>,
        model: Option<ModelText>,
        now: Now,
    ) -> Result<Option<CallMark>, Exhausted> {
        let estimate = begun.estimate();
        if !self.limits.is_empty_for(begun.role) {
            let model = model.as_ref().map_or("", ModelText::as_str);
            let who = BudgetKey { role: begun.role, principal: begun.principal, model };
            let reserved = match begun.is_free {
                true => self.limits.count(who, now),
                false => self.limits.reserve(who, estimate, now),
            };
            begun.reservation = Some(reserved?);
        }
        if !self.accounts {
            if let Some(reservation) = begun.reservation {
                self.limits.settle(reservation, estimate, now);
            }
            return Ok(None);
        }
        let answer = begun.answer;
        let number = number.unwrap_or_else(|| self.table.number());
        self.table.begin(number, begun);
        Ok(Some(CallMark { number, answer }))
    }
}
