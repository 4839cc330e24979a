//! The names of signals, a closed list, and a set of them.

use std::ops::BitOr;

macro_rules! signals {
    ($($(#[$doc:meta])* $variant:ident $name:literal $place:literal;)*) => {
        /// A sign of misuse. The name is a public interface (log, metric label).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Signal { $($(#[$doc])* $variant,)* }

        impl Signal {
            /// Every signal.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, in snake case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its place in `ALL`.
            #[must_use]
            pub const fn place(self) -> u8 {
                match self { $(Self::$variant => $place,)* }
            }
        }
    };
}

signals! {
    /// Far more requests in the last minutes than in this principal's busiest minutes before.
    RequestRate "request_rate" 0;
    /// The same of tokens, as Google counted them.
    TokenRate "token_rate" 1;
    /// A body far larger than this principal's bodies before.
    PromptSize "prompt_size" 2;
    /// Many refusals in a row.
    Refusals "refusals" 3;
    /// A model that this principal had not used.
    NewModel "new_model" 4;
    /// A location that this principal had not used.
    NewLocation "new_location" 5;
    /// A network (/24 of IPv4, /48 of IPv6) from which this principal had not come.
    NewNetwork "new_network" 6;
    /// A client program that this principal had not used.
    NewClient "new_client" 7;
}

/// Number of signals.
pub(super) const SIGNALS: usize = Signal::ALL.len();

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signals(u8);

impl Signals {
    /// No signal.
    pub const NONE: Self = Self(0);

    /// Whether the signal is among them.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << signal.place()) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The signals in the set, in the order of `Signal::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.iter().copied().filter(move |signal| self.contains(*signal))
    }

    /// The set without this signal.
    pub(super) const fn without(self, signal: Signal) -> Self {
        Self(self.0 & !(1 << signal.place()))
    }
}

impl From<Signal> for Signals {
    fn from(signal: Signal) -> Self {
        Self(1 << signal.place())
    }
}

impl BitOr for Signals {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_list() {
        let places: Vec<_> = Signal::ALL.iter().map(|signal| usize::from(signal.place())).collect();
        assert_eq!(places, (0..SIGNALS).collect::<Vec<_>>());
        let all = Signal::ALL.iter().fold(Signals::NONE, |set, signal| set | (*signal).into());
        assert_eq!(all.iter().collect::<Vec<_>>(), Signal::ALL);
        assert!(!all.without(Signal::NewModel).contains(Signal::NewModel));
    }
}
