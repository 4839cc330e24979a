"""Writes algorithms.json: for each algorithm a token that verifies and those that must not. Signed
by Python's `cryptography`, whose code is not that of ring, and padded by hand where a fault is
wanted. Deterministic: keys and salts are constants, ECDSA's nonces follow RFC 6979."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HERE = Path(__file__).parent
KEY_FILE = json.loads((HERE / "throwaway-key-file.json").read_text())
RSA = serialization.load_pem_private_key(KEY_FILE["private_key"].encode(), None)
P256 = ec.derive_private_key(int.from_bytes(b"a throw-away P-256 key"), ec.SECP256R1())
P384 = ec.derive_private_key(int.from_bytes(b"a throw-away P-384 key"), ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"Ed25519").digest())
assert isinstance(RSA, rsa.RSAPrivateKey)
NUMBERS = RSA.private_numbers()
N, E, D = NUMBERS.public_numbers.n, NUMBERS.public_numbers.e, NUMBERS.d

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
RSA_ALGS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
KEY_OF = {**dict.fromkeys(RSA_ALGS, "rsa"), "ES256": "p256", "ES384": "p384", "EdDSA": "ed"}
PAYLOAD = '{"iss":"joe"}'


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int, size: int) -> bytes:
    return value.to_bytes(size)


def jwks() -> list[dict[str, str]]:
    """The public keys, without `alg`: a case says what its own is for."""
    keys = [{"kid": "rsa", "kty": "RSA", "n": b64(number(N, 256)), "e": b64(number(E, 3))}]
    for kid, curve, size, key in (("p256", "P-256", 32, P256), ("p384", "P-384", 48, P384)):
        point = key.public_key().public_numbers()
        x, y = b64(number(point.x, size)), b64(number(point.y, size))
        keys.append({"kid": kid, "kty": "EC", "crv": curve, "x": x, "y": y})
    x = b64(ED.public_key().public_bytes_raw())
    return [*keys, {"kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": x}]


def pss(message: bytes, bits: str, salt_length: int, mask: str | None = None) -> bytes:
    """RFC 8017 section 9.1.1, with a salt of any length and a mask of any hash."""
    name, mask = f"sha{bits}", mask or f"sha{bits}"
    salt = (hashlib.sha512(b"salt").digest() * 4)[:salt_length]
    digest = hashlib.new(name, bytes(8) + hashlib.new(name, message).digest() + salt).digest()
    block = bytes(256 - len(digest) - 2 - salt_length) + b"\x01" + salt
    stream, counter = b"", 0
    while len(stream) < len(block):
        stream += hashlib.new(mask, digest + number(counter, 4)).digest()
        counter += 1
    masked = bytes(a ^ b for a, b in zip(block, stream))
    encoded = bytes([masked[0] & 0x7F]) + masked[1:] + digest + b"\xbc"
    return number(pow(int.from_bytes(encoded), D, N), 256)


def ecdsa_der(message: bytes, alg: str) -> bytes:
    key = P256 if alg == "ES256" else P384
    return key.sign(message, ec.ECDSA(HASHES[alg[2:]], deterministic_signing=True))


def sign(message: bytes, alg: str) -> bytes:
    if alg.startswith("RS"):
        return RSA.sign(message, padding.PKCS1v15(), HASHES[alg[2:]])
    if alg.startswith("PS"):
        size = HASHES[alg[2:]].digest_size
        signature = pss(message, alg[2:], size)
        how = padding.PSS(padding.MGF1(HASHES[alg[2:]]), size)
        RSA.public_key().verify(signature, message, how, HASHES[alg[2:]])
        return signature
    if alg.startswith("ES"):
        r, s = utils.decode_dss_signature(ecdsa_der(message, alg))
        return number(r, int(alg[2:]) // 8) + number(s, int(alg[2:]) // 8)
    return ED.sign(message)


class Cases:
    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def add(self, alg: str, name: str, comment: str, expect: str, **different: Any) -> None:
        """A token for the key of `alg`. `header` and `sign` differ from what is right, `key_alg` is
        what the key says it is for, `listed` what the operator does."""
        header = {"alg": different.get("header", alg), "kid": KEY_OF[alg]}
        text = ".".join(
            b64(part.encode()) for part in (json.dumps(header, separators=(",", ":")), PAYLOAD)
        )
        signer = different.get("sign", lambda message: sign(message, alg))
        token = f"{text}.{b64(signer(text.encode()))}"
        if "tamper" in different:
            token = different["tamper"](token)
        self.all.append({
            "name": f"{alg}: {name}",
            "comment": comment,
            "key": KEY_OF[alg],
            "key_alg": different.get("key_alg", alg),
            "listed": different.get("listed", []),
            "token": token,
            "expect": expect,
        })  # fmt: skip


def of_every(cases: Cases, alg: str) -> None:
    kind = [other for other in KEY_OF if KEY_OF[other] == KEY_OF[alg]]
    foreign = next(other for other in KEY_OF if KEY_OF[other] != KEY_OF[alg])
    cases.add(alg, "good", "the twin of all below", "ok")
    cases.add(alg, "on the list", "the operator names it alone", "ok", listed=[alg])
    cases.add(alg, "not on the list", "the operator does not", "key_unknown", listed=[foreign])
    cases.add(
        alg, "another payload", "one letter of it", "bad_signature",
        tamper=lambda token: token.replace(b64(PAYLOAD.encode()), b64(PAYLOAD.encode()[:-4] + b'a"}\n')),
    )  # fmt: skip
    def flip(at: int) -> Any:
        def flipped(message: bytes) -> bytes:
            signature = bytearray(sign(message, alg))
            signature[at] ^= 1
            return bytes(signature)
        return flipped
    cases.add(alg, "first byte of the signature", "one bit", "bad_signature", sign=flip(0))
    cases.add(alg, "last byte of the signature", "one bit", "bad_signature", sign=flip(-1))
    cases.add(
        alg, "signature one byte short", "its length is fixed", "bad_signature",
        sign=lambda message: sign(message, alg)[:-1],
    )  # fmt: skip
    cases.add(
        alg, "signature one byte long", "its length is fixed", "bad_signature",
        sign=lambda message: sign(message, alg) + b"\x00",
    )  # fmt: skip
    cases.add(
        alg, "no signature", "RFC 8725 section 3.2", "bad_signature", sign=lambda message: b""
    )
    cases.add(
        alg, "alg none", "with a right signature", "alg_not_allowed", header="none"
    )
    public = jwks()[["rsa", "p256", "p384", "ed"].index(KEY_OF[alg])]
    secret = (public.get("n") or public["x"]).encode()
    cases.add(
        alg, "HS256 with the public key", "RFC 8725 section 2.1", "alg_not_allowed", header="HS256",
        sign=lambda message: hmac.digest(secret, message, "sha256"),
    )  # fmt: skip
    for other in kind:
        if other == alg:
            continue
        cases.add(
            alg, f"header says {other}", "the key is for one", "alg_not_allowed", header=other
        )
        cases.add(
            alg, f"is {other}", "all is right but for what the key is for", "alg_not_allowed",
            header=other, sign=lambda message, other=other: sign(message, other),
        )  # fmt: skip
        cases.add(
            alg, f"signed as {other}", "and called what it is not", "bad_signature",
            sign=lambda message, other=other: sign(message, other),
        )  # fmt: skip
    cases.add(
        alg, f"is {foreign}", "the algorithm of another key type", "alg_not_allowed",
        header=foreign, sign=lambda message: sign(message, foreign),
    )  # fmt: skip


def without_alg(cases: Cases, alg: str) -> None:
    """RFC 7517 section 4.4: `alg` is optional."""
    plain = alg in ("RS256", "ES256", "ES384", "EdDSA")
    cases.add(
        alg, "key without alg", "RSA alone could be for another: it is RS256",
        "ok" if plain else "alg_not_allowed", key_alg="",
    )  # fmt: skip
    if alg in RSA_ALGS:
        cases.add(alg, "key without alg, one listed", "then for that", "ok", key_alg="", listed=[alg])
        cases.add(
            alg, "key without alg, all listed", "then for each", "ok", key_alg="", listed=RSA_ALGS
        )
        others = [other for other in RSA_ALGS if other != alg]
        cases.add(
            alg, "key without alg, the others listed", "the list is exact", "alg_not_allowed",
            key_alg="", listed=others,
        )  # fmt: skip


def of_pss(cases: Cases, alg: str) -> None:
    bits, size = alg[2:], HASHES[alg[2:]].digest_size
    for salt, comment in (
        (0, "none"),
        (size - 1, "one byte less than the digest, which RFC 7518 section 3.5 wants"),
        (size + 1, "one byte more"),
        (256 - 2 - size, "as long as it can be"),
    ):
        cases.add(
            alg, f"salt of {salt} bytes", comment, "bad_signature",
            sign=lambda message, salt=salt: pss(message, bits, salt),
        )  # fmt: skip
    cases.add(
        alg, "mask of SHA-1", "RFC 7518 section 3.5: one hash throughout", "bad_signature",
        sign=lambda message: pss(message, bits, size, "sha1"),
    )  # fmt: skip


def of_ecdsa(cases: Cases, alg: str) -> None:
    size = int(alg[2:]) // 8
    cases.add(
        alg, "DER", "X.509's form; JOSE wants r and s (RFC 7518 section 3.4)", "bad_signature",
        sign=lambda message: ecdsa_der(message, alg),
    )  # fmt: skip
    cases.add(alg, "zeros", "CVE-2022-21449", "bad_signature", sign=lambda message: bytes(2 * size))
    cases.add(
        alg, "s before r", "in their order", "bad_signature",
        sign=lambda message: sign(message, alg)[size:] + sign(message, alg)[:size],
    )  # fmt: skip
    key, digest = (P256, "384") if alg == "ES256" else (P384, "256")
    def another_hash(message: bytes) -> bytes:
        der = key.sign(message, ec.ECDSA(HASHES[digest], deterministic_signing=True))
        r, s = utils.decode_dss_signature(der)
        return number(r, size) + number(s, size)
    cases.add(
        alg, f"with SHA-{digest}", "the curve says the hash", "bad_signature", sign=another_hash
    )


def text() -> str:
    cases = Cases()
    for alg in KEY_OF:
        of_every(cases, alg)
        without_alg(cases, alg)
        if alg.startswith("PS"):
            of_pss(cases, alg)
        if alg.startswith("ES"):
            of_ecdsa(cases, alg)
    keys = ",\n".join(f"  {json.dumps(key)}" for key in jwks())
    lines = ",\n".join(f"  {json.dumps(case)}" for case in cases.all)
    return f'{{"keys": [\n{keys}\n], "cases": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    (HERE / "algorithms.json").write_text(text())
