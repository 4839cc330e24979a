//! What one key has used: the window of a minute, the window of an hour, the requests in flight.

use crate::limits::limit::Amounts;
use crate::limits::reservation::Want;
use crate::limits::shares::Caller;
use crate::limits::window::{Current, Each, Window};

/// The counters of one key: 48 bytes, 64 with the key, as there may be a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    requests: Each<u32>,
    tokens: Each<u64>,
    /// Numbers of the counted windows.
    index: Each<u32>,
    in_flight: u32,
    /// The number of the limit.
    pub(super) rule: u32,
    /// The caller who added the key.
    pub(super) caller: Caller,
    /// Whether what the key stands for exists: no model, or one that Google has answered for.
    is_known: bool,
}

/// The counters of a million keys have to fit into memory.
const _: () = assert!(size_of::<Counters>() == 48);

/// The counts of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WindowCounts {
    pub(super) index: u32,
    pub(super) requests: u32,
    pub(super) tokens: u64,
}

impl Counters {
    /// New counters; `is_known` if what the key stands for exists for certain.
    pub(super) fn new(rule: u32, caller: Caller, is_known: bool) -> Self {
        let (requests, tokens, index) = (Each::default(), Each::default(), Each::default());
        Self { requests, tokens, index, in_flight: 0, rule, caller, is_known }
    }

    /// Number of requests that are not settled yet.
    pub(super) const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The counts of the current window. A window that has ended is replaced by an empty one. One
    /// in the future was opened before the clock was set back, and what it has used stays used: if
    /// it is the next one, it is counted on, so that it does not open twice; if it lies further
    /// ahead, it becomes the current one, so that nobody waits for it ([`Self::follow`]).
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
    /// current one. To be called whenever the counters are read for a request: counters that only
    /// refuse would otherwise count as the current window for ever.
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

    /// Counts one more request, with these tokens reserved, in the windows that `amounts` limit,
    /// and returns which windows they were. A request is in flight until it is given back, unless
    /// it is free.
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

    /// Notes that what the key stands for exists.
    pub(super) const fn know(&mut self) {
        self.is_known = true;
    }

    /// Whether only its caller would miss it: nothing that was asked under this key exists at
    /// Google.
    pub(super) const fn is_spare(&self) -> bool {
        !self.is_known && self.in_flight == 0
    }

    /// Whether dropping it would allow more than the limit does.
    pub(super) fn is_in_use(&self, current: &Current) -> bool {
        let counts = |window: &Window| {
            let counted = self.counted(*window, current);
            counted.requests > 0 || counted.tokens > 0
        };
        self.in_flight > 0 || Window::ALL.iter().any(counts)
    }
}
