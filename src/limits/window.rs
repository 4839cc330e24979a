//! The two windows of a limit. They are fixed and aligned to UTC: a minute begins at second 0, an
//! hour at minute 0, for everybody at once.

use crate::time::UnixTime;

/// The length of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// 60 seconds.
    Minute,
    /// 3600 seconds.
    Hour,
}

impl Window {
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

    /// The first second after the window with this number.
    pub(super) fn end(self, index: u32) -> UnixTime {
        UnixTime(i64::from(index).saturating_add(1).saturating_mul(self.secs()))
    }
}

/// The windows that contain a time, computed once a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    pub(super) now: UnixTime,
    index: Each<u32>,
}

impl Current {
    pub(super) fn at(now: UnixTime) -> Self {
        let number = |secs: i64| u32::try_from(now.0.max(0) / secs).unwrap_or(u32::MAX);
        let (minute, hour) = (number(Window::Minute.secs()), number(Window::Hour.secs()));
        Self { now, index: Each { minute, hour } }
    }

    /// The window's number, counted from 1970; 0 before. Minutes fill 32 bits in the year 10136.
    pub(super) const fn index(&self, window: Window) -> u32 {
        *self.index.of(window)
    }
}

/// One value for each length of window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Each<T> {
    minute: T,
    hour: T,
}

impl<T> Each<T> {
    pub(super) const fn of(&self, window: Window) -> &T {
        match window {
            Window::Minute => &self.minute,
            Window::Hour => &self.hour,
        }
    }

    pub(super) const fn of_mut(&mut self, window: Window) -> &mut T {
        match window {
            Window::Minute => &mut self.minute,
            Window::Hour => &mut self.hour,
        }
    }
}
