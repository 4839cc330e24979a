//! Counts requests by their outcome, each once: with its log line, or, where there is none that
//! tells, with its decision.

use crate::gateway::Gateway;
use crate::gateway::admin::counters::{TokenKind, Unmetered};
use crate::gateway::calls::ended::Ended;
use crate::gateway::calls::table::{Answer, Begun};
use crate::gateway::decide::verdict::Verdict;
use crate::meter::{Counted, Usage};

impl Gateway {
    /// Counts a decision that is the last word, where no log line will.
    pub(in crate::gateway) fn count(&self, verdict: &Verdict<'_>) {
        let is_last =
            !matches!(verdict, Verdict::Wait(_) | Verdict::NeedsPeer | Verdict::NeedsBody);
        if is_last && !self.accounts {
            self.metrics.decision(verdict.reason());
        }
    }

    /// Counts what became of a call.
    pub(in crate::gateway) fn count_call(
        &self,
        ended: &Ended<'_>,
        begun: &Begun,
        usage: &Usage,
        is_read: bool,
    ) {
        let counts = [
            (TokenKind::Input, usage.input),
            (TokenKind::Output, usage.output),
            (TokenKind::Cached, usage.cached),
            (TokenKind::CacheWrite, usage.cache_write),
            (TokenKind::Thought, usage.thought),
            (TokenKind::ToolUse, usage.tool_use),
        ];
        // What was only counted (`countTokens`) was not used.
        for (kind, tokens) in counts.into_iter().filter(|_| !begun.is_free) {
            self.metrics.tokens(begun.role, begun.pattern, kind, tokens.unwrap_or(0));
        }
        let is_counted = matches!(usage.counted, Counted::Exact | Counted::Nothing);
        if !is_counted && begun.answer != Answer::Unmetered {
            self.metrics.unmetered(match (ended.upstream, is_read) {
                (None, _) => Unmetered::Unanswered,
                (Some(_), false) => Unmetered::Unread,
                (Some(_), true) => Unmetered::BrokenOff,
            });
        }
    }
}
