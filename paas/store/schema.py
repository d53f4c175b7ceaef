"""The tables as the repositories name them. The migrations make them; a test holds both to each other."""

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import Float

SCHEMA_VERSION = 3
"""The newest migration: `user_version` of a database that is up to date."""

APPLICATION_ID = 0x6D696E69
"""`mini`, in the header of every database of ours (sqlite.org/fileformat.html, offset 68)."""

_metadata = MetaData()


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text) for name in names]


def _whole(*names: str) -> list[Column[int]]:
    return [Column(name, Integer) for name in names]


meta = Table("meta", _metadata, *_text("key", "value"))

data_keys = Table(
    "data_keys", _metadata, *_text("owner", "key_id"), Column("wrapped", LargeBinary), *_text("created_at")
)

apps = Table("apps", _metadata, *_text("id", "name", "created_at", "current", "destroyed_at"))

domains = Table("domains", _metadata, *_text("host", "app", "created_at"))

traffic = Table("traffic", _metadata, *_text("app"), *_whole("maintenance", "sticky"))

certificates = Table(
    "certificates", _metadata, *_text("host", "id", "origin", "fingerprint", "expires_at", "created_at")
)

config_sets = Table("config_sets", _metadata, *_text("id", "app", "created_at"))

config_values = Table("config_values", _metadata, *_text("config", "key"), Column("value", LargeBinary))

builds = Table(
    "builds",
    _metadata,
    *_whole("sequence"),
    *_text("id", "app", "commit", "ref", "builder", "state", "created_at", "ended_at"),
    *_text("artifact", "manifest", "reason", "actor"),
)

pruned_artifacts = Table("pruned_artifacts", _metadata, *_text("build", "at"))

releases = Table(
    "releases",
    _metadata,
    *_text("id", "app"),
    *_whole("version"),
    *_text("kind", "description", "build", "config"),
    *_whole("origin"),
    *_text("actor", "created_at", "content_hash"),
)

deployments = Table(
    "deployments",
    _metadata,
    *_whole("sequence"),
    *_text(
        "id", "app", "kind", "state", "actor", "created_at", "ended_at", "build", "release", "code", "reason"
    ),
)

switches = Table("switches", _metadata, *_whole("sequence"), *_text("app", "release", "at"))

formations = Table("formations", _metadata, *_text("app", "type"), *_whole("count"))

slots = Table("slots", _metadata, *_text("app", "type"), *_whole("index", "epoch", "stopped_for"))

instances = Table(
    "instances",
    _metadata,
    *_whole("sequence"),
    *_text("id", "app", "release"),
    *_whole("version"),
    *_text("type"),
    *_whole("index", "epoch"),
    *_text("state", "boot_id", "created_at"),
    Column("started_monotonic", Float),
    *_whole("port"),
    *_text("address", "identity", "up_at"),
    Column("up_monotonic", Float),
    *_text("ended_at"),
    Column("ended_monotonic", Float),
    *_whole("exit_code", "out_of_memory"),
    *_text("cause"),
    *_whole("restarts", "streak", "one_off"),
    Column("time_limit", Float),
)

events = Table("events", _metadata, *_whole("id"), *_text("at", "kind", "app", "actor", "cause", "details"))

idempotency = Table(
    "idempotency",
    _metadata,
    *_text("key"),
    Column("fingerprint", LargeBinary),
    *_whole("status"),
    Column("body", LargeBinary),
    *_text("created_at"),
)

TABLES: tuple[Table, ...] = tuple(_metadata.tables.values())
