//! Hashes under keys that only this process knows, so that nobody outside can choose two values that
//! share one.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// The keys: SipHash (`RandomState`), twice.
#[derive(Debug, Default)]
pub(crate) struct KeyedHash(RandomState, RandomState);

impl KeyedHash {
    /// 128 bits, each as good as random: equal digests mean equal values.
    pub(crate) fn digest(&self, value: impl Hash) -> u128 {
        (u128::from(self.0.hash_one(&value)) << 64) | u128::from(self.1.hash_one(&value))
    }

    /// 64 bits, in half the time.
    pub(crate) fn short(&self, value: impl Hash) -> u64 {
        self.0.hash_one(&value)
    }

    /// 64 bits of bytes alone, in less time still.
    pub(crate) fn of_bytes(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }
}

/// A map whose keys are digests.
pub(crate) type DigestMap<V> = HashMap<u128, V, BuildHasherDefault<DigestHasher>>;

/// The hasher of digests: takes their lower half as it is. The upper half may choose a shard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write_u128(&mut self, digest: u128) {
        self.0 = u64::try_from(digest & u128::from(u64::MAX)).unwrap_or_default();
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
