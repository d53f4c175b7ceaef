"""What the caches of one app's downloads are called. It makes none of them: the daemon does, for whoever names one.

Every Dockerfile that is built in the daemon can name every cache. So that no app can put anything into another's, or
another home's, the names come from a key that only the home has.
"""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from paas.domain.ids import AppId

_KEY_FILE = "image-caches.key"
_KEY_SIZE = 32


def cache_name(folder: Path, app: AppId) -> str:
    """Return the name for an app, the same each time. The key is in `folder`, made at random where it is missing:
    who removes it begins with empty caches."""
    return hmac.digest(_key(folder / _KEY_FILE), app.encode(), "sha256").hex()[:32]


def _key(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        if len(key := path.read_bytes()) == _KEY_SIZE:
            return key
        path.unlink()
    _make(path)
    return path.read_bytes()


def _make(path: Path) -> None:
    """Make the file whole at once, unless another build was quicker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_SIZE))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
    finally:
        Path(unfinished).unlink()
