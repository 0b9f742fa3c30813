"""A certificate authority that nobody trusts but who is told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = timedelta(days=2)
"""Also a little backwards: a machine's clock may be set while tests run."""


class Authority:
    """An authority with a key that is never written anywhere.

    Attributes:
        pem: Its certificate.
    """

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _called("warmci tests")
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        usage = _usage(signs_certificates=True)
        made = (
            self._begun(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(self._identifier, critical=False)
        )
        self.pem = _pem(made.sign(self._key, hashes.SHA256()))

    def issue(self, *names: str) -> tuple[bytes, bytes]:
        """Return a server's certificate and its key, both PEM.

        Args:
            names: The host names that it is for; `*.example.org` is for all right below.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        above = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        made = (
            self._begun(_called(names[0]), key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(above, critical=False)
            .add_extension(own, critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(made.sign(self._key, hashes.SHA256())), private

    def _begun(self, name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - VALID)
            .not_valid_after(now + VALID)
        )


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
