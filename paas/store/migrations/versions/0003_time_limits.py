"""Time limits of one-offs, so that they outlive the control plane that was told of them."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; the table is not made anew, so its triggers stay."""
    op.execute("ALTER TABLE instances ADD COLUMN time_limit REAL CHECK (time_limit > 0)")
