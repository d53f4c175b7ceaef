"""Identifiers. Random ones are 16 hexadecimal digits; nothing but equality is ever read from them."""

import secrets
from typing import NewType

AppId = NewType("AppId", str)
BuildId = NewType("BuildId", str)
ConfigId = NewType("ConfigId", str)
ReleaseId = NewType("ReleaseId", str)
DeploymentId = NewType("DeploymentId", str)
InstanceId = NewType("InstanceId", str)
CertificateId = NewType("CertificateId", str)
Commit = NewType("Commit", str)
"""A full object id of a git commit: 40 or 64 hexadecimal digits."""


def new_id() -> str:
    """Return a fresh random identifier."""
    return secrets.token_hex(8)
