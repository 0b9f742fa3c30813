"""Key pairs for signing (the only owner of `cryptography`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

_BITS: Final = 2048
_YEARS: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An RSA-2048 key and its self-signed certificate, both PEM."""

    private: str = field(repr=False)
    certificate: str


def new_key_pair() -> KeyPair:
    """Make a key pair (some tenths of a second of computing)."""
    # Only who makes one pays for it: every session that touches a recipe imports this module.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "realm of a test run")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _YEARS)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return KeyPair(
        private.decode("ascii"),
        certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
    )
