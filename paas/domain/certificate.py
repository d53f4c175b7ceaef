"""Certificates of domains, as they are known and as they lie in files. Nothing here reads or makes one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.domain.ids import CertificateId


class CertificateOrigin(StrEnum):
    """Where a certificate is from: `ISSUED` by the local authority, and renewed by itself, or `GIVEN` as files."""

    ISSUED = "issued"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known of the certificate of a domain; its private key is in a file of its own, never here."""

    id: CertificateId
    """Names its file: another certificate of the same host is another file."""
    host: str
    origin: CertificateOrigin
    fingerprint: str
    """SHA-256 of the certificate, in hexadecimal digits."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate chain with its private key, both PEM. It never shows itself in a message or a log."""

    chain: str
    key: str

    def __repr__(self) -> str:
        return "KeyPair([hidden])"


@dataclass(frozen=True, slots=True)
class CheckedPair:
    """A key pair that fits together and covers its host, with what was read from it."""

    pair: KeyPair
    fingerprint: str
    expires_at: datetime
