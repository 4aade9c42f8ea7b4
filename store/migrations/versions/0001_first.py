"""The first version: people, sessions, conversations, change requests, budgets, policy versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcTime

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes every table, those that others point at first."""
    _accounts()
    _budgets()
    _sign_in_attempts()
    _account_roles()
    _conversations()
    _policy_versions()
    _reservations()
    _web_sessions()
    _turns()
    _change_requests()
    _steps()
    _approvals()
    _change_comments()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )


def _budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_budgets_reserved")),
        sa.CheckConstraint("spent >= 0", name=op.f("ck_budgets_spent")),
        sa.PrimaryKeyConstraint("scope", "window", "resource", name=op.f("pk_budgets")),
    )
    op.create_index(op.f("ix_budgets_updated_at"), "budgets", ["updated_at"], unique=False)


def _sign_in_attempts() -> None:
    op.create_table(
        "sign_in_attempts",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("key_sha", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcTime(), nullable=False),
        sa.CheckConstraint(
            _one_of("scope", "account", "address"), name=op.f("ck_sign_in_attempts_scope")
        ),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_sign_in_attempts_failures")),
        sa.PrimaryKeyConstraint("scope", "key_sha", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index(
        op.f("ix_sign_in_attempts_last_at"), "sign_in_attempts", ["last_at"], unique=False
    )


def _account_roles() -> None:
    op.create_table(
        "account_roles",
        sa.Column("account", sa.String(length=20), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            _one_of("role", "analyst", "reviewer", "admin"), name=op.f("ck_account_roles_role")
        ),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name=op.f("fk_account_roles_account_accounts")
        ),
        sa.PrimaryKeyConstraint("account", "role", name=op.f("pk_account_roles")),
    )


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner"], ["accounts.id"], name=op.f("fk_conversations_owner_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(
        op.f("ix_conversations_owner_updated_at"),
        "conversations",
        ["owner", "updated_at"],
        unique=False,
    )


def _policy_versions() -> None:
    op.create_table(
        "policy_versions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("activated_at", UtcTime(), nullable=False),
        sa.Column("activated_by", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["activated_by"], ["accounts.id"], name=op.f("fk_policy_versions_activated_by_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_versions")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_policy_versions_sha256"), "policy_versions", ["sha256"], unique=False)


def _reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("on_lapse", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("lapses_at", UtcTime(), nullable=False),
        sa.CheckConstraint(
            _one_of("on_lapse", "spend", "release"), name=op.f("ck_reservations_on_lapse")
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_reservations_amount")),
        sa.ForeignKeyConstraint(
            ["scope", "window", "resource"],
            ["budgets.scope", "budgets.window", "budgets.resource"],
            name=op.f("fk_reservations_scope_window_resource_budgets"),
        ),
        sa.PrimaryKeyConstraint("id", "scope", "window", "resource", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_lapses_at"), "reservations", ["lapses_at"], unique=False)


def _web_sessions() -> None:
    op.create_table(
        "web_sessions",
        sa.Column("token_sha", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=20), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name=op.f("fk_web_sessions_account_accounts")
        ),
        sa.PrimaryKeyConstraint("token_sha", name=op.f("pk_web_sessions")),
    )
    op.create_index(op.f("ix_web_sessions_account"), "web_sessions", ["account"], unique=False)


def _turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("conversation", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lease_owner", sa.String(length=40), nullable=True),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("heartbeat_at", UtcTime(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("answer_json", sa.Text(), nullable=True),
        sa.Column("messages", sa.LargeBinary(), nullable=True),
        sa.Column("usage_json", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=True),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            _one_of("kind", "question", "sql", "change"), name=op.f("ck_turns_kind")
        ),
        sa.CheckConstraint(
            "state <> 'running' OR (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
            name=op.f("ck_turns_lease"),
        ),
        sa.CheckConstraint(
            _one_of(
                "state",
                "queued",
                "running",
                "waiting",
                "done",
                "failed",
                "halted",
                "cancelled",
                "interrupted",
            ),
            name=op.f("ck_turns_state"),
        ),
        sa.ForeignKeyConstraint(
            ["conversation"], ["conversations.id"], name=op.f("fk_turns_conversation_conversations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
        sa.UniqueConstraint("conversation", "seq", name=op.f("uq_turns_conversation_seq")),
    )
    op.create_index(op.f("ix_turns_state"), "turns", ["state"], unique=False)


def _change_requests() -> None:
    op.create_table(
        "change_requests",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=20), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("statement_sha", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rule", sa.String(length=120), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("approvers_needed", sa.Integer(), nullable=False),
        sa.Column("conversation", sa.String(length=20), nullable=True),
        sa.Column("turn", sa.String(length=20), nullable=True),
        sa.Column("call_id", sa.String(length=120), nullable=True),
        sa.Column("undo_of", SERIAL, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("summary_json", sa.Text(), nullable=True),
        sa.Column("preview_json", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("undo_kind", sa.String(length=16), nullable=True),
        sa.Column("exec_token", sa.String(length=120), nullable=True),
        sa.Column("before_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("after_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("undo_image", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.Column("executed_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'previewing', 'failed')"
            " OR (preview_json IS NOT NULL AND fingerprint IS NOT NULL AND undo_kind IS NOT NULL)",
            name=op.f("ck_change_requests_previewed"),
        ),
        sa.CheckConstraint(
            _one_of(
                "state",
                "draft",
                "previewing",
                "pending",
                "approved",
                "executing",
                "executed",
                "undoing",
                "undone",
                "undo_failed",
                "rejected",
                "expired",
                "withdrawn",
                "drifted",
                "failed",
                "unknown",
            ),
            name=op.f("ck_change_requests_state"),
        ),
        sa.CheckConstraint(
            _one_of("undo_kind", "exact", "partial", "none"),
            name=op.f("ck_change_requests_undo_kind"),
        ),
        sa.CheckConstraint(
            "approvers_needed >= 1", name=op.f("ck_change_requests_approvers_needed")
        ),
        sa.ForeignKeyConstraint(
            ["author"], ["accounts.id"], name=op.f("fk_change_requests_author_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["conversation"],
            ["conversations.id"],
            name=op.f("fk_change_requests_conversation_conversations"),
        ),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"], name=op.f("fk_change_requests_turn_turns")),
        sa.ForeignKeyConstraint(
            ["undo_of"],
            ["change_requests.id"],
            name=op.f("fk_change_requests_undo_of_change_requests"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_requests")),
        sa.UniqueConstraint("id", "author", name=op.f("uq_change_requests_id_author")),
        sa.UniqueConstraint("turn", "call_id", name=op.f("uq_change_requests_turn_call_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_change_requests_author_created_at"),
        "change_requests",
        ["author", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_change_requests_state_created_at"),
        "change_requests",
        ["state", "created_at"],
        unique=False,
    )


def _steps() -> None:
    op.create_table(
        "steps",
        sa.Column("turn", sa.String(length=20), nullable=False),
        sa.Column("call_id", sa.String(length=120), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("tool", sa.String(length=64), nullable=True),
        sa.Column("args_json", sa.Text(), nullable=False),
        sa.Column("args_sha", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("result_json", sa.Text(), nullable=True),
        sa.Column("blob", sa.LargeBinary(), nullable=True),
        sa.Column("elapsed_ms", sa.Integer(), nullable=True),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.CheckConstraint(_one_of("state", "started", "done"), name=op.f("ck_steps_state")),
        sa.CheckConstraint(
            _one_of("verdict", "allow", "hold", "deny"), name=op.f("ck_steps_verdict")
        ),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"], name=op.f("fk_steps_turn_turns")),
        sa.PrimaryKeyConstraint("turn", "call_id", name=op.f("pk_steps")),
        sa.UniqueConstraint("turn", "seq", name=op.f("uq_steps_turn_seq")),
    )


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("change", SERIAL, nullable=False),
        sa.Column("author", sa.String(length=20), nullable=False),
        sa.Column("approver", sa.String(length=20), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("statement_sha", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("voided_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            _one_of("decision", "approve", "reject"), name=op.f("ck_approvals_decision")
        ),
        sa.CheckConstraint("approver <> author", name=op.f("ck_approvals_not_the_author")),
        sa.ForeignKeyConstraint(
            ["approver"], ["accounts.id"], name=op.f("fk_approvals_approver_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["change", "author"],
            ["change_requests.id", "change_requests.author"],
            name=op.f("fk_approvals_change_author_change_requests"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_approvals_standing",
        "approvals",
        ["change", "approver"],
        unique=True,
        sqlite_where=sa.text("voided_at IS NULL"),
        postgresql_where=sa.text("voided_at IS NULL"),
    )


def _change_comments() -> None:
    op.create_table(
        "change_comments",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("change", SERIAL, nullable=False),
        sa.Column("author", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author"], ["accounts.id"], name=op.f("fk_change_comments_author_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["change"],
            ["change_requests.id"],
            name=op.f("fk_change_comments_change_change_requests"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_comments")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_change_comments_change"), "change_comments", ["change"], unique=False)


def _one_of(column: str, *members: str) -> str:
    return f"{column} IN ({', '.join(repr(m) for m in members)})"
