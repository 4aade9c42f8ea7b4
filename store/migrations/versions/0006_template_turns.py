"""Turns that a person begins with the form of a query template."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import NAMING, UtcTime

revision = "0006"
down_revision = "0005"

_KINDS = "kind IN ('question', 'sql', 'change', 'template')"
_STATES = (
    "state IN ('queued', 'running', 'waiting', 'done', 'failed', 'halted', 'cancelled',"
    " 'interrupted')"
)


def upgrade() -> None:
    """Lets a turn be of the kind `template`."""
    if op.get_bind().dialect.name == "sqlite":  # which makes the table anew for that
        with op.batch_alter_table("turns", copy_from=_turns(), recreate="always"):
            pass
        return
    op.drop_constraint(op.f("ck_turns_kind"), "turns")
    op.create_check_constraint(op.f("ck_turns_kind"), "turns", _KINDS)


def _turns() -> sa.Table:
    return sa.Table(
        "turns",
        sa.MetaData(naming_convention=NAMING),
        sa.Column("id", sa.String(length=20), primary_key=True),
        sa.Column("conversation", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=120)),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lease_owner", sa.String(length=40)),
        sa.Column("lease_until", UtcTime()),
        sa.Column("heartbeat_at", UtcTime()),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("answer_json", sa.Text()),
        sa.Column("messages", sa.LargeBinary()),
        sa.Column("usage_json", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("started_at", UtcTime()),
        sa.Column("finished_at", UtcTime()),
        sa.Column("resumable", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("resumes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("saying", sa.Text()),
        sa.ForeignKeyConstraint(
            ["conversation"],
            ["conversations.id"],
            name=op.f("fk_turns_conversation_conversations"),
        ),
        sa.CheckConstraint(_STATES, name=op.f("ck_turns_state")),
        sa.CheckConstraint(_KINDS, name=op.f("ck_turns_kind")),
        sa.CheckConstraint(
            "state <> 'running' OR (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
            name=op.f("ck_turns_lease"),
        ),
        sa.UniqueConstraint("conversation", "seq", name=op.f("uq_turns_conversation_seq")),
        sa.Index(op.f("ix_turns_state"), "state"),
    )
