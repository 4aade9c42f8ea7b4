"""What the planner may know of a source, for one person: schema, values, synonyms."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path
from typing import Literal, cast

from agent import planner
from guard import Caller, Gate, SourceView


class Vocabularies:
    """Makes and keeps vocabularies. `folder` holds `<source>.semantics.toml` where there is one."""

    def __init__(self, gate: Gate, folder: Path) -> None:
        self._gate = gate
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[object, planner.Vocabulary] = {}

    def of(self, view: SourceView, caller: Caller) -> planner.Vocabulary:
        """Returns the vocabulary for what this person sees in this source.

        Raises:
            agent.planner.SemanticsError: the file cannot be used; the message names the key.
            guard.GuardError: the values cannot be read.
        """
        path = self._folder / f"{view.name}.semantics.toml"
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        key = (view.name, view.catalog, view.row_filters, view.lookups, stamp)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = self._make(view, caller, path)
            with self._lock:
                self._kept[key] = found
        return found

    def _make(self, view: SourceView, caller: Caller, path: Path) -> planner.Vocabulary:
        # Asked once for many questions, so it belongs to no conversation.
        own = Caller(principal=caller.principal, channel="console")
        values = self._gate.values(view.name, own)
        if path.exists():
            semantics = planner.load_semantics(path)
        else:
            semantics = planner.propose_semantics(view.catalog, values)
        return planner.Vocabulary(
            catalog=view.catalog,
            values=values,
            today=view.settings.today or dt.datetime.now(dt.UTC).date(),
            dialect=cast("Literal['sqlite', 'duckdb']", view.catalog.dialect),
            semantics=semantics,
            lookups=view.lookups,
        )
