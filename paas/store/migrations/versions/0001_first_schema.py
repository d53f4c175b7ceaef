"""The first schema: every table, and the triggers that make immutable what must be."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE data_keys (
    owner TEXT NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE apps (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    current TEXT REFERENCES releases (id),
    destroyed_at TEXT
) STRICT;

CREATE TABLE domains (
    host TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id),
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE config_sets (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id),
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE config_values (
    config TEXT NOT NULL REFERENCES config_sets (id) DEFERRABLE INITIALLY DEFERRED,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (config, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL REFERENCES apps (id),
    "commit" TEXT NOT NULL,
    ref TEXT NOT NULL,
    builder TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
    created_at TEXT NOT NULL,
    ended_at TEXT CHECK ((ended_at IS NULL) = (state = 'running')),
    artifact TEXT CHECK ((artifact IS NOT NULL) = (state = 'succeeded')),
    manifest TEXT CHECK ((manifest IS NOT NULL) = (state = 'succeeded')),
    reason TEXT NOT NULL,
    actor TEXT NOT NULL
) STRICT;

CREATE TABLE pruned_artifacts (
    build TEXT NOT NULL PRIMARY KEY REFERENCES builds (id),
    at TEXT NOT NULL
) STRICT;

CREATE TABLE releases (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id),
    version INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('deploy', 'config', 'rollback')),
    description TEXT NOT NULL,
    build TEXT REFERENCES builds (id),
    config TEXT NOT NULL REFERENCES config_sets (id),
    origin INTEGER NOT NULL CHECK (origin BETWEEN 1 AND version),
    actor TEXT NOT NULL,
    created_at TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    UNIQUE (app, version)
) STRICT;

CREATE TABLE deployments (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL REFERENCES apps (id),
    kind TEXT NOT NULL CHECK (kind IN ('push', 'config', 'rollback', 'revert')),
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'building', 'releasing', 'starting', 'succeeded', 'failed', 'cancelled')
    ),
    actor TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ended_at TEXT CHECK ((ended_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled'))),
    build TEXT REFERENCES builds (id),
    release TEXT UNIQUE REFERENCES releases (id),
    code TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE TABLE switches (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL REFERENCES apps (id),
    release TEXT NOT NULL REFERENCES releases (id),
    at TEXT NOT NULL
) STRICT;

CREATE TABLE formations (
    app TEXT NOT NULL REFERENCES apps (id),
    type TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (app, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
    app TEXT NOT NULL REFERENCES apps (id),
    type TEXT NOT NULL,
    "index" INTEGER NOT NULL CHECK ("index" >= 1),
    epoch INTEGER NOT NULL,
    stopped_for INTEGER,
    PRIMARY KEY (app, type, "index")
) STRICT, WITHOUT ROWID;

CREATE TABLE instances (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL REFERENCES apps (id),
    release TEXT NOT NULL REFERENCES releases (id),
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('starting', 'up', 'draining', 'stopping', 'exited')),
    boot_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    started_monotonic REAL NOT NULL,
    port INTEGER,
    address TEXT,
    identity TEXT,
    up_at TEXT,
    up_monotonic REAL,
    ended_at TEXT CHECK ((ended_at IS NOT NULL) = (state = 'exited')),
    ended_monotonic REAL,
    exit_code INTEGER,
    out_of_memory INTEGER NOT NULL CHECK (out_of_memory IN (0, 1)),
    cause TEXT NOT NULL,
    restarts INTEGER NOT NULL,
    streak INTEGER NOT NULL,
    one_off INTEGER NOT NULL CHECK (one_off IN (0, 1))
) STRICT;

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    app TEXT REFERENCES apps (id),
    actor TEXT NOT NULL,
    cause TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;

CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status INTEGER,
    body BLOB,
    created_at TEXT NOT NULL
) STRICT;
"""

INDEXES = """
CREATE UNIQUE INDEX apps_name ON apps (name) WHERE destroyed_at IS NULL;
CREATE INDEX domains_app ON domains (app);
CREATE INDEX builds_app ON builds (app, sequence);
CREATE INDEX builds_commit ON builds (app, "commit", builder, sequence);
CREATE INDEX builds_running ON builds (sequence) WHERE ended_at IS NULL;
CREATE INDEX deployments_app ON deployments (app, sequence);
CREATE INDEX deployments_open ON deployments (sequence) WHERE ended_at IS NULL;
CREATE INDEX switches_app ON switches (app, sequence);
CREATE INDEX instances_slot ON instances (app, type, "index", sequence);
CREATE INDEX instances_release ON instances (release, type, "index", sequence);
CREATE INDEX instances_living ON instances (sequence) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX instances_port ON instances (port) WHERE ended_at IS NULL AND port IS NOT NULL;
CREATE INDEX events_app ON events (app, id);
CREATE INDEX idempotency_created_at ON idempotency (created_at);
"""

KEPT = {
    "releases": "id = NEW.id",
    "config_sets": "id = NEW.id",
    "config_values": "config = NEW.config AND key = NEW.key",
    "pruned_artifacts": "build = NEW.build",
    "switches": "sequence = NEW.sequence",
    "events": "id = NEW.id",
    "builds": "id = NEW.id OR sequence = NEW.sequence",
    "deployments": "id = NEW.id OR sequence = NEW.sequence",
    "apps": "id = NEW.id",
}
"""Tables whose rows are never deleted, with what would make a new row replace an old one."""

FINAL = {
    "releases": "",
    "config_sets": "",
    "config_values": "",
    "pruned_artifacts": "",
    "switches": "",
    "events": "",
    "builds": "WHEN OLD.ended_at IS NOT NULL",
    "deployments": "WHEN OLD.ended_at IS NOT NULL",
    "apps": "WHEN OLD.destroyed_at IS NOT NULL",
}
"""Tables whose rows are never changed, or not after that."""

NEXT_VERSION = "(SELECT coalesce(max(version), 0) + 1 FROM releases WHERE app = NEW.app)"


def upgrade() -> None:
    """Make everything in an empty database."""
    for statement in (TABLES + INDEXES).split(";"):
        if statement.strip():
            op.execute(statement.strip())
    for table, same in KEPT.items():
        existing = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - names of this file
        _refuse(
            f"{table}_replaced", f"BEFORE INSERT ON {table} WHEN {existing}", f"{table} are never replaced"
        )
        _refuse(f"{table}_deleted", f"BEFORE DELETE ON {table}", f"{table} are never deleted")
    for table, when in FINAL.items():
        _refuse(f"{table}_changed", f"BEFORE UPDATE ON {table} {when}".rstrip(), f"{table} are immutable")
    _refuse(
        "releases_without_gaps",
        f"BEFORE INSERT ON releases WHEN NEW.version <> {NEXT_VERSION}",
        "versions of an app have no gaps",
    )
    _refuse(
        "config_sets_closed",
        "BEFORE INSERT ON config_values WHEN EXISTS (SELECT 1 FROM config_sets WHERE id = NEW.config)",
        "config sets are immutable",
    )


def _refuse(name: str, when: str, sentence: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{sentence}'); END")
