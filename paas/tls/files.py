"""The files that certificates and private keys are kept in: mode 0600, each written once and whole, never changed."""

import errno
import os
import ssl
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from paas.domain.certificate import KeyPair
from paas.errors import DiskFullError, InvalidError

_SUFFIX = ".pem"
_UNFINISHED = ".part"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def keep(pair: KeyPair, path: Path) -> None:
    """Write a pair to `path`; raises InvalidError for one that no TLS server would take, and leaves no file then. Raises
    as `write_private` does."""
    write_private(path, pair.key.rstrip("\n") + "\n" + pair.chain)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    except ssl.SSLError as error:
        path.unlink()
        reason = (error.reason or "unknown").lower().replace("_", " ")
        raise InvalidError(f"TLS does not take this certificate with this key: {reason}.") from error


def sweep(folder: Path, *, used: Collection[Path]) -> None:
    """Remove every file of `folder` that is none of `used`: certificates that were replaced, or whose app has gone, and
    what a crash left half written. Nobody may be writing there."""
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.name.removesuffix(_UNFINISHED).endswith(_SUFFIX) and path not in used:
                path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, mode 0600, so that whoever reads it finds all of it or no file. Raises DiskFullError, and
    leaves no part of it then."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        _write(unfinished, text)
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        if error.errno in _FULL:
            raise DiskFullError from error
        raise


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
