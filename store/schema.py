"""Every table of the store. Each has a repository module of the same idea; nothing else writes it.

States are closed sets: a CHECK on each such column is made from the type in `store.states`. Text
named `*_json` is opaque here: whoever writes it reads it.
"""

from __future__ import annotations

from typing import get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from store import states
from store.columns import NAMING, UtcTime

metadata = MetaData(naming_convention=NAMING)

# An integer key that SQLite also numbers by itself, and never gives out twice.
_SERIAL = BigInteger().with_variant(Integer, "sqlite")


def _one_of(column: str, closed: object) -> CheckConstraint:
    members = ", ".join(f"'{m}'" for m in get_args(closed))
    return CheckConstraint(f"{column} IN ({members})", name=column)


accounts = Table(
    "accounts",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("display_name", String(120), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

account_roles = Table(
    "account_roles",
    metadata,
    Column("account", String(20), ForeignKey("accounts.id"), primary_key=True),
    Column("role", String(16), primary_key=True),
    _one_of("role", states.ConsoleRole),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("scope", String(16), primary_key=True),
    Column("key_sha", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    _one_of("scope", states.AttemptScope),
    CheckConstraint("failures >= 0", name="failures"),
    Index(None, "last_at"),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("token_sha", String(64), primary_key=True),
    Column("account", String(20), ForeignKey("accounts.id"), nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("owner", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("source", String(64), nullable=False),
    Column("title", String(200), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index(None, "owner", "updated_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("conversation", String(20), ForeignKey("conversations.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("model", String(120)),
    Column("state", String(16), nullable=False),
    Column("lease_owner", String(40)),
    Column("lease_until", UtcTime),
    Column("heartbeat_at", UtcTime),
    Column("cancel_requested", Boolean, nullable=False),
    Column("answer_json", Text),
    Column("messages", LargeBinary),
    Column("usage_json", Text),
    Column("error", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("resumable", Boolean, nullable=False, server_default="0"),
    Column("resumes", Integer, nullable=False, server_default="0"),
    Column("saying", Text),
    _one_of("state", states.TurnState),
    _one_of("kind", states.TurnKind),
    CheckConstraint(
        "state <> 'running' OR (lease_owner IS NOT NULL AND lease_until IS NOT NULL)", name="lease"
    ),
    UniqueConstraint("conversation", "seq"),
    Index(None, "state"),
)

steps = Table(
    "steps",
    metadata,
    Column("turn", String(20), ForeignKey("turns.id"), primary_key=True),
    Column("call_id", String(120), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("tool", String(64)),
    Column("args_json", Text, nullable=False),
    Column("args_sha", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("verdict", String(16)),
    Column("result_json", Text),
    Column("blob", LargeBinary),
    Column("elapsed_ms", Integer),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    _one_of("state", states.StepState),
    _one_of("verdict", states.Verdict),
    UniqueConstraint("turn", "seq"),
)

change_requests = Table(
    "change_requests",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("author", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("statement", Text, nullable=False),
    Column("statement_sha", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("rule", String(120), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("approvers_needed", Integer, nullable=False),
    Column("conversation", String(20), ForeignKey("conversations.id")),
    Column("turn", String(20), ForeignKey("turns.id")),
    Column("call_id", String(120)),
    Column("undo_of", _SERIAL, ForeignKey("change_requests.id")),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("summary_json", Text),
    Column("preview_json", Text),
    Column("fingerprint", String(64)),
    Column("undo_kind", String(16)),
    Column("exec_token", String(120)),
    Column("before_fingerprint", String(64)),
    Column("after_fingerprint", String(64)),
    Column("undo_image", LargeBinary),
    Column("error", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("decided_at", UtcTime),
    Column("executed_at", UtcTime),
    Column("tier", Integer),
    Column("admins_needed", Integer, nullable=False, server_default="0"),
    Column("tier_reasons_json", Text),
    Column("template", String(64)),
    Column("auto", String(64)),
    Column("drifts", Integer, nullable=False, server_default="0"),
    Column("pending_at", UtcTime),
    Column("reminded_at", UtcTime),
    Column("rows_packed", LargeBinary),
    _one_of("state", states.ChangeState),
    _one_of("undo_kind", states.UndoKind),
    CheckConstraint("approvers_needed >= 1", name="approvers_needed"),
    CheckConstraint(
        "state IN ('draft', 'previewing', 'failed')"
        " OR (preview_json IS NOT NULL AND fingerprint IS NOT NULL AND undo_kind IS NOT NULL)",
        name="previewed",
    ),
    UniqueConstraint("id", "author"),
    UniqueConstraint("turn", "call_id"),
    Index(None, "state", "created_at"),
    Index(None, "author", "created_at"),
    Index(None, "source", "template"),
    sqlite_autoincrement=True,
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("change", _SERIAL, nullable=False),
    Column("author", String(20), nullable=False),
    Column("approver", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("statement_sha", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("comment", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("voided_at", UtcTime),
    Column("fast", Boolean, nullable=False, server_default="0"),
    Column("bulk", Boolean, nullable=False, server_default="0"),
    _one_of("decision", states.Vote),
    CheckConstraint("approver <> author", name="not_the_author"),
    # The author here is the request's own: the CHECK above cannot be met by naming somebody else.
    ForeignKeyConstraint(["change", "author"], ["change_requests.id", "change_requests.author"]),
    Index(
        "uq_approvals_standing",
        "change",
        "approver",
        unique=True,
        sqlite_where=text("voided_at IS NULL"),
        postgresql_where=text("voided_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

change_comments = Table(
    "change_comments",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("change", _SERIAL, ForeignKey("change_requests.id"), nullable=False, index=True),
    Column("author", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

change_views = Table(
    "change_views",
    metadata,
    Column("change", _SERIAL, ForeignKey("change_requests.id"), primary_key=True),
    Column("viewer", String(20), ForeignKey("accounts.id"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("shown_at", UtcTime, nullable=False),
    Column("downloaded_at", UtcTime),
)

notices = Table(
    "notices",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("key", String(40), nullable=False, unique=True),
    Column("target", String(64), nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("event", String(16), nullable=False),
    Column("fields_json", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("claimed_by", String(40)),
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("error", Text),
    _one_of("event", states.NoticeEvent),
    _one_of("state", states.NoticeState),
    CheckConstraint("attempts >= 0", name="attempts"),
    Index(None, "state", "next_at"),
    Index(None, "target", "change"),
    sqlite_autoincrement=True,
)

notice_references = Table(
    "notice_references",
    metadata,
    Column("target", String(64), primary_key=True),
    Column("change", BigInteger, primary_key=True, autoincrement=False),
    Column("value", String(100), nullable=False),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("template", String(64), nullable=False),
    Column("shape", Text, nullable=False),
    Column("tables_json", Text, nullable=False),
    Column("columns_json", Text, nullable=False),
    Column("schema_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("max_rows", Integer, nullable=False),
    Column("per_day", Integer, nullable=False),
    Column("hour_from", Integer, nullable=False),
    Column("hour_to", Integer, nullable=False),
    Column("runs", Integer, nullable=False),
    Column("authors", Integer, nullable=False),
    Column("approvers", Integer, nullable=False),
    Column("proposed_at", UtcTime, nullable=False),
    Column("active_at", UtcTime),
    Column("expires_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("reason", Text),
    _one_of("state", states.PromotionState),
    CheckConstraint("max_rows >= 1 AND per_day >= 1", name="bounds"),
    CheckConstraint(
        "hour_from >= 0 AND hour_to <= 24 AND hour_from < hour_to",
        name="hours",
    ),
    Index(
        "uq_promotions_open",
        "source",
        "template",
        unique=True,
        sqlite_where=text("state IN ('proposed', 'active')"),
        postgresql_where=text("state IN ('proposed', 'active')"),
    ),
    sqlite_autoincrement=True,
)

promotion_votes = Table(
    "promotion_votes",
    metadata,
    Column("promotion", _SERIAL, ForeignKey("promotions.id"), primary_key=True),
    Column("admin", String(20), ForeignKey("accounts.id"), primary_key=True),
    Column("at", UtcTime, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("window", String(64), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("reserved", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("spent >= 0", name="spent"),
    Index(None, "updated_at"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("scope", String(64), primary_key=True),
    Column("window", String(64), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("on_lapse", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("lapses_at", UtcTime, nullable=False, index=True),
    Column("owner", String(40)),
    CheckConstraint("amount >= 0", name="amount"),
    _one_of("on_lapse", states.LapseRule),
    ForeignKeyConstraint(
        ["scope", "window", "resource"], ["budgets.scope", "budgets.window", "budgets.resource"]
    ),
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("activated_at", UtcTime, nullable=False),
    Column("activated_by", String(20), ForeignKey("accounts.id")),
    Column("candidate", BigInteger),
    Column("os_account", String(64)),
    sqlite_autoincrement=True,
)

policy_candidates = Table(
    "policy_candidates",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("proposed_by", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("proposed_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided_by", String(20), ForeignKey("accounts.id")),
    Column("decided_at", UtcTime),
    Column("comment", Text, nullable=False),
    Column("replay_json", Text),
    Column("replay_base", String(64)),
    Column("replayed_at", UtcTime),
    _one_of("origin", states.CandidateOrigin),
    _one_of("state", states.CandidateState),
    CheckConstraint(
        "state <> 'activated' OR (decided_by IS NOT NULL AND decided_by <> proposed_by)",
        name="second_admin",
    ),
    Index(None, "state"),
    sqlite_autoincrement=True,
)

access_requests = Table(
    "access_requests",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("person", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("source", String(64), nullable=False),
    Column("needs_json", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("hours", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("decided_by", String(20), ForeignKey("accounts.id")),
    Column("decided_at", UtcTime),
    Column("comment", Text, nullable=False),
    Column("granted_json", Text),
    Column("until", UtcTime),
    Column("ended_by", String(20), ForeignKey("accounts.id")),
    Column("ended_at", UtcTime),
    _one_of("state", states.AccessState),
    CheckConstraint("decided_by IS NULL OR decided_by <> person", name="not_the_person"),
    CheckConstraint(
        "state NOT IN ('granted', 'revoked', 'ended')"
        " OR (decided_by IS NOT NULL AND granted_json IS NOT NULL AND until IS NOT NULL)",
        name="decided",
    ),
    Index(None, "person", "state", "until"),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)

semantic_layers = Table(
    "semantic_layers",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("confirmed_at", UtcTime, nullable=False),
    Column("confirmed_by", String(20), ForeignKey("accounts.id"), nullable=False),
    Index(None, "source", "id"),
    sqlite_autoincrement=True,
)

saved_questions = Table(
    "saved_questions",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("owner", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("source", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("key", String(64), nullable=False),
    Column("sql", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("verified_by", String(20), ForeignKey("accounts.id")),
    Column("verified_at", UtcTime),
    Column("reads_json", Text),
    Column("comment", Text, nullable=False),
    _one_of("state", states.SavedState),
    CheckConstraint(
        "state NOT IN ('verified', 'stale') OR (verified_by IS NOT NULL"
        " AND verified_by <> owner AND verified_at IS NOT NULL AND reads_json IS NOT NULL)",
        name="verified",
    ),
    Index(None, "owner", "source"),
    Index(None, "source", "state"),
    Index(
        "uq_saved_questions_verified",
        "source",
        "key",
        unique=True,
        sqlite_where=text("state = 'verified'"),
        postgresql_where=text("state = 'verified'"),
    ),
    sqlite_autoincrement=True,
)

audit_filters = Table(
    "audit_filters",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("owner", String(20), ForeignKey("accounts.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("query", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("owner", "name"),
    sqlite_autoincrement=True,
)
