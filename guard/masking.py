"""Step 6: raw rows -> redacted rows. What redaction is told of a column comes from its lineage."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from guard.catalog import Catalog
from guard.lineage import Lineage, Origin
from guard.policy import Scope
from redaction import Basis, ColumnReport, ColumnVerdict, SessionKey, redact_table

MODEL_ROWS = 50
"""Rows of a result that a model is shown at most."""
_KEPT_KEYS = 1_000


@dataclass(frozen=True, kw_only=True)
class Masked:
    """The rows for the screen, the first of them for a model where one asked, and the reports."""

    table: pa.Table
    for_model: pa.Table | None
    columns: tuple[ColumnReport, ...]


class Masking:
    """Redacts results. Pseudonyms are stable within a conversation while this process lives."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, SessionKey] = OrderedDict()
        self._lock = threading.Lock()

    def redact(
        self,
        table: pa.Table,
        lineage: Lineage,
        catalog: Catalog,
        scope: Scope,
        *,
        session: str | None,
        model: bool,
    ) -> Masked:
        """Returns the redacted rows; `table` is left as it was.

        Raises:
            redaction.RedactionError: something could not be masked; the caller shows no rows.
        """
        found = verdicts(lineage, table.column_names, catalog, scope)
        key = self.key(session)
        screen = redact_table(table, found, sink="screen", key=key)
        shown = None
        if model:
            # A person's right to see a value unmasked never extends to the model.
            hidden = [replace(verdict, reveal=False) for verdict in found]
            shown = redact_table(table.slice(0, MODEL_ROWS), hidden, sink="model", key=key).table
        return Masked(table=screen.table, for_model=shown, columns=screen.columns)

    def key(self, session: str | None) -> SessionKey:
        """Returns the key of a conversation, a fresh one where there is no conversation."""
        if session is None:
            return SessionKey.new()
        with self._lock:
            if session not in self._keys:
                self._keys[session] = SessionKey.new()
            self._keys.move_to_end(session)
            while len(self._keys) > _KEPT_KEYS:
                self._keys.popitem(last=False)
            return self._keys[session]


def verdicts(
    lineage: Lineage, names: Iterable[str], catalog: Catalog, scope: Scope
) -> tuple[ColumnVerdict, ...]:
    """Returns one verdict per column of the result, by position, never by name.

    `names` are the result's own column names. When their number differs from the lineage's, every
    column is unknown, and unknown is masked.
    """
    found = tuple(names)
    if len(found) != len(lineage.columns):
        return tuple(_unknown(name) for name in found)
    return tuple(
        _verdict(name, origin, catalog, scope)
        for name, origin in zip(found, lineage.columns, strict=True)
    )


def _unknown(name: str) -> ColumnVerdict:
    return ColumnVerdict(
        name=name, basis="unknown", entity=None, source=None, reveal=False, free_text=False
    )


def _verdict(name: str, origin: Origin, catalog: Catalog, scope: Scope) -> ColumnVerdict:
    if origin.flow == "unknown":
        return _unknown(name)
    tagged = [] if origin.flow == "clean" else _tagged(origin, catalog)
    masked = [(source, tag) for source, tag in tagged if tag not in scope.reveal]
    deciding = masked or tagged
    prose = origin.flow != "clean" and _free_text(origin, scope)
    source, entity = deciding[0] if deciding else (_first(origin), None)
    return ColumnVerdict(
        name=name,
        basis=_basis(origin, tagged=bool(tagged), prose=prose),
        entity=entity,
        source=source,
        reveal=bool(tagged) and not masked,
        free_text=prose,
    )


def _basis(origin: Origin, *, tagged: bool, prose: bool) -> Basis:
    if prose and not origin.stored and not tagged:
        return "lineage"  # prose that was cut up or encoded shows nothing to somebody who looks
    if not tagged:
        return "clean" if origin.sources else "none"
    if origin.flow == "implicit":
        return "implicit"
    return "declared" if origin.stored else "lineage"


def _tagged(origin: Origin, catalog: Catalog) -> list[tuple[str, str]]:
    found = []
    for table_name, column_name in sorted(origin.sources):
        table = catalog.table(table_name)
        column = table.column(column_name) if table else None
        if column is not None and column.tag is not None:
            found.append((f"{table_name}.{column_name}", column.tag))
    return found


def _first(origin: Origin) -> str | None:
    return next((f"{t}.{c}" for t, c in sorted(origin.sources)), None)


def _free_text(origin: Origin, scope: Scope) -> bool:
    listed = {name.casefold() for name in scope.settings.free_text}
    return any(f"{t}.{c}".casefold() in listed for t, c in origin.sources)
