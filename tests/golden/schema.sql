CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE apps (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    current TEXT REFERENCES releases (id),
    destroyed_at TEXT
) STRICT;

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

CREATE TABLE certificates (
    host TEXT NOT NULL PRIMARY KEY REFERENCES domains (host) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL CHECK (origin IN ('issued', 'given')),
    fingerprint TEXT NOT NULL,
    expires_at TEXT NOT NULL,
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

CREATE TABLE data_keys (
    owner TEXT NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at TEXT NOT NULL
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

CREATE TABLE domains (
    host TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps (id),
    created_at TEXT NOT NULL
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

CREATE TABLE formations (
    app TEXT NOT NULL REFERENCES apps (id),
    type TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (app, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status INTEGER,
    body BLOB,
    created_at TEXT NOT NULL
) STRICT;

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
, time_limit REAL CHECK (time_limit > 0)) STRICT;

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
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

CREATE TABLE slots (
    app TEXT NOT NULL REFERENCES apps (id),
    type TEXT NOT NULL,
    "index" INTEGER NOT NULL CHECK ("index" >= 1),
    epoch INTEGER NOT NULL,
    stopped_for INTEGER,
    PRIMARY KEY (app, type, "index")
) STRICT, WITHOUT ROWID;

CREATE TABLE sqlite_sequence(name,seq);

CREATE TABLE switches (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL REFERENCES apps (id),
    release TEXT NOT NULL REFERENCES releases (id),
    at TEXT NOT NULL
) STRICT;

CREATE TABLE traffic (
    app TEXT NOT NULL PRIMARY KEY REFERENCES apps (id),
    maintenance INTEGER NOT NULL DEFAULT 0 CHECK (maintenance IN (0, 1)),
    sticky INTEGER NOT NULL DEFAULT 0 CHECK (sticky IN (0, 1))
) STRICT;

CREATE UNIQUE INDEX apps_name ON apps (name) WHERE destroyed_at IS NULL;

CREATE INDEX builds_app ON builds (app, sequence);

CREATE INDEX builds_commit ON builds (app, "commit", builder, sequence);

CREATE INDEX builds_running ON builds (sequence) WHERE ended_at IS NULL;

CREATE INDEX deployments_app ON deployments (app, sequence);

CREATE INDEX deployments_open ON deployments (sequence) WHERE ended_at IS NULL;

CREATE INDEX domains_app ON domains (app);

CREATE INDEX events_app ON events (app, id);

CREATE INDEX idempotency_created_at ON idempotency (created_at);

CREATE INDEX instances_living ON instances (sequence) WHERE ended_at IS NULL;

CREATE UNIQUE INDEX instances_port ON instances (port) WHERE ended_at IS NULL AND port IS NOT NULL;

CREATE INDEX instances_release ON instances (release, type, "index", sequence);

CREATE INDEX instances_slot ON instances (app, type, "index", sequence);

CREATE INDEX switches_app ON switches (app, sequence);

CREATE TRIGGER apps_changed BEFORE UPDATE ON apps WHEN OLD.destroyed_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'apps are immutable'); END;

CREATE TRIGGER apps_deleted BEFORE DELETE ON apps BEGIN SELECT RAISE(ABORT, 'apps are never deleted'); END;

CREATE TRIGGER apps_replaced BEFORE INSERT ON apps WHEN EXISTS (SELECT 1 FROM apps WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'apps are never replaced'); END;

CREATE TRIGGER builds_changed BEFORE UPDATE ON builds WHEN OLD.ended_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'builds are immutable'); END;

CREATE TRIGGER builds_deleted BEFORE DELETE ON builds BEGIN SELECT RAISE(ABORT, 'builds are never deleted'); END;

CREATE TRIGGER builds_replaced BEFORE INSERT ON builds WHEN EXISTS (SELECT 1 FROM builds WHERE id = NEW.id OR sequence = NEW.sequence) BEGIN SELECT RAISE(ABORT, 'builds are never replaced'); END;

CREATE TRIGGER config_sets_changed BEFORE UPDATE ON config_sets BEGIN SELECT RAISE(ABORT, 'config_sets are immutable'); END;

CREATE TRIGGER config_sets_closed BEFORE INSERT ON config_values WHEN EXISTS (SELECT 1 FROM config_sets WHERE id = NEW.config) BEGIN SELECT RAISE(ABORT, 'config sets are immutable'); END;

CREATE TRIGGER config_sets_deleted BEFORE DELETE ON config_sets BEGIN SELECT RAISE(ABORT, 'config_sets are never deleted'); END;

CREATE TRIGGER config_sets_replaced BEFORE INSERT ON config_sets WHEN EXISTS (SELECT 1 FROM config_sets WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'config_sets are never replaced'); END;

CREATE TRIGGER config_values_changed BEFORE UPDATE ON config_values BEGIN SELECT RAISE(ABORT, 'config_values are immutable'); END;

CREATE TRIGGER config_values_deleted BEFORE DELETE ON config_values BEGIN SELECT RAISE(ABORT, 'config_values are never deleted'); END;

CREATE TRIGGER config_values_replaced BEFORE INSERT ON config_values WHEN EXISTS (SELECT 1 FROM config_values WHERE config = NEW.config AND key = NEW.key) BEGIN SELECT RAISE(ABORT, 'config_values are never replaced'); END;

CREATE TRIGGER deployments_changed BEFORE UPDATE ON deployments WHEN OLD.ended_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'deployments are immutable'); END;

CREATE TRIGGER deployments_deleted BEFORE DELETE ON deployments BEGIN SELECT RAISE(ABORT, 'deployments are never deleted'); END;

CREATE TRIGGER deployments_replaced BEFORE INSERT ON deployments WHEN EXISTS (SELECT 1 FROM deployments WHERE id = NEW.id OR sequence = NEW.sequence) BEGIN SELECT RAISE(ABORT, 'deployments are never replaced'); END;

CREATE TRIGGER events_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;

CREATE TRIGGER events_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

CREATE TRIGGER events_replaced BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'events are never replaced'); END;

CREATE TRIGGER pruned_artifacts_changed BEFORE UPDATE ON pruned_artifacts BEGIN SELECT RAISE(ABORT, 'pruned_artifacts are immutable'); END;

CREATE TRIGGER pruned_artifacts_deleted BEFORE DELETE ON pruned_artifacts BEGIN SELECT RAISE(ABORT, 'pruned_artifacts are never deleted'); END;

CREATE TRIGGER pruned_artifacts_replaced BEFORE INSERT ON pruned_artifacts WHEN EXISTS (SELECT 1 FROM pruned_artifacts WHERE build = NEW.build) BEGIN SELECT RAISE(ABORT, 'pruned_artifacts are never replaced'); END;

CREATE TRIGGER releases_changed BEFORE UPDATE ON releases BEGIN SELECT RAISE(ABORT, 'releases are immutable'); END;

CREATE TRIGGER releases_deleted BEFORE DELETE ON releases BEGIN SELECT RAISE(ABORT, 'releases are never deleted'); END;

CREATE TRIGGER releases_replaced BEFORE INSERT ON releases WHEN EXISTS (SELECT 1 FROM releases WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'releases are never replaced'); END;

CREATE TRIGGER releases_without_gaps BEFORE INSERT ON releases WHEN NEW.version <> (SELECT coalesce(max(version), 0) + 1 FROM releases WHERE app = NEW.app) BEGIN SELECT RAISE(ABORT, 'versions of an app have no gaps'); END;

CREATE TRIGGER switches_changed BEFORE UPDATE ON switches BEGIN SELECT RAISE(ABORT, 'switches are immutable'); END;

CREATE TRIGGER switches_deleted BEFORE DELETE ON switches BEGIN SELECT RAISE(ABORT, 'switches are never deleted'); END;

CREATE TRIGGER switches_replaced BEFORE INSERT ON switches WHEN EXISTS (SELECT 1 FROM switches WHERE sequence = NEW.sequence) BEGIN SELECT RAISE(ABORT, 'switches are never replaced'); END;
