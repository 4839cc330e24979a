//! Counts decisions, each once: what is not the last word is asked for again.

use crate::gateway::Gateway;
use crate::gateway::audit::Facts;
use crate::gateway::verdict::Verdict;

impl Gateway {
    pub(super) fn count(&self, verdict: Verdict<'_>, facts: &Facts<'_>) {
        match verdict {
            Verdict::Wait(_) | Verdict::NeedsPeer | Verdict::NeedsBody => {}
            Verdict::Deny(_) | Verdict::DenyBody(_) => self.metrics.decision(verdict.refusal()),
            Verdict::Allow { target, .. } => {
                self.metrics.decision(None);
                if let Some(role) = facts.role {
                    let model = target.model.map(|model| (model.publisher, model.name));
                    self.metrics.request(role.place, role.may.pattern_of(model));
                }
            }
        }
    }
}
