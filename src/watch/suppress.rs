//! Limits how often a signal is reported: one incident is one alert, not one for each of its
//! requests.

use crate::watch::decay::Second;
use crate::watch::rate::Level;
use crate::watch::signal::{SIGNALS, Signal, Signals};

/// Least seconds between two reports of one signal of one principal.
const INTERVAL_SECS: u32 = 3600;

#[derive(Debug)]
pub(super) struct Suppress {
    /// When each signal was last reported, for those that ever were.
    at: [Second; SIGNALS],
    ever: Signals,
    /// The rates that rose above the limit and have not fallen again.
    up: Signals,
}

impl Suppress {
    pub(super) const fn new(now: Second) -> Self {
        Self { at: [now; SIGNALS], ever: Signals::NONE, up: Signals::NONE }
    }

    /// Reports a rate when it rises above the limit, and not again before it has fallen to half the
    /// limit.
    pub(super) fn rate(&mut self, signal: Signal, level: Level) -> Signals {
        match level {
            Level::Usual => self.up = self.up.without(signal),
            Level::Unusual if !self.up.contains(signal) => {
                self.up = self.up | signal.into();
                return signal.into();
            }
            Level::High | Level::Unusual => {}
        }
        Signals::NONE
    }

    /// The signals that were not reported a short time ago.
    pub(super) fn tell(&mut self, raised: Signals, now: Second) -> Signals {
        // The usual case.
        if raised.is_empty() {
            return raised;
        }
        let mut telling = Signals::NONE;
        for signal in raised.iter() {
            let ever = self.ever.contains(signal);
            let Some(at) = self.at.get_mut(usize::from(signal.place())) else {
                continue;
            };
            if !ever || now.since(*at) >= INTERVAL_SECS {
                *at = now;
                telling = telling | signal.into();
            }
        }
        self.ever = self.ever | telling;
        telling
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Monotonic;

    fn second(secs: i64) -> Second {
        Second::of(Monotonic(0).plus_secs(secs))
    }

    #[test]
    fn a_rate_comes_up_once_until_it_has_fallen() {
        let mut told = Suppress::new(second(0));
        let levels = [Level::Unusual, Level::Unusual, Level::High, Level::Unusual, Level::Usual];
        let up: Vec<_> = [levels, levels]
            .concat()
            .into_iter()
            .map(|level| !told.rate(Signal::TokenRate, level).is_empty())
            .collect();
        let once = [true, false, false, false, false];
        assert_eq!(up, [once, once].concat());
    }

    #[test]
    fn each_signal_has_an_interval_of_its_own() {
        let mut told = Suppress::new(second(0));
        let model = Signals::from(Signal::NewModel);
        let both = model | Signal::NewNetwork.into();
        assert_eq!(told.tell(model, second(10)), model);
        assert_eq!(told.tell(both, second(20)), Signal::NewNetwork.into());
        assert_eq!(told.tell(both, second(3609)), Signals::NONE);
        assert_eq!(told.tell(both, second(3610)), model);
        assert_eq!(told.tell(Signals::NONE, second(9999)), Signals::NONE);
    }
}
