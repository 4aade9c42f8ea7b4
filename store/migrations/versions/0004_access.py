"""Access requests with their grants, and policies that wait for a second admin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcTime

revision = "0004"
down_revision = "0003"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds to a version who reviewed it, and makes the two tables."""
    with op.batch_alter_table("policy_versions") as table:
        table.add_column(sa.Column("candidate", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("os_account", sa.String(length=64), nullable=True))
    _candidates()
    _access()


def _account(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["accounts.id"], name=op.f(f"fk_{table}_{column}_accounts")
    )


def _candidates() -> None:
    name = "policy_candidates"
    op.create_table(
        name,
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(length=20), nullable=False),
        sa.Column("proposed_at", UtcTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided_by", sa.String(length=20), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("replay_json", sa.Text(), nullable=True),
        sa.Column("replay_base", sa.String(length=64), nullable=True),
        sa.Column("replayed_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            "origin IN ('file', 'edit', 'rollback')", name=op.f(f"ck_{name}_origin")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'activated', 'rejected', 'withdrawn')",
            name=op.f(f"ck_{name}_state"),
        ),
        sa.CheckConstraint(
            "state <> 'activated' OR (decided_by IS NOT NULL AND decided_by <> proposed_by)",
            name=op.f(f"ck_{name}_second_admin"),
        ),
        _account(name, "proposed_by"),
        _account(name, "decided_by"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f(f"ix_{name}_state"), name, ["state"], unique=False)


def _access() -> None:
    name = "access_requests"
    op.create_table(
        name,
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("person", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("needs_json", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("decided_by", sa.String(length=20), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("granted_json", sa.Text(), nullable=True),
        sa.Column("until", UtcTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=20), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'granted', 'rejected', 'withdrawn', 'expired', 'revoked',"
            " 'ended')",
            name=op.f(f"ck_{name}_state"),
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> person", name=op.f(f"ck_{name}_not_the_person")
        ),
        sa.CheckConstraint(
            "state NOT IN ('granted', 'revoked', 'ended')"
            " OR (decided_by IS NOT NULL AND granted_json IS NOT NULL AND until IS NOT NULL)",
            name=op.f(f"ck_{name}_decided"),
        ),
        _account(name, "person"),
        _account(name, "decided_by"),
        _account(name, "ended_by"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f(f"ix_{name}_person_state_until"), name, ["person", "state", "until"], unique=False
    )
    op.create_index(op.f(f"ix_{name}_state_id"), name, ["state", "id"], unique=False)
