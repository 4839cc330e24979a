//! Which fetch an answer belongs to.

/// Names a fetch to whoever carries it out; the answer comes back with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// Who asked, by its place among all that fetch.
    pub asker: u32,
    /// The number that the asker gave the fetch; not 0.
    pub number: u32,
}

impl From<Id> for u64 {
    fn from(id: Id) -> Self {
        (Self::from(id.asker) << 32) | Self::from(id.number)
    }
}

impl From<u64> for Id {
    fn from(id: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = id.to_be_bytes();
        Self { asker: u32::from_be_bytes([a, b, c, d]), number: u32::from_be_bytes([e, f, g, h]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_back_as_the_id_that_it_was_written_from() {
        for (asker, number, written) in
            [(0, 1, 1), (1, 1, 0x1_0000_0001), (u32::MAX, u32::MAX, u64::MAX)]
        {
            let id = Id { asker, number };
            assert_eq!((u64::from(id), Id::from(written)), (written, id));
        }
    }
}
