//! What one key has used: a minute's window, an hour's window, the requests in flight.

use crate::limits::limit::Amounts;
use crate::limits::reservation::Want;
use crate::limits::shares::Caller;
use crate::limits::window::{Current, Each, Window};

/// 48 bytes, 64 with the key: there may be a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    requests: Each<u32>,
    tokens: Each<u64>,
    /// The window that is counted.
    index: Each<u32>,
    in_flight: u32,
    /// The number of the limit.
    pub(super) rule: u32,
    /// Who brought the key up.
    pub(super) caller: Caller,
    /// What the key stands for is there: no model, or one that Google has answered for.
    is_known: bool,
}

/// The keys of a million callers have to fit.
const _: () = assert!(size_of::<Counters>() == 48);

/// One window at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WindowCounts {
    pub(super) index: u32,
    pub(super) requests: u32,
    pub(super) tokens: u64,
}

impl Counters {
    /// `is_known`: what the key stands for is there for certain.
    pub(super) fn new(rule: u32, caller: Caller, is_known: bool) -> Self {
        let (requests, tokens, index) = (Each::default(), Each::default(), Each::default());
        Self { requests, tokens, index, in_flight: 0, rule, caller, is_known }
    }

    /// The requests that are not settled yet.
    pub(super) const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The window that counts now. A window whose end has come is a new, empty one. One of the
    /// future was opened before the clock was set back, and what it has used stays used: the next
    /// window is counted on with, so that it does not open twice, and one that lies further ahead
    /// becomes the current one, so that nobody waits for it ([`Self::follow`]).
    pub(super) fn counted(&self, window: Window, current: &Current) -> WindowCounts {
        let (current, index) = (current.index(window), *self.index.of(window));
        let (requests, tokens) = (*self.requests.of(window), *self.tokens.of(window));
        if index < current {
            return WindowCounts { index: current, requests: 0, tokens: 0 };
        }
        let is_near = index <= current.saturating_add(1);
        WindowCounts { index: if is_near { index } else { current }, requests, tokens }
    }

    /// Follows a clock that was set back by far, so that a window of the future ends with the
    /// current one. To be called whenever the counters are looked at for a request: those that
    /// only refuse would follow the clock for ever.
    pub(super) fn follow(&mut self, current: &Current) {
        for window in Window::ALL {
            if *self.index.of(window) > current.index(window).saturating_add(1) {
                self.store(window, self.counted(window, current));
            }
        }
    }

    const fn store(&mut self, window: Window, counted: WindowCounts) {
        *self.index.of_mut(window) = counted.index;
        *self.requests.of_mut(window) = counted.requests;
        *self.tokens.of_mut(window) = counted.tokens;
    }

    /// Counts one request more, with these tokens reserved, in the windows that `amounts` limit.
    /// Returns which windows they were. A request is in flight until it is given back, unless it is
    /// free.
    pub(super) fn take(&mut self, amounts: &Amounts, want: Want, current: &Current) -> Each<u32> {
        let Want { tokens, is_free } = want;
        self.in_flight = self.in_flight.saturating_add(u32::from(!is_free));
        let mut opened = Each::default();
        for window in Window::ALL.into_iter().filter(|window| amounts.counts(*window)) {
            let counted = self.counted(window, current);
            *opened.of_mut(window) = counted.index;
            let requests = counted.requests.saturating_add(1);
            let tokens = counted.tokens.saturating_add(tokens);
            self.store(window, WindowCounts { requests, tokens, ..counted });
        }
        opened
    }

    /// Ends a request that reserved `reserved` tokens in the windows `opened` and used `used`.
    pub(super) fn give_back(
        &mut self,
        amounts: &Amounts,
        (reserved, opened): (u64, Each<u32>),
        used: u64,
        current: &Current,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        for window in Window::ALL.into_iter().filter(|window| amounts.counts(*window)) {
            let counted = self.counted(window, current);
            let tokens = match counted.index == *opened.of(window) {
                true => counted.tokens.saturating_add(used).saturating_sub(reserved),
                false => counted.tokens.saturating_add(used.saturating_sub(reserved)),
            };
            self.store(window, WindowCounts { tokens, ..counted });
        }
    }

    /// A request that was counted in the windows `opened` is none, as far as they last.
    pub(super) fn forget_request(
        &mut self,
        amounts: &Amounts,
        opened: Each<u32>,
        current: &Current,
    ) {
        for window in Window::ALL.into_iter().filter(|window| amounts.counts(*window)) {
            let counted = self.counted(window, current);
            if counted.index == *opened.of(window) {
                let requests = counted.requests.saturating_sub(1);
                self.store(window, WindowCounts { requests, ..counted });
            }
        }
    }

    /// What the key stands for is there.
    pub(super) const fn know(&mut self) {
        self.is_known = true;
    }

    /// Whether nobody but its caller would miss it: all that was asked under this key is nothing that
    /// Google knows.
    pub(super) const fn is_spare(&self) -> bool {
        !self.is_known && self.in_flight == 0
    }

    /// Whether forgetting it would allow more than the limit does.
    pub(super) fn is_in_use(&self, current: &Current) -> bool {
        let counts = |window: &Window| {
            let counted = self.counted(*window, current);
            counted.requests > 0 || counted.tokens > 0
        };
        self.in_flight > 0 || Window::ALL.iter().any(counts)
    }
}
