//! Which algorithms an issuer's keys may have. A token's header never chooses among them: it has to
//! fit the key.

use crate::jose::Algorithm;

/// The algorithms of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithms {
    /// Those that a key may name in its `alg`.
    named: Vec<Algorithm>,
    /// Those that a key without `alg` verifies, as far as its type fits.
    unnamed: Vec<Algorithm>,
}

impl Default for Algorithms {
    /// Where the operator says nothing: all that is supported. An RSA key does not tell by its type
    /// which of six it is for; without `alg` it is for RS256, the one that every issuer must have
    /// (OpenID Connect Core 1.0 section 15.1).
    fn default() -> Self {
        let unnamed = vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
        Self { named: Algorithm::ALL.to_vec(), unnamed }
    }
}

impl Algorithms {
    /// Those that the operator lists. An RSA key without `alg` verifies each RSA algorithm among
    /// them: who wants it to be for one alone lists one.
    #[must_use]
    pub fn listed(algorithms: Vec<Algorithm>) -> Self {
        Self { named: algorithms.clone(), unnamed: algorithms }
    }

    /// Whether any key of the issuer could be for this one.
    #[must_use]
    pub fn contains(&self, alg: Algorithm) -> bool {
        self.named.contains(&alg)
    }

    /// What a key verifies that says it is for `alg`.
    pub(super) fn of_named(&self, alg: Algorithm) -> Vec<Algorithm> {
        self.named.iter().copied().filter(|listed| *listed == alg).take(1).collect()
    }

    /// What a key verifies that does not say, of those that its type `fits`.
    pub(super) fn of_unnamed(&self, fits: &[Algorithm]) -> Vec<Algorithm> {
        fits.iter().copied().filter(|alg| self.unnamed.contains(alg)).collect()
    }
}
