"""The local authority: issues certificates for domains of this machine. Whoever imports its certificate trusts them.

It never leaves the machine, and it signs nothing but what a server needs.
"""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from paas.domain.certificate import CheckedPair, KeyPair
from paas.errors import PaasError
from paas.tls.files import write_private
from paas.tls.pair import fingerprint

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397
"""Browsers take no longer ones (CA/Browser Forum, Baseline Requirements 6.3.2)."""
_BACKDATED = dt.timedelta(hours=1)
"""A clock that is a little behind takes a new certificate too."""

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mini local authority")])


class Authority:
    """The authority of one home: a certificate of its own, and the key that signs."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def open(cls, path: Path, *, now: dt.datetime) -> "Authority":
        """Return the authority in `path`, made where there is none yet; raises PaasError for a file that is damaged."""
        if not path.exists():
            _make(path, now=now)
        text = path.read_bytes()
        try:
            key = serialization.load_pem_private_key(text, password=None)
            certificate = x509.load_pem_x509_certificate(text)
        except ValueError as error:
            raise _damaged(path) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _damaged(path)
        return cls(certificate, key)

    @property
    def certificate(self) -> str:
        """Its certificate, PEM: what a browser or an operating system imports."""
        return _pem(self._certificate)

    def issue(self, host: str, *, now: dt.datetime) -> CheckedPair:
        """Return a fresh key with a certificate for `host`, which may begin with `*.`."""
        key = ec.generate_private_key(ec.SECP256R1())
        expires_at = min(now + dt.timedelta(days=CERTIFICATE_DAYS), self._certificate.not_valid_after_utc)
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mini")])
        draft = _draft(subject, key, now=now, expires_at=expires_at)
        draft = draft.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        draft = draft.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        certificate = _usable_for(draft, authority=False).sign(self._key, hashes.SHA256())
        pair = KeyPair(chain=_pem(certificate), key=_private_pem(key))
        return CheckedPair(pair, fingerprint(certificate), certificate.not_valid_after_utc)


def _make(path: Path, *, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    draft = _draft(_NAME, key, now=now, expires_at=now + dt.timedelta(days=AUTHORITY_DAYS))
    certificate = _usable_for(draft, authority=True).sign(key, hashes.SHA256())
    write_private(path, _private_pem(key) + _pem(certificate))


def _draft(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, now: dt.datetime, expires_at: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(expires_at)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usable_for(draft: x509.CertificateBuilder, *, authority: bool) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    basic = x509.BasicConstraints(ca=authority, path_length=0 if authority else None)
    return draft.add_extension(usage, critical=True).add_extension(basic, critical=True)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _damaged(path: Path) -> PaasError:
    return PaasError(
        f"The local authority's file {path} cannot be read. Restore it from your backup of the state directory, or "
        "remove it: a new authority is made then, and must be trusted anew."
    )
