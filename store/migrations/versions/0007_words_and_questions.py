"""Semantic layers with their versions, and saved questions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcTime

revision = "0007"
down_revision = "0006"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the two tables."""
    _layers()
    _questions()


def _account(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["accounts.id"], name=op.f(f"fk_{table}_{column}_accounts")
    )


def _layers() -> None:
    name = "semantic_layers"
    op.create_table(
        name,
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("confirmed_at", UtcTime(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=20), nullable=False),
        _account(name, "confirmed_by"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f(f"ix_{name}_source_id"), name, ["source", "id"], unique=False)


def _questions() -> None:
    name = "saved_questions"
    op.create_table(
        name,
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("owner", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("verified_by", sa.String(length=20), nullable=True),
        sa.Column("verified_at", UtcTime(), nullable=True),
        sa.Column("reads_json", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('private', 'offered', 'verified', 'stale')", name=op.f(f"ck_{name}_state")
        ),
        sa.CheckConstraint(
            "state NOT IN ('verified', 'stale') OR (verified_by IS NOT NULL"
            " AND verified_by <> owner AND verified_at IS NOT NULL AND reads_json IS NOT NULL)",
            name=op.f(f"ck_{name}_verified"),
        ),
        _account(name, "owner"),
        _account(name, "verified_by"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f(f"ix_{name}_owner_source"), name, ["owner", "source"], unique=False)
    op.create_index(op.f(f"ix_{name}_source_state"), name, ["source", "state"], unique=False)
    op.create_index(
        "uq_saved_questions_verified",
        name,
        ["source", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'verified'"),
        postgresql_where=sa.text("state = 'verified'"),
    )
