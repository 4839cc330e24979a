"""A certificate for a `bind … ssl` of a test, by the openssl command."""

import subprocess
from pathlib import Path


def self_signed(folder: Path, *names: str) -> Path:
    """Key and certificate in one file, as HAProxy wants it; a client may trust it as a CA."""
    certificate, key = folder / "bind.crt", folder / "bind.key"
    alternatives = ",".join([*(f"DNS:{name}" for name in names), "IP:127.0.0.1"])
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", f"/CN={names[0] if names else 'localhost'}",
            "-addext", f"subjectAltName={alternatives}", "-keyout", key, "-out", certificate,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    both = folder / "bind.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def of_a_client(folder: Path, name: str, subject: str) -> Path:
    """Key and certificate of a client in one file; who trusts this file trusts this client."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", subject, "-keyout", key, "-out", certificate,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    both = folder / f"{name}.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def sha256(certificate: Path) -> str:
    """The fingerprint, as openssl prints it."""
    return subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip().partition("=")[2]
