"""Change requests as one person may see them: rows redacted by that person's own rights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from guard.caller import Caller
from guard.catalog import Catalog
from guard.changes import (
    ChangeCard,
    ChangeView,
    Decided,
    RowView,
    Said,
    Standing,
    TableView,
    card,
    load,
)
from guard.diff import Cell, Diff, RowChange, TableDiff
from guard.errors import Illegal
from guard.lineage import Flow, Lineage, Origin
from guard.masking import Masking
from guard.policy import Principal, Scope, scope_of
from guard.policyfile import Policy
from guard.source import Sources
from store import Connection, Store, accounts, approvals, changes
from store.approvals import StoredApproval
from store.changes import StoredChange
from store.states import ChangeState

REVIEWERS = frozenset({"reviewer", "admin"})


class Inbox:
    """Reads requests. A person without a reviewing role sees their own only."""

    def __init__(self, store: Store, policy: Policy, sources: Sources, masking: Masking) -> None:
        self._store = store
        self._policy = policy
        self._sources = sources
        self._masking = masking

    def cards(
        self,
        caller: Caller,
        states: Collection[ChangeState] | None = None,
        *,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[ChangeCard, ...]:
        """Returns the requests this person may see, newest first."""
        person = caller.principal
        author = None if person.roles & REVIEWERS else person.id
        with self._store.read() as conn:
            found = changes.list_all(conn, states=states, author=author, limit=limit, offset=offset)
            names = _names(conn)
        return tuple(card(stored, names) for stored in found)

    def count(self, caller: Caller, states: Collection[ChangeState]) -> int:
        """Returns how many requests in these states this person may see."""
        person = caller.principal
        author = None if person.roles & REVIEWERS else person.id
        with self._store.read() as conn:
            return changes.count(conn, states=states, author=author)

    def waiting(self, caller: Caller) -> int:
        """Returns how many requests wait for this person's decision."""
        if not caller.principal.roles & REVIEWERS:
            return 0
        with self._store.read() as conn:
            return changes.count_to_review(conn, caller.principal.id)

    def pulse(self, caller: Caller, change: int | None = None) -> str:
        """Returns a text that is another one once anything this person may see has changed.

        Cheap enough for a timer. With `change`, only that request counts.
        """
        person = caller.principal
        author = None if person.roles & REVIEWERS else person.id
        with self._store.read() as conn:
            return changes.pulse(conn, author=author, change=change)

    def card(self, change: int, caller: Caller) -> ChangeCard | None:
        """Returns the line of one request, None where there is none that this person may see."""
        with self._store.read() as conn:
            stored = changes.find(conn, change)
            if stored is None or not may_see(caller.principal, stored):
                return None
            return card(stored, _names(conn))

    def votes(self, change: int, caller: Caller) -> tuple[Decided, ...]:
        """Returns the votes on a request, oldest first; none where the person may not see it."""
        with self._store.read() as conn:
            stored = changes.find(conn, change)
            if stored is None or not may_see(caller.principal, stored):
                return ()
            return _decided(approvals.votes(conn, change), _names(conn))

    def view(self, change: int, caller: Caller) -> ChangeView:
        """Returns one request in full.

        Raises:
            Illegal: there is none, or it is not this person's to see; the same sentence for both.
            SourceUnavailable: its source cannot say which columns hold personal data.
        """
        person = caller.principal
        with self._store.read() as conn:
            stored = changes.find(conn, change)
            if stored is None or not may_see(person, stored):
                raise Illegal(f"There is no change request #{change} that you can see.")
            names = _names(conn)
            votes = approvals.votes(conn, change)
            said = approvals.comments(conn, change)
            yes = approvals.yes_count(conn, change)
            undo = changes.undo_requests(conn, change)
        kept = load(stored)
        diff = self._tables(kept.diff if kept else None, stored, caller)
        return ChangeView(
            card=card(stored, names),
            statement=stored.statement,
            fingerprint=stored.fingerprint,
            version=stored.version,
            standing=self._standing(
                stored, person, diff, [v.approver for v in votes if not v.voided_at]
            ),
            approvers_needed=stored.approvers_needed,
            approvals=yes,
            votes=_decided(votes, names),
            comments=tuple(
                Said(by=names.get(c.author, "somebody"), text=c.text, at=c.at) for c in said
            ),
            diff=diff,
            earlier=self._tables(kept.earlier if kept else None, stored, caller),
            undo_notes=kept.diff.undo_notes if kept else (),
            undo_verified=kept.diff.undo_verified if kept else False,
            conversation=stored.conversation,
            error=stored.error,
            executed_at=stored.executed_at,
            undo_requests=tuple(u.id for u in undo),
        )

    def in_scope(self, stored: StoredChange, person: Principal) -> bool:
        """True when the person may see every table of the diff, which deciding needs."""
        kept = load(stored)
        scope = scope_of(self._policy, person, stored.source)
        if kept is None or scope is None:
            return False
        return all(_open(scope, t) for t in kept.diff.tables)

    def _standing(
        self,
        stored: StoredChange,
        person: Principal,
        diff: Sequence[TableView],
        voters: Collection[str],
    ) -> Standing:
        if stored.state != "pending":
            return "closed"
        if stored.author == person.id:
            return "author"
        if not person.roles & REVIEWERS:
            return "not_reviewer"
        if person.id in voters:
            return "voted"
        return "out_of_scope" if any(t.hidden for t in diff) else "decide"

    def _tables(
        self, diff: Diff | None, stored: StoredChange, caller: Caller
    ) -> tuple[TableView, ...]:
        if diff is None:
            return ()
        scope = scope_of(self._policy, caller.principal, stored.source)
        catalog = self._sources.get(stored.source).catalog()
        return tuple(self._table(t, scope, catalog, stored) for t in diff.tables)

    def _table(
        self, table: TableDiff, scope: Scope | None, catalog: Catalog, stored: StoredChange
    ) -> TableView:
        hidden = scope is None or not _open(scope, table)
        rows: tuple[RowView, ...] = ()
        masked: tuple[str, ...] = ()
        if scope is not None and not hidden:
            rows, masked = self._rows(table, scope, catalog, stored)
        return TableView(
            table=table.table,
            columns=() if hidden else table.columns,
            masked=masked,
            decided=() if hidden else table.decided,
            inserted=table.inserted,
            updated=table.updated,
            deleted=table.deleted,
            rows=rows,
            hidden=hidden,
        )

    def _rows(
        self, table: TableDiff, scope: Scope, catalog: Catalog, stored: StoredChange
    ) -> tuple[tuple[RowView, ...], tuple[str, ...]]:
        images = [i for row in table.rows for i in (row.before, row.after) if i is not None]
        shown = self._redacted(images, table, scope, catalog, stored)
        taken = iter(shown)
        rows = []
        for row in table.rows:
            before = next(taken) if row.before is not None else None
            after = next(taken) if row.after is not None else None
            rows.append(RowView(kind=row.kind, before=before, after=after, changed=_changed(row)))
        differs = [
            any(real[i] != seen[i] for real, seen in zip(images, shown, strict=True))
            for i in range(len(table.columns))
        ]
        masked = tuple(c for c, d in zip(table.columns, differs, strict=True) if d)
        return tuple(rows), masked

    def _redacted(
        self,
        images: Sequence[tuple[Cell, ...]],
        table: TableDiff,
        scope: Scope,
        catalog: Catalog,
        stored: StoredChange,
    ) -> list[tuple[Cell, ...]]:
        if not images:
            return []
        columns = [_column([image[i] for image in images]) for i in range(len(table.columns))]
        lineage = Lineage(
            columns=tuple(_origin(table.table, name, catalog) for name in table.columns),
            tagged_predicate=False,
        )
        found = self._masking.redact(
            pa.table(columns, names=list(table.columns)),
            lineage,
            catalog,
            scope,
            session=stored.conversation or f"change-{stored.id}",
            model=False,
        )
        cells = [column.to_pylist() for column in found.table.columns]
        return list(zip(*cells, strict=True))


def may_see(person: Principal, stored: StoredChange) -> bool:
    """True for the author and for everyone who reviews."""
    return stored.author == person.id or bool(person.roles & REVIEWERS)


def _open(scope: Scope, table: TableDiff) -> bool:
    return (
        scope.reads(table.table)
        and scope.row_filter(table.table) is None
        and all(scope.sees(table.table, c) for c in table.columns)
    )


def _column(values: Sequence[Cell]) -> pa.Array:
    kinds = {type(v) for v in values if v is not None}
    if len(kinds) > 1:
        return pa.array([None if v is None else str(v) for v in values], type=pa.string())
    return pa.array(values)


def _origin(table: str, column: str, catalog: Catalog) -> Origin:
    known = catalog.table(table)
    found = known.column(column) if known else None
    if found is None:
        return Origin(name=column, sources=frozenset(), flow="unknown")
    flow: Flow = "value" if found.tag else "clean"
    return Origin(name=column, sources=frozenset({(table, column)}), flow=flow, stored=True)


def _changed(row: RowChange) -> tuple[bool, ...]:
    if row.before is None or row.after is None:
        return (True,) * len(row.before or row.after or ())
    return tuple(b != a for b, a in zip(row.before, row.after, strict=True))


def _decided(votes: Sequence[StoredApproval], names: Mapping[str, str]) -> tuple[Decided, ...]:
    return tuple(
        Decided(
            by=names.get(v.approver, "somebody"),
            decision=v.decision,
            comment=v.comment,
            at=v.at,
            void=v.voided_at is not None,
        )
        for v in votes
    )


def _names(conn: Connection) -> dict[str, str]:
    return {a.id: a.display_name for a in accounts.list_all(conn)}
