"""The certificate authority of an instance on this machine, and the certificates of its servers and services.

`<instance>/tls/`: `ca.pem` for everybody, `ca.key`, for each name `<name>.pem` and `<name>.key`. Keys are readable
by their owner only. Where a fleet runs under an orchestrator, that has an authority of its own instead.
"""

import datetime
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = datetime.timedelta(days=730)
LIFE: Final = datetime.timedelta(days=30)
RENEW_BEFORE: Final = datetime.timedelta(days=10)
"""A certificate with less left is made anew."""
_SKEW: Final = datetime.timedelta(minutes=5)
_USAGES: Final = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


class Authority:
    """One folder's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def ca_file(self) -> Path:
        """Whom everybody believes."""
        return self.folder / "ca.pem"

    def cert_file(self, name: str) -> Path:
        """The certificate of a server or service."""
        return self.folder / f"{name}.pem"

    def key_file(self, name: str) -> Path:
        """Its key."""
        return self.folder / f"{name}.key"

    def issue(self, names: Iterable[str], *, anew: bool = False) -> list[str]:
        """Make what is missing, about to end, or of another authority; all of them `anew`: those that were made."""
        with self._locked():
            key, certificate = self._authority()
            wanted = [name for name in names if anew or not self._good(name, certificate)]
            for name in wanted:
                self._issue(name, key, certificate)
        return wanted

    def _authority(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key_file = self.key_file("ca")
        if not (key_file.exists() and self.ca_file.exists()):
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Flotilla on this machine")])
            draft = _draft(name, name, key.public_key(), key.public_key(), AUTHORITY_LIFE)
            draft = draft.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            draft = draft.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            _write(key_file, _private(key))
            _write(self.ca_file, _public(draft.sign(key, hashes.SHA256())), 0o644)
        key_found = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key_found, ec.EllipticCurvePrivateKey)
        return key_found, x509.load_pem_x509_certificate(self.ca_file.read_bytes())

    def _good(self, name: str, authority: x509.Certificate) -> bool:
        if not (self.cert_file(name).exists() and self.key_file(name).exists()):
            return False
        found = x509.load_pem_x509_certificate(self.cert_file(name).read_bytes())
        try:
            found.verify_directly_issued_by(authority)
        except Exception:  # whatever is wrong with it
            return False
        return found.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > RENEW_BEFORE

    def _issue(self, name: str, ca_key: ec.EllipticCurvePrivateKey, ca: x509.Certificate) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names: list[x509.GeneralName] = [x509.DNSName(name), x509.DNSName("localhost")]
        names.append(x509.IPAddress(IPv4Address("127.0.0.1")))
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        draft = _draft(subject, ca.subject, key.public_key(), ca_key.public_key(), LIFE)
        draft = draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        draft = draft.add_extension(_usage("digital_signature"), critical=True)
        draft = draft.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        draft = draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
        _write(self.key_file(name), _private(key))
        _write(self.cert_file(name), _public(draft.sign(ca_key, hashes.SHA256())), 0o644)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time: two first starts must not make two authorities."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _draft(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    life: datetime.timedelta,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in _USAGES})


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """By a draft and a rename: whoever reads finds the old file or the new one."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    draft.replace(path)
