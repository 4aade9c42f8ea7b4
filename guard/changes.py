"""A change request as people see it, and how its diff is stored."""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter

from guard.diff import Cell, Diff, RowKind, TableDiff
from guard.risk import Reason
from store.changes import ChangeSummary, StoredChange
from store.states import ChangeState, UndoKind

Standing = Literal[
    "decide", "author", "voted", "not_reviewer", "out_of_scope", "over_cap", "closed"
]
"""What this person may do with a request, and if nothing, why."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many rows of one table a request touches."""

    table: str
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True, kw_only=True)
class ChangeCard:
    """A line of the inbox."""

    id: int
    source: str
    environment: str
    author: str
    author_name: str
    reason: str
    state: ChangeState
    tables: tuple[Count, ...]
    undo: UndoKind | None
    undo_of: int | None
    tier: int | None
    auto: str | None
    created_at: dt.datetime
    pending_at: dt.datetime | None
    expires_at: dt.datetime

    @property
    def rows(self) -> int:
        """Rows touched on all tables."""
        return sum(t.inserted + t.updated + t.deleted for t in self.tables)


@dataclass(frozen=True, kw_only=True)
class RowView:
    """A row of the diff as this person may see it; `changed` marks cells that really differ."""

    kind: RowKind
    before: tuple[Cell, ...] | None
    after: tuple[Cell, ...] | None
    changed: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class TableView:
    """The change of one table, redacted. `hidden` is true when the table is out of the scope."""

    table: str
    columns: tuple[str, ...]
    masked: tuple[str, ...]
    decided: tuple[str, ...]
    inserted: int
    updated: int
    deleted: int
    rows: tuple[RowView, ...]
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class SchemaView:
    """The change of one table's definition. `hidden` is true when it is out of the scope."""

    table: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    rows_before: int
    rows_lost: int
    rewritten: bool
    lock: Literal["none", "writes", "all"]
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One vote; `as_admin` says that the person is an admin now.

    `fast` and `bulk` say why it looks as if nobody had read what it was for.
    """

    by: str
    decision: Literal["approve", "reject"]
    comment: str
    at: dt.datetime
    void: bool
    fast: bool = False
    bulk: bool = False
    as_admin: bool = False


@dataclass(frozen=True, kw_only=True)
class Said:
    """One comment."""

    by: str
    text: str
    at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class ChangeView:
    """A request in full for one person. `fingerprint` is what an approval must name.

    `earlier` is the diff that was reviewed before the rows drifted, if they did. `reasons` are what
    its tier rests on, `missing` is who must still say yes. `cut` is true when there are more rows
    than `diff` holds; then `taken` says that this person has downloaded all of them.
    """

    card: ChangeCard
    statement: str
    fingerprint: str | None
    version: int
    standing: Standing
    approvers_needed: int
    admins_needed: int
    approvals: int
    missing: str
    reasons: tuple[Reason, ...]
    cut: bool
    taken: bool
    elapsed_us: int
    turn: str | None
    votes: tuple[Decided, ...]
    comments: tuple[Said, ...]
    diff: tuple[TableView, ...]
    earlier: tuple[TableView, ...]
    schema: tuple[SchemaView, ...]
    earlier_schema: tuple[SchemaView, ...]
    undo_notes: tuple[str, ...]
    undo_verified: bool
    conversation: str | None
    error: str | None
    executed_at: dt.datetime | None
    undo_requests: tuple[int, ...]


def counts(diff: Diff) -> str:
    """Returns the JSON of the counts, for lists."""
    defined = [
        Count(table=s.table, inserted=0, updated=0, deleted=s.rows_lost) for s in diff.schema
    ]
    found = [asdict(c) for c in (*map(_count, diff.tables), *defined)]
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def _count(table: TableDiff) -> Count:
    return Count(
        table=table.table, inserted=table.inserted, updated=table.updated, deleted=table.deleted
    )


def card(stored: ChangeSummary, names: Mapping[str, str]) -> ChangeCard:
    """Returns the inbox line of a stored request; `names` maps account ids to display names."""
    tables = tuple(Count(**c) for c in json.loads(stored.summary_json or "[]"))
    return ChangeCard(
        id=stored.id,
        source=stored.source,
        environment=stored.environment,
        author=stored.author,
        author_name=names.get(stored.author, "somebody"),
        reason=stored.reason,
        state=stored.state,
        tables=tables,
        undo=stored.undo_kind,
        undo_of=stored.undo_of,
        tier=stored.tier,
        auto=stored.auto,
        created_at=stored.created_at,
        pending_at=stored.pending_at,
        expires_at=stored.expires_at,
    )


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the store keeps of a preview: the diff, and the one before the rows drifted."""

    diff: Diff
    earlier: Diff | None = None


_KEPT = TypeAdapter(Kept)
_DIFF = TypeAdapter(Diff)


def dump(kept: Kept) -> str:
    """Returns the JSON that `load` reads."""
    return _KEPT.dump_json(kept).decode()


def load(stored: StoredChange) -> Kept | None:
    """Returns the stored preview of a request, None while it has none."""
    return _KEPT.validate_json(stored.preview_json) if stored.preview_json else None


def pack(diff: Diff) -> bytes:
    """Returns a diff with all its rows, compressed; `unpack` reads it."""
    return zlib.compress(_DIFF.dump_json(diff), level=1)


def unpack(packed: bytes) -> Diff:
    """Returns what `pack` was given."""
    return _DIFF.validate_json(zlib.decompress(packed))
