//! RSA key generation, as PKCS#8 DER. ring signs with RSA keys but cannot make them, and this is
//! for test keys only: no attempt at constant time. ring checks every key again when it loads it.

use num_bigint::BigUint;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::OnceLock;

const PRIME_BITS: u64 = 1024;
const EXPONENT: u32 = 65_537;
/// Random-base rounds: far below 2^-100 of error for random 1024-bit candidates.
const ROUNDS: usize = 6;

/// A new 2048-bit key. Draws again on the (rare) pairs that do not give a usable key.
pub fn pkcs8() -> Result<Vec<u8>, String> {
    let rng = SystemRandom::new();
    let e = BigUint::from(EXPONENT);
    let one = BigUint::from(1u8);
    // The two primes are independent: search for them side by side.
    for _ in 0..20 {
        let (p, q) = std::thread::scope(|scope| {
            let other = scope.spawn(|| prime(&rng));
            let p = prime(&rng);
            let q = other.join().unwrap_or_else(|_| Err("prime search panicked".into()));
            (p, q)
        });
        let (mut p, mut q) = (p?, q?);
        if p == q {
            continue;
        }
        if p < q {
            std::mem::swap(&mut p, &mut q);
        }
        let (p1, q1) = (&p - &one, &q - &one);
        let phi = &p1 * &q1;
        if let (Some(d), Some(inverse)) = (e.modinv(&phi), q.modinv(&p)) {
            let (dp, dq) = (&d % &p1, &d % &q1);
            return Ok(encode(&[&(&p * &q), &e, &d, &p, &q, &dp, &dq, &inverse]));
        }
    }
    Err("no usable RSA primes found".into())
}

fn random(rng: &SystemRandom, bytes: usize) -> Result<Vec<u8>, String> {
    let mut buffer = vec![0u8; bytes];
    rng.fill(&mut buffer).map_err(|_| "no randomness".to_owned())?;
    Ok(buffer)
}

/// A random prime with its two top bits set, so that a product of two has exactly 2048 bits.
fn prime(rng: &SystemRandom) -> Result<BigUint, String> {
    loop {
        let mut bytes = random(rng, (PRIME_BITS / 8) as usize)?;
        bytes[0] |= 0xc0;
        if let Some(last) = bytes.last_mut() {
            *last |= 1;
        }
        let start = BigUint::from_bytes_be(&bytes);
        // A sieve over the next odd numbers is much cheaper than a big division for each of them.
        let remainders: Vec<(u64, u64)> = small_primes()
            .iter()
            .map(|&small| (small, (&start % small).iter_u64_digits().next().unwrap_or(0)))
            .collect();
        for step in (0..4096u64).step_by(2) {
            if remainders.iter().any(|&(small, rest)| (rest + step) % small == 0) {
                continue;
            }
            let candidate = &start + step;
            if candidate.bits() == PRIME_BITS && probably_prime(&candidate, rng)? {
                return Ok(candidate);
            }
        }
    }
}

fn small_primes() -> &'static [u64] {
    static PRIMES: OnceLock<Vec<u64>> = OnceLock::new();
    PRIMES.get_or_init(|| {
        let mut found: Vec<u64> = Vec::new();
        for n in (3..8000).step_by(2) {
            if found.iter().take_while(|p| **p * **p <= n).all(|p| n % p != 0) {
                found.push(n);
            }
        }
        found
    })
}

/// Miller–Rabin with random bases.
fn probably_prime(n: &BigUint, rng: &SystemRandom) -> Result<bool, String> {
    let one = BigUint::from(1u8);
    let minus_one = n - &one;
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let odd = &minus_one >> twos;
    'round: for _ in 0..ROUNDS {
        // 1000 bits stay below n, whose top bits are set.
        let base = BigUint::from_bytes_be(&random(rng, 125)?) + 2u8;
        let mut x = base.modpow(&odd, n);
        if x == one || x == minus_one {
            continue;
        }
        for _ in 1..twos {
            x = (&x * &x) % n;
            if x == minus_one {
                continue 'round;
            }
        }
        return Ok(false);
    }
    Ok(true)
}

/// DER of a PKCS#8 PrivateKeyInfo around an RFC 8017 RSAPrivateKey.
fn encode(numbers: &[&BigUint; 8]) -> Vec<u8> {
    let mut key = integer(&BigUint::from(0u8));
    for number in numbers {
        key.extend(integer(number));
    }
    let key = tlv(0x30, &key);
    // AlgorithmIdentifier: rsaEncryption (1.2.840.113549.1.1.1) with NULL parameters.
    const RSA: [u8; 13] =
        [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let mut info = integer(&BigUint::from(0u8));
    info.extend(tlv(0x30, &RSA));
    info.extend(tlv(0x04, &key));
    tlv(0x30, &info)
}

fn integer(n: &BigUint) -> Vec<u8> {
    let mut bytes = n.to_bytes_be();
    // DER integers are signed: a set top bit needs a leading zero.
    if bytes.first().is_some_and(|b| b & 0x80 != 0) {
        bytes.insert(0, 0);
    }
    tlv(0x02, &bytes)
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        out.push(0x80 | bytes.len() as u8);
        out.extend(bytes);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_judged_right() {
        let rng = SystemRandom::new();
        let mersenne = (BigUint::from(1u8) << 1279usize) - 1u8;
        assert!(probably_prime(&mersenne, &rng).unwrap());
        assert!(!probably_prime(&(&mersenne * &mersenne), &rng).unwrap());
        assert!(!probably_prime(&(mersenne + 2u8), &rng).unwrap());
    }

    #[test]
    fn ring_accepts_the_key() {
        let der = pkcs8().unwrap();
        let pair = ring::signature::RsaKeyPair::from_pkcs8(&der).unwrap();
        assert_eq!(pair.public().modulus_len(), 256);
    }
}
