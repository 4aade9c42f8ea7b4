"""What the planner may know of a source, for one person: schema, values, synonyms."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Literal, cast

from agent import planner
from agent.layers import Layer, Layers
from guard import Caller, Gate, SourceView


class Vocabularies:
    """Makes and keeps vocabularies."""

    def __init__(self, gate: Gate, layers: Layers) -> None:
        self._gate = gate
        self._layers = layers
        self._lock = threading.Lock()
        self._kept: dict[object, planner.Vocabulary] = {}

    def of(self, view: SourceView, caller: Caller) -> planner.Vocabulary:
        """Returns the vocabulary for what this person sees in this source.

        Raises:
            agent.planner.SemanticsError: the layer cannot be used; the message names the key.
            guard.GuardError: the values cannot be read.
        """
        layer = self._layers.of(view.name)
        key = (view.name, view.catalog, view.row_filters, view.lookups, layer.stamp)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = self._make(view, caller, layer)
            with self._lock:
                self._kept[key] = found
        return found

    def semantics(self, source: str) -> planner.Semantics:
        """Returns the layer in force; where it cannot be used, an empty one."""
        try:
            return self._layers.of(source).semantics
        except planner.SemanticsError:
            return planner.Semantics()

    def _make(self, view: SourceView, caller: Caller, layer: Layer) -> planner.Vocabulary:
        # Asked once for many questions, so it belongs to no conversation.
        own = Caller(principal=caller.principal, channel="console")
        return planner.Vocabulary(
            catalog=view.catalog,
            values=self._gate.values(view.name, own),
            today=view.settings.today or dt.datetime.now(dt.UTC).date(),
            dialect=cast("Literal['sqlite', 'duckdb']", view.catalog.dialect),
            semantics=layer.semantics,
            lookups=view.lookups,
        )
