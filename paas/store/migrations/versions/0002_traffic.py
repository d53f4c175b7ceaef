"""Traffic: apps in maintenance, apps with sticky sessions, and the certificates of domains."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE traffic (
    app TEXT NOT NULL PRIMARY KEY REFERENCES apps (id),
    maintenance INTEGER NOT NULL DEFAULT 0 CHECK (maintenance IN (0, 1)),
    sticky INTEGER NOT NULL DEFAULT 0 CHECK (sticky IN (0, 1))
) STRICT;

CREATE TABLE certificates (
    host TEXT NOT NULL PRIMARY KEY REFERENCES domains (host) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL CHECK (origin IN ('issued', 'given')),
    fingerprint TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT
"""


def upgrade() -> None:
    """Add two tables; no table that is there is made anew, so its triggers stay."""
    for statement in TABLES.split(";"):
        op.execute(statement.strip())
