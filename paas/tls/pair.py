"""Certificates from files, checked before anything is changed: whole, matching, for this host, valid now. Pure."""

import datetime as dt

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from paas.domain.certificate import CheckedPair, KeyPair
from paas.errors import InvalidError


def checked(pair: KeyPair, *, host: str, now: dt.datetime) -> CheckedPair:
    """Return what is known of the pair; raises InvalidError that says what does not fit."""
    certificate = _first_certificate(pair.chain)
    if _bytes(certificate.public_key()) != _bytes(_private_key(pair.key).public_key()):
        raise InvalidError(
            "The private key does not belong to the certificate. The first certificate of the file must be the host's "
            "own; those of its issuers come after it."
        )
    _check_host(certificate, host)
    _check_time(certificate, now)
    return CheckedPair(pair, fingerprint(certificate), certificate.not_valid_after_utc)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate in hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def covers(name: str, host: str) -> bool:
    """Return whether a certificate for `name` is one for `host` (RFC 6125 §6.4.3: `*.` stands for one label)."""
    name = name.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _first_certificate(text: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(text.encode())[0]
    except ValueError as error:
        raise InvalidError(
            "The certificate file is not PEM: it must have `-----BEGIN CERTIFICATE-----` in it, for each certificate."
        ) from error


def _private_key(text: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError as error:
        raise InvalidError(
            "The private key is protected by a passphrase. Write it without one: `openssl pkey -in KEY -out PLAIN`."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidError(
            "The key file is no private key in PEM: it must have `-----BEGIN … PRIVATE KEY-----` in it."
        ) from error


def _bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _check_host(certificate: x509.Certificate, host: str) -> None:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        hosts = []
    if not any(covers(name, host) for name in hosts):
        stands = f"It is for {', '.join(hosts)}." if hosts else "It names no host at all."
        raise InvalidError(f"The certificate is not for {host}. {stands}")


def _check_time(certificate: x509.Certificate, now: dt.datetime) -> None:
    if now >= certificate.not_valid_after_utc:
        raise InvalidError(
            f"The certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}. Renew it first."
        )
    if now < certificate.not_valid_before_utc:
        raise InvalidError(
            f"The certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC."
        )
