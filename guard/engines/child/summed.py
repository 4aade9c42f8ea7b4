"""The hash of a change of very many rows of one table, made from batches of rows as they are read.

Each kind of row has its own hash over its rows in key order: the cells before, then those after.
What is stored and compared is the hash of these three. The form never changes without a new format.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from guard.engines.child.images import Row, Touched

Kind = Literal["inserted", "updated", "deleted"]
KINDS: tuple[Kind, ...] = ("inserted", "updated", "deleted")
LARGE = 20_000
"""More changed rows of one table than this are hashed in this way."""
BATCH = 5_000
_FORMAT = b"gatehouse large 2\n"
_PLAIN = 2
"""The last form of `marshal` that depends on nothing but the values and their types."""


@dataclass(frozen=True, kw_only=True)
class Summed:
    """How many rows of each kind there are, and the SHA-256 over all of them."""

    inserted: int
    updated: int
    deleted: int
    sha256: str

    @property
    def total(self) -> int:
        """How many rows there are."""
        return self.inserted + self.updated + self.deleted


@dataclass(kw_only=True)
class Sum:
    """Takes rows in batches of `BATCH`, only the last of a kind shorter."""

    _hashes: dict[Kind, hashlib._Hash] = field(
        default_factory=lambda: {kind: hashlib.sha256(_FORMAT) for kind in KINDS}
    )
    _counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def add(self, kind: Kind, batch: list[Row]) -> None:
        """Takes the next rows of one kind."""
        self._counts[kind] += len(batch)
        try:
            data = marshal.dumps(batch, _PLAIN)
        except ValueError:  # a value of a driver's own class
            data = repr(batch).encode("utf-8", "surrogatepass")
        self._hashes[kind].update(data)

    @property
    def result(self) -> Summed:
        """Returns what was taken so far."""
        whole = hashlib.sha256(_FORMAT)
        for kind in KINDS:
            whole.update(f"{kind} {self._counts[kind]}\n".encode() + self._hashes[kind].digest())
        return Summed(**self._counts, sha256=whole.hexdigest())


def summed(rows: Sequence[Touched]) -> Summed:
    """Returns the same of rows that are all here, in key order."""
    found = Sum()
    for kind in KINDS:
        for batch in batches((*(r.before or ()), *(r.after or ())) for r in rows if r.kind == kind):
            found.add(kind, batch)
    return found.result


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yields the rows in lists of `BATCH`, the last one shorter."""
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch
