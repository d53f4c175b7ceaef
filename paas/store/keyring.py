"""Keys: one file outside the database wraps every key inside it. The only place that knows any cryptography."""

import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paas.store.errors import DamagedStoreError
from paas.store.filesystem import make_private

KEY_SIZE = 32
_NONCE_SIZE = 12


@dataclass(frozen=True, slots=True, repr=False)
class WrappedKey:
    """A data key as the database keeps it: useless without the line `key_id` of the key file."""

    owner: str
    key_id: str
    wrapped: bytes


class DataKey:
    """A key in memory that encrypts values, bound to the place they are for, and seals documents."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, text: bytes, *, place: str) -> bytes:
        """Return `text` encrypted for `place`: nowhere else can it be decrypted."""
        return _encrypt(self._key, text, place)

    def decrypt(self, value: bytes, *, place: str) -> bytes:
        """Return the text that was encrypted for `place`; raises DamagedStoreError where that is not what this is."""
        try:
            return _decrypt(self._key, value, place)
        except InvalidTag:
            raise DamagedStoreError(
                f"A secret cannot be decrypted ({place.partition(':')[0]}): somebody changed the database. "
                "Restore the newest file of `backups` in the state directory."
            ) from None

    def seal(self, document: bytes, *, purpose: str) -> bytes:
        """Return a keyed hash of `document`: nobody without the key can make it, or guess a document from it."""
        key = hmac.digest(self._key, purpose.encode(), "sha256")
        return hmac.digest(key, document, "sha256")


class Keyring:
    """The master keys of one home. The first line of the file wraps new keys, the others open what they wrapped."""

    def __init__(self, path: Path, keys: dict[str, bytes]) -> None:
        self._path = path
        self._keys = keys

    @classmethod
    def open(cls, path: Path, *, needed: bool) -> "Keyring":
        """Return the keyring in `path`, made at random where it is missing and nothing was wrapped by it yet.

        Raises DamagedStoreError where it is missing although it is needed, or cannot be read.
        """
        if not path.exists():
            if needed:
                raise DamagedStoreError(
                    f"The key file {path} is missing, and config values in the database cannot be read without it. "
                    "Restore that file from your backup of the state directory, with mode 0600, and start again."
                )
            _make(path)
        path.chmod(0o600)
        return cls(path, _parsed(path))

    def new_key(self, owner: str) -> tuple[DataKey, WrappedKey]:
        """Return a random data key for `owner`, and what to keep of it."""
        key = secrets.token_bytes(KEY_SIZE)
        key_id, master = next(iter(self._keys.items()))
        return DataKey(key), WrappedKey(owner, key_id, _encrypt(master, key, _wrapping(owner, key_id)))

    def unwrap(self, kept: WrappedKey) -> DataKey:
        """Return the data key; raises DamagedStoreError where the key file cannot open it."""
        master = self._keys.get(kept.key_id)
        if master is None:
            raise DamagedStoreError(
                f"The key file {self._path} has no key {kept.key_id}, which the database needs. Restore the key file "
                "that belongs to this database from your backup of the state directory."
            )
        try:
            return DataKey(_decrypt(master, kept.wrapped, _wrapping(kept.owner, kept.key_id)))
        except InvalidTag:
            raise DamagedStoreError(
                f"The key file {self._path} does not open the keys in the database. Restore both from one backup."
            ) from None


def _make(path: Path) -> None:
    make_private(path.parent)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secrets.token_hex(4)} {secrets.token_hex(KEY_SIZE)}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parsed(path: Path) -> dict[str, bytes]:
    try:
        keys = {key_id: bytes.fromhex(key) for key_id, key in map(str.split, path.read_text().splitlines())}
    except ValueError:
        keys = {}
    if not keys or any(len(key) != KEY_SIZE for key in keys.values()):
        raise DamagedStoreError(
            f"The key file {path} cannot be read: each line must be an id and 64 hexadecimal digits. "
            "Restore it from your backup of the state directory."
        )
    return keys


def _wrapping(owner: str, key_id: str) -> str:
    return f"data key:{owner}:{key_id}"


def _encrypt(key: bytes, text: bytes, place: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, text, place.encode())


def _decrypt(key: bytes, value: bytes, place: str) -> bytes:
    return AESGCM(key).decrypt(value[:_NONCE_SIZE], value[_NONCE_SIZE:], place.encode())
