"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to the schema; never rebuild a table, which would lose its triggers."""
    ${upgrades if upgrades else "op.execute('')"}
