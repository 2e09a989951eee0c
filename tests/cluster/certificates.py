"""Certificates for tests: an authority, and those that it has signed."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAYS = datetime.timedelta(days=1)


class Authority:
    """Signs certificates, and writes them with their keys into a folder.

    Args:
        ca: the file with its own certificate.
    """

    def __init__(self, folder: Path, name: str):
        self._folder, self._name, self._key = folder, name, ec.generate_private_key(ec.SECP256R1())
        own = self._signed(name, self._key, is_authority=True)
        self.ca = self._written(f"{name}.pem", own.public_bytes(serialization.Encoding.PEM))

    def pair(self, name: str, days: int = 1) -> tuple[str, str]:
        """The files of a new certificate, valid for so many days, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key, days=days)
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        return (
            self._written(f"{name}.pem", certificate.public_bytes(pem)),
            self._written(
                f"{name}-key.pem", key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
            ),
        )

    def _signed(
        self, name: str, key: ec.EllipticCurvePrivateKey, *, days: int = 1, is_authority: bool = False
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * DAYS)
            .not_valid_after(now + days * DAYS)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
            )
            .sign(self._key, hashes.SHA256())
        )

    def _written(self, name: str, pem: bytes) -> str:
        path = self._folder / name
        path.write_bytes(pem)
        return str(path)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
