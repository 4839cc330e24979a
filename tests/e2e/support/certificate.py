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
