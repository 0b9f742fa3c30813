"""Key pairs for signing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pytest_warmci.clients.rsa import KeyPair, new_key_pair


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return new_key_pair()


def test_what_one_half_signs_the_other_verifies(pair: KeyPair) -> None:
    private = load_pem_private_key(pair.private.encode(), None)
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    public = certificate.public_key()
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)

    signed = private.sign(b"token", padding.PKCS1v15(), SHA256())

    public.verify(signed, b"token", padding.PKCS1v15(), SHA256())
    assert 2048 == private.key_size


def test_the_certificate_holds_for_years(pair: KeyPair) -> None:
    """From yesterday on: a server's clock may be behind ours."""
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    now = datetime.now(UTC)

    assert certificate.not_valid_before_utc < now - timedelta(hours=1)
    assert certificate.not_valid_after_utc > now + timedelta(days=3000)
    assert certificate.subject == certificate.issuer


def test_no_two_pairs_are_the_same(pair: KeyPair) -> None:
    other = new_key_pair()

    assert pair.private != other.private
    assert pair.certificate != other.certificate


def test_a_pair_does_not_show_its_private_half(pair: KeyPair) -> None:
    assert "PRIVATE" not in repr(pair)
