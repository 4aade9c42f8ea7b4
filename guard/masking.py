"""Step 6: raw rows -> redacted rows. What redaction is told of a column comes from its lineage."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from guard.catalog import Catalog
from guard.lineage import Lineage, Origin
from guard.pseudonyms import Holder, Known, Pseudonyms
from guard.rights import Scope
from redaction import (
    Basis,
    ColumnReport,
    ColumnVerdict,
    NotingKey,
    SessionKey,
    is_pseudonym,
    mask_tokens,
    redact_table,
    redact_text,
)

MODEL_ROWS = 50
"""Rows of a result that a model is shown at most."""
_KEPT_KEYS = 1_000
_REMEMBERED_ROWS = 10_000


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
        self._pseudonyms = Pseudonyms()
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
        person: str | None = None,
    ) -> Masked:
        """Returns the redacted rows; `table` is left as it was.

        `person` is who they are for: the pseudonyms in them are remembered for this person alone,
        where the policy lets them look values up.

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
        if session is not None and person is not None:
            holder = Holder(person=person, session=session, source=scope.source)
            for masked in (screen.table, shown):
                self._remember(holder, table, masked, found, scope)
        return Masked(table=screen.table, for_model=shown, columns=screen.columns)

    def known(self, person: str, session: str | None, source: str) -> Known | None:
        """Returns the pseudonyms a statement of this conversation may name; None outside one."""
        if session is None:
            return None
        holder = Holder(person=person, session=session, source=source)
        return Known(pseudonyms=self._pseudonyms, holder=holder)

    def prompt(self, text: str, *, person: str, session: str | None, source: str) -> str:
        """Returns what a model may read of a person's own words: personal data masked.

        The pseudonyms in it may be looked up in columns of the same kind, by this person.

        Raises:
            redaction.RedactionError: it could not be looked at; no part of it may be sent.
        """
        key = NotingKey(self.key(session))
        shown = redact_text(text, sink="model", key=key)
        if session is not None:
            holder = Holder(person=person, session=session, source=source)
            for entity, value, token in key.noted:
                pairs = [(found, value) for found in mask_tokens(shown) if token in found]
                self._pseudonyms.note(holder, ("", entity), pairs)
        return shown

    def _remember(
        self,
        holder: Holder,
        raw: pa.Table,
        shown: pa.Table | None,
        found: Sequence[ColumnVerdict],
        scope: Scope,
    ) -> None:
        for position, verdict in enumerate(found):
            table, _, column = (verdict.source or "").rpartition(".")
            if shown is None or verdict.basis != "declared" or not scope.looks_up(table, column):
                continue
            values = raw.column(position).slice(0, _REMEMBERED_ROWS).to_pylist()
            masks = shown.column(position).slice(0, _REMEMBERED_ROWS).to_pylist()
            pairs = {
                (mask, value)
                for value, mask in zip(values, masks, strict=False)
                if isinstance(value, str) and isinstance(mask, str) and is_pseudonym(mask)
            }
            place = (table.casefold(), column.casefold())
            self._pseudonyms.note(holder, place, sorted(pairs))

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
    masked = [(s, tag) for s, tag in tagged if not _unmasked(s, tag, scope)]
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
        model_reads=prose and _model_reads(origin, scope),
    )


def _unmasked(source: str, tag: str, scope: Scope) -> bool:
    table, _, column = source.rpartition(".")
    return scope.unmasked.covers(table, column, tag)


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


def _model_reads(origin: Origin, scope: Scope) -> bool:
    """True when every piece of prose in the column may be read by a model, span-masked."""
    prose = {name.casefold() for name in scope.settings.free_text}
    relaxed = {name.casefold() for name in scope.settings.free_text_for_model}
    found = {f"{t}.{c}".casefold() for t, c in origin.sources}
    return found & prose <= relaxed


def _free_text(origin: Origin, scope: Scope) -> bool:
    listed = {name.casefold() for name in scope.settings.free_text}
    return any(f"{t}.{c}".casefold() in listed for t, c in origin.sources)
