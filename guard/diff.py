"""What a change does, row by row, on every table it touches, and the fingerprint of all that.

A diff is captured by running the statement in a transaction (`ChangeEngine.preview`), never by
guessing from its text. The fingerprint binds an approval to what was shown and to what may be
committed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

from store.states import UndoKind

Cell = str | int | float | bool | None
"""A value as it is shown and compared: bytes as hex with a prefix x', other types as the engine's
text."""

RowKind = Literal["inserted", "updated", "deleted"]


@dataclass(frozen=True, kw_only=True)
class RowChange:
    """One row: `before` is None for an inserted one, `after` for a deleted one.

    Cells stand in the order of `TableDiff.columns`.
    """

    kind: RowKind
    before: tuple[Cell, ...] | None
    after: tuple[Cell, ...] | None


@dataclass(frozen=True, kw_only=True)
class TableDiff:
    """The exact change of one table.

    `inserted`, `updated` and `deleted` count all rows; `rows` holds the first of them in key order.
    `before_hash` and `after_hash` are SHA-256 over all touched rows, the latter without the columns
    in `decided`, whose values are only known when it runs (`now()`, a generated key). Of very many
    rows both are one hash over the pairs of rows before and after.
    """

    table: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    inserted: int
    updated: int
    deleted: int
    rows: tuple[RowChange, ...]
    before_hash: str
    after_hash: str
    decided: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many rows are touched."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True, kw_only=True)
class SchemaDiff:
    """What a change does to one table's definition.

    `before` and `after` are the lines of the definition, None where the table is not there.
    `rows_before` and `rows_after` were counted. `rewritten` is true when the table is written anew;
    `lock` says who has to wait for it meanwhile: nobody, who writes, or all.
    """

    table: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    rows_before: int
    rows_after: int
    rewritten: bool
    lock: Literal["none", "writes", "all"]

    @property
    def rows_lost(self) -> int:
        """How many rows are gone afterwards."""
        return max(0, self.rows_before - self.rows_after)


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Everything a change does.

    `undo` says whether it can be taken back exactly, `undo_notes` what cannot; `undo_verified` is
    true when that was tried in the same transaction. `schema_hash` is SHA-256 over the definitions
    of the touched tables and their triggers. `elapsed_us` is what the preview took. `schema` holds
    the tables whose definition changes, for a change of the schema.
    """

    tables: tuple[TableDiff, ...]
    schema_hash: str
    undo: UndoKind
    undo_notes: tuple[str, ...]
    undo_verified: bool
    elapsed_us: int
    schema: tuple[SchemaDiff, ...] = ()

    @property
    def total(self) -> int:
        """How many rows are touched on all tables, those lost with their table included."""
        return sum(t.total for t in self.tables) + sum(s.rows_lost for s in self.schema)

    @property
    def is_empty(self) -> bool:
        """True when nothing would change."""
        return self.total == 0 and not self.schema

    def fingerprint(self, statement_sha: str) -> str:
        """Returns the SHA-256 that an approval binds to: counts, hashes, schema and statement."""
        facts = [
            [
                t.table,
                t.inserted,
                t.updated,
                t.deleted,
                t.before_hash,
                t.after_hash,
                list(t.decided),
            ]
            for t in sorted(self.tables, key=lambda t: t.table)
        ]
        defined = [[s.table, s.before, s.after, s.rows_lost] for s in self.schema]
        bound = [facts, self.schema_hash, statement_sha, *([defined] if defined else [])]
        text = json.dumps(bound, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
