//! Public keys with which others than their owner can sign, whoever publishes them.

use num_bigint::BigUint;
use once_cell::sync::Lazy;

use crate::jose::PublicKey;

/// Infineon's library made RSA primes of the form `k * M + (65537 ^ a mod M)`, where M is a product
/// of small primes (CVE-2017-15361), so a modulus is a power of this modulo each of them.
const ROCA_GENERATOR: u32 = 65_537;

/// The odd primes that divide every M.
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// SP 800-186 section 3.2.1: `y^2 = x^3 - 3x + b` modulo `p`.
struct Curve {
    p: BigUint,
    b: BigUint,
}

fn power_of_two(exponent: u32) -> BigUint {
    BigUint::from(1_u8) << exponent
}

fn number(parts: &[u128]) -> BigUint {
    parts.iter().fold(BigUint::ZERO, |number, part| (number << 128_u32) + *part)
}

static P256: Lazy<Curve> = Lazy::new(|| Curve {
    p: power_of_two(256) + power_of_two(192) + power_of_two(96) - power_of_two(224) - 1_u8,
    b: number(&[
        0x5ac6_35d8_aa3a_93e7_b3eb_bd55_7698_86bc,
        0x651d_06b0_cc53_b0f6_3bce_3c3e_27d2_604b,
    ]),
});

static P384: Lazy<Curve> = Lazy::new(|| Curve {
    p: power_of_two(384) + power_of_two(32) - power_of_two(128) - power_of_two(96) - 1_u8,
    b: number(&[
        0xb331_2fa7_e23e_e7e4_988e_056b_e3f8_2d19,
        0x181d_9c6e_fe81_4112_0314_088f_5013_875a,
        0xc656_398d_8a2e_d19d_2a85_c8ed_d3ec_2aef,
    ]),
});

/// RFC 8032 section 5.1: `y^2 - x^2 = 1 + d x^2 y^2` modulo `p`.
struct Edwards {
    p: BigUint,
    d: BigUint,
}

static ED25519: Lazy<Edwards> = Lazy::new(|| {
    let p = power_of_two(255) - 19_u8;
    let inverse = BigUint::from(121_666_u32).modpow(&(&p - 2_u8), &p);
    let d = (&p - 121_665_u32) * inverse % &p;
    Edwards { p, d }
});

/// Why a key cannot be trusted.
pub(super) fn weakness(key: &PublicKey) -> Option<&'static str> {
    match key {
        PublicKey::Rsa { n, e } => rsa(n, e),
        PublicKey::P256(point) => P256.weakness(point),
        PublicKey::P384(point) => P384.weakness(point),
        PublicKey::Ed25519(bytes) => ED25519.weakness(bytes),
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Option<&'static str> {
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    if !is_odd(e) || e == [1] {
        Some("weak: its exponent is even or 1")
    } else if !is_odd(n) {
        Some("weak: its modulus is even")
    } else if has_rocas_fingerprint(n) {
        Some("weak: its modulus is of ROCA's kind (CVE-2017-15361)")
    } else {
        None
    }
}

/// Whether one exponent makes the generator equal to `n` modulo every prime. By chance that happens
/// to one modulus of 2^154.
fn has_rocas_fingerprint(n: &[u8]) -> bool {
    let logarithms: Option<Vec<_>> = ROCA_PRIMES.iter().map(|prime| logarithm(n, *prime)).collect();
    let Some(logarithms) = logarithms else { return false };
    // By the Chinese remainder theorem there is one exponent if each two have one.
    logarithms.iter().all(|(a, order_a)| {
        logarithms.iter().all(|(b, order_b)| {
            let shared = gcd(*order_a, *order_b);
            a % shared == b % shared
        })
    })
}

/// The exponent that makes the generator equal to `n` modulo `prime`, and the generator's order.
fn logarithm(n: &[u8], prime: u32) -> Option<(u32, u32)> {
    let residue = n.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
    let powers = std::iter::successors(Some(1), |power| {
        Some(power * (ROCA_GENERATOR % prime) % prime).filter(|power| *power != 1)
    });
    let (mut found, mut order) = (None, 0);
    for power in powers {
        if power == residue {
            found = Some(order);
        }
        order += 1;
    }
    found.map(|exponent| (exponent, order))
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Curve {
    /// `point` is 0x04, x, y.
    fn weakness(&self, point: &[u8]) -> Option<&'static str> {
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
        let Self { p, b } = self;
        let right = &x * &x * &x + (p - 3_u8) * &x + b;
        let is_on_curve = x < *p && y < *p && (&y * &y) % p == right % p;
        (!is_on_curve).then_some("weak: its point is not on its curve")
    }
}

impl Edwards {
    fn weakness(&self, bytes: &[u8]) -> Option<&'static str> {
        let Self { p, d } = self;
        let mut y = BigUint::from_bytes_le(bytes);
        y.set_bit(255, false);
        let one = BigUint::from(1_u8);
        let square = &y * &y % p;
        let (u, v) = ((&square + p - &one) % p, (d * &square + &one) % p);
        // x^2 = u / v, and that is a square if u * v is one (Euler's criterion).
        let is_square = (&u * v).modpow(&((p - &one) / 2_u8), p) == one;
        if y < *p && u != BigUint::ZERO && !is_square {
            return Some("weak: its point is not on its curve");
        }
        // Eight points have an order of 8 or less: y is 0, 1, -1, or solves d y^4 + 2 y^2 = 1.
        let is_small = y == BigUint::ZERO
            || u == BigUint::ZERO
            || (d * &square * &square + &square + &square) % p == one;
        (y >= *p || is_small).then_some("weak: its point has a small order, or another spelling")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_to_the(bits: u32) -> BigUint {
        power_of_two(bits)
    }

    /// A modulus that is `residue(index)` modulo each prime, some 2,048 bits long and odd.
    fn modulus(residue: impl Fn(usize, u32) -> u32) -> Vec<u8> {
        let product = ROCA_PRIMES.iter().fold(BigUint::from(2_u8), |product, p| product * *p);
        let mut n = BigUint::from(1_u8);
        let mut step = BigUint::from(2_u8);
        for (index, prime) in ROCA_PRIMES.iter().enumerate() {
            while &n % *prime != BigUint::from(residue(index, *prime)) {
                n += &step;
            }
            step *= *prime;
        }
        (n + (two_to_the(2047) / &product + 1_u8) * product).to_bytes_be()
    }

    fn power(exponent: u32, prime: u32) -> u32 {
        (0..exponent).fold(1, |power, _| power * (ROCA_GENERATOR % prime) % prime)
    }

    #[test]
    fn roca_is_found_and_its_like_is_not() {
        for exponent in [0, 1, 4_711, 123_456] {
            let n = modulus(|_, prime| power(exponent, prime));
            assert_eq!(n.len(), 256);
            let why = rsa(&n, &[1, 0, 1]).unwrap();
            assert!(why.contains("ROCA"), "{exponent}");
        }
        // Each residue is a power, but not of one exponent.
        let n = modulus(|index, prime| power(u32::try_from(index).unwrap() * 5 + 1, prime));
        assert_eq!(rsa(&n, &[1, 0, 1]), None);
        // One residue is none.
        let n = modulus(|_, prime| if prime == 11 { 2 } else { power(4_711, prime) });
        assert!(logarithm(&n, 11).is_none());
        assert_eq!(rsa(&n, &[1, 0, 1]), None);
    }

    #[test]
    fn an_exponent_is_odd_and_3_or_more_and_a_modulus_odd() {
        let n = modulus(|index, _| u32::from(index % 2 == 0));
        let with = |e: &[u8]| rsa(&n, e).is_none();
        assert!(with(&[3]) && with(&[17]) && with(&[1, 0, 1]));
        assert!(!with(&[1]) && !with(&[2]) && !with(&[4]) && !with(&[1, 0, 0]) && !with(&[]));
        let mut even = n.clone();
        *even.last_mut().unwrap() ^= 1;
        assert_eq!(rsa(&even, &[3]), Some("weak: its modulus is even"));
    }

    /// The twist's and the curve's own points, by their y.
    #[test]
    fn of_edwards_points_the_small_ones_and_other_spellings_are_weak() {
        let p = &ED25519.p;
        let bytes = |y: &BigUint| {
            let mut bytes = y.to_bytes_le();
            bytes.resize(32, 0);
            bytes
        };
        let why = |y: &BigUint| ED25519.weakness(&bytes(y)).unwrap_or_default();
        let order_eight = BigUint::parse_bytes(
            b"05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
            16,
        )
        .unwrap();
        let one = BigUint::from(1_u8);
        for y in [BigUint::ZERO, one.clone(), p - &one, order_eight.clone(), p - &order_eight] {
            assert!(why(&y).contains("small order"), "{y}");
            let mut negative = bytes(&y);
            negative[31] |= 0x80;
            assert!(ED25519.weakness(&negative).is_some(), "{y}, negative x");
        }
        for y in [p.clone(), p + &one, two_to_the(255) - 1_u8] {
            assert!(why(&y).contains("another spelling"), "{y}");
        }
        // The base point is 4/5; half of all numbers are no point's y.
        let base = BigUint::from(4_u8) * BigUint::from(5_u8).modpow(&(p - 2_u8), p) % p;
        assert_eq!(why(&base), "");
        let off = (2_u32..200).filter(|y| why(&BigUint::from(*y)).contains("not on its curve"));
        assert!((60..140).contains(&off.count()));
    }
}
