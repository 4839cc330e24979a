//! Why a reservation is refused, and when the next one can succeed.

use crate::error::Reason;
use crate::limits::Window;
use crate::time::UnixTime;

/// What there is not enough of.
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
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Parallel => "parallel",
        }
    }
}

/// A limit that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// What there is not enough of.
    pub what: What,
    /// The window; nothing for requests in flight.
    pub window: Option<Window>,
    /// How much is allowed.
    pub limit: u64,
    /// How much of it is left.
    pub remaining: u64,
    /// How much the request wants.
    pub wanted: u64,
    /// The request wants more than the whole budget: it can never pass as it is.
    pub never: bool,
    /// When to try again, in seconds from now, at least 1: the window's end. Nobody knows when a
    /// request in flight ends, so 1 there.
    pub retry_after_secs: u64,
    /// The same as a time.
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

    /// What the caller is told: the reason's text, and the numbers.
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

    /// Of two, the one that is to be waited for longer: who waited for the other would come in vain.
    pub(super) fn or_longer(self, other: Option<Self>) -> Self {
        let wait = |exhausted: &Self| (exhausted.never, exhausted.retry_after_secs);
        match other {
            Some(other) if wait(&other) >= wait(&self) => other,
            _ => self,
        }
    }
}
