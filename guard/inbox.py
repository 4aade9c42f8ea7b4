"""Change requests as one person may see them: rows redacted by that person's own rights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pyarrow as pa

from guard.caller import Caller
from guard.catalog import Catalog
from guard.changes import (
    ChangeCard,
    ChangeView,
    Decided,
    RowView,
    Said,
    SchemaView,
    Standing,
    TableView,
    card,
    load,
    unpack,
)
from guard.diff import Cell, Diff, RowChange, TableDiff
from guard.errors import Illegal
from guard.inforce import InForce
from guard.lineage import Lineage, Origin
from guard.masking import Masking
from guard.principal import Principal
from guard.quorum import REVIEWERS, count
from guard.rights import Scope, scope_of
from guard.risk import load_reasons
from guard.schemaviews import may_see_definition, schema_views
from guard.source import Sources
from store import Connection, Store, accounts, approvals, changes, views
from store.approvals import StoredApproval
from store.changes import StoredChange
from store.states import ChangeState

DRAWN_ROWS = 200
DRAWN_CHARACTERS = 600
"""How many rows of a table a page draws, and how much of a value; see `ui.diff`."""

__all__ = ["REVIEWERS", "Inbox", "is_cut", "may_see"]


class Inbox:
    """Reads requests. A person without a reviewing role sees their own only."""

    def __init__(
        self,
        store: Store,
        policies: InForce,
        sources: Sources,
        masking: Masking,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._look_up = look_up
        self._policies = policies
        self._sources = sources
        self._masking = masking

    def cards(
        self,
        caller: Caller,
        states: Collection[ChangeState] | None = None,
        *,
        source: str | None = None,
        search: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[ChangeCard, ...]:
        """Returns the requests this person may see, newest first; see `changes.list_all`."""
        person = caller.principal
        author = None if person.roles & REVIEWERS else person.id
        with self._store.read() as conn:
            found = changes.list_all(
                conn,
                states=states,
                author=author,
                source=source,
                search=search,
                limit=limit,
                offset=offset,
            )
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
            return _decided(approvals.votes(conn, change), _names(conn), _admins(conn))

    def view(self, change: int, caller: Caller) -> ChangeView:
        """Returns one request in full, and records that this person was shown its diff.

        Raises:
            Illegal: there is none, or it is not this person's to see; the same sentence for both.
            SourceUnavailable: its source cannot say which columns hold personal data.
        """
        person = caller.principal
        with self._store.read() as conn:
            stored = self._seen(conn, change, person)
            names, admins = _names(conn), _admins(conn)
            votes = approvals.votes(conn, change)
            said = approvals.comments(conn, change)
            undo = changes.undo_requests(conn, change)
            quorum = count(conn, stored, self._look_up, self.in_scope)
            look = views.find(conn, change, person.id, stored.fingerprint or "")
        kept = load(stored)
        diff = self._tables(kept.diff if kept else None, stored, caller)
        schema = self._schema(kept.diff if kept else None, stored, caller)
        standing = self._standing(
            stored, person, (*diff, *schema), [v.approver for v in votes if not v.voided_at]
        )
        if look is None and standing == "decide":
            self._shown(stored, person)
        return ChangeView(
            card=card(stored, names),
            statement=stored.statement,
            fingerprint=stored.fingerprint,
            version=stored.version,
            standing=standing,
            approvers_needed=stored.approvers_needed,
            admins_needed=stored.admins_needed,
            approvals=quorum.yes,
            missing=quorum.missing,
            reasons=load_reasons(stored.tier_reasons_json),
            cut=kept is not None and is_cut(kept.diff),
            taken=look is not None and look.downloaded_at is not None,
            elapsed_us=kept.diff.elapsed_us if kept else 0,
            turn=stored.turn,
            votes=_decided(votes, names, admins),
            comments=tuple(
                Said(by=names.get(c.author, "somebody"), text=c.text, at=c.at) for c in said
            ),
            diff=diff,
            earlier=self._tables(kept.earlier if kept else None, stored, caller),
            schema=schema,
            earlier_schema=self._schema(kept.earlier if kept else None, stored, caller),
            undo_notes=kept.diff.undo_notes if kept else (),
            undo_verified=kept.diff.undo_verified if kept else False,
            conversation=stored.conversation,
            error=stored.error,
            executed_at=stored.executed_at,
            undo_requests=tuple(u.id for u in undo),
        )

    def whole(self, change: int, caller: Caller) -> tuple[StoredChange, tuple[TableView, ...]]:
        """Returns a request and every kept row of its diff, redacted by this person's own rights.

        Raises:
            Illegal, SourceUnavailable: as `view`.
        """
        person = caller.principal
        with self._store.read() as conn:
            stored = self._seen(conn, change, person)
            packed = changes.rows_packed(conn, change)
        kept = load(stored)
        diff = unpack(packed) if packed is not None else kept.diff if kept else None
        return stored, self._tables(diff, stored, caller)

    def took(self, stored: StoredChange, caller: Caller) -> None:
        """Records that this person has taken every row of the diff along."""
        if stored.fingerprint is None:
            return
        with self._store.write() as conn:
            now, viewer = self._store.now(), caller.principal.id
            views.shown(conn, stored.id, viewer, stored.fingerprint, now=now)
            views.downloaded(conn, stored.id, viewer, stored.fingerprint, now=now)

    def _seen(self, conn: Connection, change: int, person: Principal) -> StoredChange:
        stored = changes.find(conn, change)
        if stored is None or not may_see(person, stored):
            raise Illegal(f"There is no change request #{change} that you can see.")
        return stored

    def _shown(self, stored: StoredChange, person: Principal) -> None:
        with self._store.write() as conn:
            views.shown(conn, stored.id, person.id, stored.fingerprint or "", now=self._store.now())

    def in_scope(self, stored: StoredChange, person: Principal) -> bool:
        """True when the person may see every table of the diff, which deciding needs."""
        kept = load(stored)
        scope = scope_of(self._policies.current(), person, stored.source)
        if kept is None or scope is None:
            return False
        if not all(_open(scope, t) for t in kept.diff.tables):
            return False
        if not kept.diff.schema:
            return True
        catalog = self._sources.get(stored.source).catalog()
        return all(may_see_definition(s, scope, catalog) for s in kept.diff.schema)

    def _standing(
        self,
        stored: StoredChange,
        person: Principal,
        diff: Sequence[TableView | SchemaView],
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
        if any(t.hidden for t in diff):
            return "out_of_scope"
        rows = sum(_touched(t) for t in diff)
        return "over_cap" if rows > self._policies.current().approvals.max_rows else "decide"

    def _schema(
        self, diff: Diff | None, stored: StoredChange, caller: Caller
    ) -> tuple[SchemaView, ...]:
        if diff is None or not diff.schema:
            return ()
        scope = scope_of(self._policies.current(), caller.principal, stored.source)
        return schema_views(diff, scope, self._sources.get(stored.source).catalog())

    def _tables(
        self, diff: Diff | None, stored: StoredChange, caller: Caller
    ) -> tuple[TableView, ...]:
        if diff is None:
            return ()
        scope = scope_of(self._policies.current(), caller.principal, stored.source)
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
            any(_masks(real[i], seen[i]) for real, seen in zip(images, shown, strict=True))
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


def is_cut(diff: Diff) -> bool:
    """True when a page does not draw all of it: rows that are not there, or the end of a value."""
    return any(
        not len(t.rows) == t.total <= DRAWN_ROWS or any(_is_long(row) for row in t.rows)
        for t in diff.tables
    )


def _is_long(row: RowChange) -> bool:
    """True when a value that comes, goes or changes is longer than a page draws."""
    return any(
        differs and any(isinstance(c, str) and len(c) > DRAWN_CHARACTERS for c in pair)
        for differs, *pair in zip(_changed(row), *_images(row), strict=True)
    )


def _images(row: RowChange) -> list[tuple[Cell, ...]]:
    return [image for image in (row.before, row.after) if image is not None]


def may_see(person: Principal, stored: StoredChange) -> bool:
    """True for the author and for everyone who reviews."""
    return stored.author == person.id or bool(person.roles & REVIEWERS)


def _touched(view: TableView | SchemaView) -> int:
    if isinstance(view, SchemaView):
        return view.rows_lost
    return view.inserted + view.updated + view.deleted


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


def _masks(real: Cell, seen: Cell) -> bool:
    """True when another value is shown; a number shown as its own text is the same one."""
    return real != seen and (real is None or seen is None or str(real) != str(seen))


def _origin(table: str, column: str, catalog: Catalog) -> Origin:
    known = catalog.table(table)
    found = known.column(column) if known else None
    if found is None:
        return Origin(name=column, sources=frozenset(), flow="unknown")
    # A stored value of free text counts as one too, tagged or not.
    return Origin(name=column, sources=frozenset({(table, column)}), flow="value", stored=True)


def _changed(row: RowChange) -> tuple[bool, ...]:
    if row.before is None or row.after is None:
        return (True,) * len(row.before or row.after or ())
    return tuple(b != a for b, a in zip(row.before, row.after, strict=True))


def _decided(
    votes: Sequence[StoredApproval], names: Mapping[str, str], admins: Collection[str]
) -> tuple[Decided, ...]:
    return tuple(
        Decided(
            by=names.get(v.approver, "somebody"),
            decision=v.decision,
            comment=v.comment,
            at=v.at,
            void=v.voided_at is not None,
            fast=v.fast,
            bulk=v.bulk,
            as_admin=v.approver in admins,
        )
        for v in votes
    )


def _names(conn: Connection) -> dict[str, str]:
    return {a.id: a.display_name for a in accounts.list_all(conn)}


def _admins(conn: Connection) -> frozenset[str]:
    return frozenset(a.id for a in accounts.list_all(conn) if "admin" in a.roles and not a.disabled)
