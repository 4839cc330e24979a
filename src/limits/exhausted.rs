//! A refused reservation: the limit that is exhausted, and when the next try can succeed.

use crate::error::Reason;
use crate::limits::Window;
use crate::time::UnixTime;

/// An amount that a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Requests of a window.
    Requests,
    /// Tokens of a window.
    Tokens,
    /// Requests in flight.
    Parallel,
}

impl What {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Parallel => "parallel",
        }
    }
}

/// An exhausted limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The amount that is exhausted.
    pub what: What,
    /// The window; `None` for requests in flight.
    pub window: Option<Window>,
    /// The amount that is allowed.
    pub limit: u64,
    /// The amount that is left.
    pub remaining: u64,
    /// The amount that the request wants.
    pub wanted: u64,
    /// Whether the request wants more than the whole budget: it can never pass as it is.
    pub never: bool,
    /// Seconds until the next try, at least 1: the window's end. For requests in flight 1, as
    /// nobody knows when they end.
    pub retry_after_secs: u64,
    /// The time of the next try.
    pub reset: UnixTime,
    /// The limit's number, for [`Limits::pointer`](crate::limits::Limits::pointer).
    pub rule: u32,
}

impl Exhausted {
    /// The reason code of the refusal.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self.what {
            What::Requests => Reason::LimitRequests,
            What::Tokens => Reason::LimitTokens,
            What::Parallel => Reason::LimitParallel,
        }
    }

    /// The message for the caller: the reason's text, and the numbers.
    #[must_use]
    pub fn message(&self) -> String {
        let Self { limit, remaining, wanted, retry_after_secs: secs, .. } = self;
        let text = self.reason().text();
        let a_span = match self.window {
            Some(Window::Hour) => "an hour",
            Some(Window::Minute) => "a minute",
            None => "",
        };
        match self.what {
            What::Tokens if self.never => format!(
                "{text}: this request may need {wanted}, which is more than all {limit} tokens \
                 {a_span}; send less, or set a lower limit on output tokens"
            ),
            What::Tokens => format!(
                "{text}: this request may need {wanted}, and {remaining} of {limit} tokens \
                 {a_span} are left; try again in {secs} s"
            ),
            What::Requests => {
                format!("{text}: all {limit} requests {a_span} are used; try again in {secs} s")
            }
            What::Parallel => {
                format!("{text}: {limit} may be in flight; try again when one has ended")
            }
        }
    }

    /// The one of two that takes longer to recover: a try after the other would be in vain.
    pub(super) fn or_longer(self, other: Option<Self>) -> Self {
        let wait = |exhausted: &Self| (exhausted.never, exhausted.retry_after_secs);
        match other {
            Some(other) if wait(&other) >= wait(&self) => other,
            _ => self,
        }
    }
}
