//! The two windows of a limit. They are fixed and aligned to UTC: a minute begins at second 0, an
//! hour at minute 0, for everybody at once.

use crate::time::UnixTime;

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// 60 seconds.
    Minute,
    /// 3600 seconds.
    Hour,
}

impl Span {
    /// The shorter one first.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// The length in seconds.
    #[must_use]
    pub const fn secs(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// The word for people: `minute`, `hour`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    /// The first second after the window of this number.
    pub(super) fn end(self, index: u32) -> UnixTime {
        UnixTime(i64::from(index).saturating_add(1).saturating_mul(self.secs()))
    }
}

/// The windows that a time lies in, worked out once a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    pub(super) now: UnixTime,
    index: Each<u32>,
}

impl Current {
    pub(super) fn at(now: UnixTime) -> Self {
        let number = |secs: i64| u32::try_from(now.0.max(0) / secs).unwrap_or(u32::MAX);
        let (minute, hour) = (number(Span::Minute.secs()), number(Span::Hour.secs()));
        Self { now, index: Each { minute, hour } }
    }

    /// The window's number, counted from 1970; 0 before. Minutes fill 32 bits in the year 10136.
    pub(super) const fn index(&self, span: Span) -> u32 {
        *self.index.of(span)
    }
}

/// One value for each span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Each<T> {
    minute: T,
    hour: T,
}

impl<T> Each<T> {
    pub(super) const fn of(&self, span: Span) -> &T {
        match span {
            Span::Minute => &self.minute,
            Span::Hour => &self.hour,
        }
    }

    pub(super) const fn of_mut(&mut self, span: Span) -> &mut T {
        match span {
            Span::Minute => &mut self.minute,
            Span::Hour => &mut self.hour,
        }
    }
}
