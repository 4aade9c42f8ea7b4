"""The semantic layer of a source that is in force, and what is only proposed for it.

A layer is in force once an admin has confirmed it (`agent.layerdesk`); the store keeps every
version. Until the first one, the file `<source>.semantics.toml` of the data folder counts if it
says `confirmed = true`, as one written by an operator does. One that `gatehouse connect` wrote says
`false`: it is a proposal, and nothing reads it but the admin's page.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from agent import planner
from store import Store, semantics
from store.semantics import SemanticVersion

NOTHING = planner.Semantics()
"""The layer of a source for which none is in force."""


def file_name(source: str) -> str:
    """Returns what the file of a source is called."""
    return f"{source}.semantics.toml"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer in force. `stamp` differs whenever it does; `version` is None for a file or none."""

    semantics: planner.Semantics
    stamp: str
    version: int | None = None

    @property
    def sha256(self) -> str | None:
        """The hash of its version, None for a file or none."""
        return None if self.version is None else self.stamp


class Layers:
    """Looks layers up as they are now. One a process; safe to share between threads."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], planner.Semantics] = {}

    def of(self, source: str) -> Layer:
        """Returns the layer in force, an empty one where nothing was confirmed.

        Raises:
            agent.planner.SemanticsError: the file cannot be used; the message names the key.
            store.StoreError: the store cannot be read.
        """
        with self._store.read() as conn:
            head = semantics.head(conn, source)
        if head is not None:
            return Layer(semantics=self._parsed(source, head), stamp=head.sha256, version=head.id)
        found, stamp = self._file(source)
        if found is None or not found.confirmed:
            return Layer(semantics=NOTHING, stamp="")
        return Layer(semantics=found, stamp=stamp)

    def proposed(self, source: str) -> planner.Semantics | None:
        """Returns what `gatehouse connect` proposed for the source, None where it did not.

        Raises:
            agent.planner.SemanticsError: the file cannot be used.
        """
        found, _ = self._file(source)
        return found if found is not None and not found.confirmed else None

    def versions(self, source: str) -> tuple[SemanticVersion, ...]:
        """Returns what was ever confirmed for the source, newest first."""
        with self._store.read() as conn:
            return semantics.list_of(conn, source)

    def _parsed(self, source: str, head: semantics.Head) -> planner.Semantics:
        key = (source, head.sha256)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            with self._store.read() as conn:
                version = semantics.get(conn, head.id)
            text = version.text if version is not None else ""
            found = planner.parse_semantics(text, f"The confirmed layer of {source}")
            with self._lock:
                self._kept[key] = found
        return found

    def _file(self, source: str) -> tuple[planner.Semantics | None, str]:
        path = self._folder / file_name(source)
        if not path.exists():
            return None, ""
        stamp = f"file {path.stat().st_mtime_ns}"
        key = (source, stamp)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = planner.load_semantics(path)
            with self._lock:
                self._kept[key] = found
        return found, stamp
