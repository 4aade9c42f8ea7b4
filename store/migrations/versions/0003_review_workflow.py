"""Risk tiers, who was shown what, notices to the outside, and templates that have earned trust."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcTime

revision = "0003"
down_revision = "0002"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state IN ('proposed', 'active')")


def upgrade() -> None:
    """Adds columns to requests and votes, and makes the new tables."""
    _change_requests()
    _approvals()
    _change_views()
    _notices()
    _promotions()


def _change_requests() -> None:
    for column in (
        sa.Column("tier", sa.Integer()),
        sa.Column("admins_needed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("tier_reasons_json", sa.Text()),
        sa.Column("template", sa.String(length=64)),
        sa.Column("auto", sa.String(length=64)),
        sa.Column("drifts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("pending_at", UtcTime()),
        sa.Column("reminded_at", UtcTime()),
        sa.Column("rows_packed", sa.LargeBinary()),
    ):
        op.add_column("change_requests", column)
    op.create_index(
        op.f("ix_change_requests_source_template"), "change_requests", ["source", "template"]
    )


def _approvals() -> None:
    for name in ("fast", "bulk"):
        op.add_column(
            "approvals", sa.Column(name, sa.Boolean(), nullable=False, server_default="0")
        )


def _change_views() -> None:
    op.create_table(
        "change_views",
        sa.Column("change", SERIAL, nullable=False),
        sa.Column("viewer", sa.String(length=20), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("shown_at", UtcTime(), nullable=False),
        sa.Column("downloaded_at", UtcTime()),
        sa.ForeignKeyConstraint(
            ["change"], ["change_requests.id"], name=op.f("fk_change_views_change_change_requests")
        ),
        sa.ForeignKeyConstraint(
            ["viewer"], ["accounts.id"], name=op.f("fk_change_views_viewer_accounts")
        ),
        sa.PrimaryKeyConstraint("change", "viewer", "fingerprint", name=op.f("pk_change_views")),
    )


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("fields_json", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("claimed_by", sa.String(length=40)),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime()),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint(
            "event IN ('new', 'decided', 'expired', 'drifted', 'reminder')",
            name=op.f("ck_notices_event"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'given_up')", name=op.f("ck_notices_state")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_notices_attempts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("key", name=op.f("uq_notices_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notices_state_next_at"), "notices", ["state", "next_at"])
    op.create_index(op.f("ix_notices_target_change"), "notices", ["target", "change"])
    op.create_table(
        "notice_references",
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("change", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("target", "change", name=op.f("pk_notice_references")),
    )


def _promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("tables_json", sa.Text(), nullable=False),
        sa.Column("columns_json", sa.Text(), nullable=False),
        sa.Column("schema_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("max_rows", sa.Integer(), nullable=False),
        sa.Column("per_day", sa.Integer(), nullable=False),
        sa.Column("hour_from", sa.Integer(), nullable=False),
        sa.Column("hour_to", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("authors", sa.Integer(), nullable=False),
        sa.Column("approvers", sa.Integer(), nullable=False),
        sa.Column("proposed_at", UtcTime(), nullable=False),
        sa.Column("active_at", UtcTime()),
        sa.Column("expires_at", UtcTime()),
        sa.Column("ended_at", UtcTime()),
        sa.Column("reason", sa.Text()),
        sa.CheckConstraint(
            "state IN ('proposed', 'active', 'revoked', 'expired', 'declined')",
            name=op.f("ck_promotions_state"),
        ),
        sa.CheckConstraint("max_rows >= 1 AND per_day >= 1", name=op.f("ck_promotions_bounds")),
        sa.CheckConstraint(
            "hour_from >= 0 AND hour_to <= 24 AND hour_from < hour_to",
            name=op.f("ck_promotions_hours"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_promotions_open",
        "promotions",
        ["source", "template"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "promotion_votes",
        sa.Column("promotion", SERIAL, nullable=False),
        sa.Column("admin", sa.String(length=20), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["promotion"], ["promotions.id"], name=op.f("fk_promotion_votes_promotion_promotions")
        ),
        sa.ForeignKeyConstraint(
            ["admin"], ["accounts.id"], name=op.f("fk_promotion_votes_admin_accounts")
        ),
        sa.PrimaryKeyConstraint("promotion", "admin", name=op.f("pk_promotion_votes")),
    )
