"""Domain values as the database writes them: JSON and RFC 3339 text, encoded and decoded here and nowhere else."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TypeVar

from paas.domain.build import Artifact, Image, Slug
from paas.domain.instance import ContainerIdentity, Identity, ProcessIdentity
from paas.domain.names import ProcessType
from paas.domain.process import Check, CheckKind, Manifest, Procfile

T = TypeVar("T")


def decode_moment(text: str) -> datetime:
    """Return the moment written by `rfc3339`."""
    return datetime.fromisoformat(text)


def decode_optional_moment(text: str | None) -> datetime | None:
    """Return the moment, None for none."""
    return None if text is None else decode_moment(text)


def encode_artifact(artifact: Artifact) -> str:
    """Return an artifact as JSON that says of which sort it is."""
    match artifact:
        case Slug():
            return _dump({"slug": asdict(artifact)})
        case Image():
            return _dump({"image": asdict(artifact)})


def decode_artifact(text: str) -> Artifact:
    """Return the artifact that `encode_artifact` wrote."""
    document = json.loads(text)
    if image := document.get("image"):
        return Image(digest=image["digest"], reference=image["reference"], port=image.get("port"))
    slug = document["slug"]
    return Slug(
        key=slug["key"],
        path=tuple(slug["path"]),
        links=tuple((name, target) for name, target in slug["links"]),
        environment=tuple((name, value) for name, value in slug["environment"]),
    )


def encode_manifest(manifest: Manifest) -> str:
    """Return a manifest as JSON; the order of the process types is kept."""
    commands, formation = dict(manifest.procfile.commands), dict(manifest.formation)
    return _dump(
        {
            "procfile": {"commands": commands, "source": manifest.procfile.source},
            "formation": formation,
            "checks": {name: [asdict(check) for check in checks] for name, checks in manifest.checks.items()},
            "auto_rollback": manifest.auto_rollback,
        }
    )


def decode_manifest(text: str) -> Manifest:
    """Return the manifest that `encode_manifest` wrote."""
    document = json.loads(text)
    procfile = document["procfile"]
    return Manifest(
        procfile=Procfile(commands=_by_type(procfile["commands"]), source=procfile["source"]),
        formation=_by_type(document["formation"]),
        checks={
            name: tuple(Check(**{**check, "kind": CheckKind(check["kind"])}) for check in checks)
            for name, checks in _by_type(document["checks"]).items()
        },
        auto_rollback=document["auto_rollback"],
    )


def encode_identity(identity: Identity) -> str:
    """Return who an instance is as JSON."""
    match identity:
        case ProcessIdentity():
            return _dump({"process": asdict(identity)})
        case ContainerIdentity():
            return _dump({"container": identity.container})


def decode_identity(text: str | None) -> Identity | None:
    """Return the identity that `encode_identity` wrote, None for none."""
    if text is None:
        return None
    document = json.loads(text)
    if process := document.get("process"):
        return ProcessIdentity(process["boot_id"], process["pid"], process["start_time"])
    return ContainerIdentity(document["container"])


def encode_details(details: Mapping[str, str | int]) -> str:
    """Return the details of an event as JSON."""
    return _dump(dict(details))


def decode_details(text: str) -> dict[str, str | int]:
    """Return the details that `encode_details` wrote."""
    return dict(json.loads(text))


def _by_type(document: Mapping[str, T]) -> dict[ProcessType, T]:
    return {ProcessType(name): value for name, value in document.items()}


def _dump(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))
