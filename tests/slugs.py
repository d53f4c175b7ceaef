"""Tiny slugs made from a dict of files, as a build would leave them."""

from collections.abc import Mapping
from hashlib import sha256

from paas.domain.build import Slug
from paas.engines.process.scratch import SLUG_COMPLETE, SLUG_TREE
from paas.settings import Settings


def make_slug(settings: Settings, files: Mapping[str, str]) -> Slug:
    """Return a complete slug whose tree has these files: path → text, executable where it begins with `#!`."""
    key = sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
    folder = settings.slugs / key
    for path, text in files.items():
        file = folder / SLUG_TREE / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    (folder / SLUG_TREE).mkdir(parents=True, exist_ok=True)
    (folder / SLUG_COMPLETE).touch()
    return Slug(key)
