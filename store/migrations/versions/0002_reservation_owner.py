"""Who holds a reservation, so that those of a dead process can be ended before they lapse."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the owner; reservations made before have none and end by age."""
    with op.batch_alter_table("reservations") as table:
        table.add_column(sa.Column("owner", sa.String(length=40), nullable=True))
