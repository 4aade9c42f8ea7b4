"""Filters of the audit page that people gave a name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcTime

revision = "0008"
down_revision = "0007"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the table."""
    name = "audit_filters"
    op.create_table(
        name,
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("owner", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["accounts.id"], name=op.f(f"fk_{name}_owner_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("owner", "name", name=op.f(f"uq_{name}_owner_name")),
        sqlite_autoincrement=True,
    )
