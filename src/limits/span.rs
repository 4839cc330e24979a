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

    /// The number of the window that `now` lies in, counted from 1970; 0 before. Minutes fill 32
    /// bits in the year 10136.
    pub(super) fn index(self, now: UnixTime) -> u32 {
        let index = now.0.div_euclid(self.secs());
        u32::try_from(index.max(0)).unwrap_or(u32::MAX)
    }

    /// The first second after the window of this number.
    pub(super) fn end(self, index: u32) -> UnixTime {
        UnixTime(i64::from(index).saturating_add(1).saturating_mul(self.secs()))
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
