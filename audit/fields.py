"""A record taken apart for an exporter, which must account for every field of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from audit.chain import leaf_hash
from audit.encoding import Json
from audit.errors import Tampered

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENVELOPE = frozenset({"app", "id", "outcome", "summary", "time", "type"})
"""Fields of an event that every export format has a place for."""


@dataclass(frozen=True, kw_only=True)
class Flat:
    """One record. `values` are its other fields by `group.name`, those of no group by `event.name`.

    `hash` is computed from the line here.
    """

    line: str
    seq: int
    prev: str
    hash: str
    logged: str
    id: str
    type: str
    time: str
    outcome: str
    summary: str
    app: Mapping[str, str]
    values: Mapping[str, Json]


def flatten(line: str) -> Flat:
    """Returns the record in `line`, the exact text that was hashed.

    Raises:
        Tampered: the line is not one this log wrote.
    """
    try:
        record = json.loads(line)
        event = record["event"]
        return Flat(
            line=line,
            seq=int(record["seq"]),
            prev=str(record["prev"]),
            hash=leaf_hash(line.encode()).hex(),
            logged=str(record["logged"]),
            id=str(event["id"]),
            type=str(event["type"]),
            time=str(event["time"]),
            outcome=str(event["outcome"]),
            summary=str(event["summary"]),
            app={name: str(value) for name, value in event["app"].items()},
            values=dict(_values(event)),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Tampered("A record cannot be read, so it is not exported. Verify the log.") from error


def _values(event: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for name, value in event.items():
        if name in _ENVELOPE:
            continue
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        else:
            yield f"event.{name}", value


class Fields:
    """Hands out the fields of one record and knows which were not asked for."""

    def __init__(self, flat: Flat) -> None:
        self._values = flat.values
        self._left = dict(flat.values)

    def look(self, name: str) -> Json:
        """Returns a field, which stays to be taken; None where the record has none."""
        return self._values.get(name)

    def take(self, name: str) -> Json:
        """Returns a field that is hereby mapped; None where the record has none."""
        return self._left.pop(name, None)

    def left(self) -> dict[str, Json]:
        """Returns the fields that nobody took, by their own names."""
        return dict(sorted(self._left.items()))


def text(value: Json) -> str | None:
    """Returns a text, or None for anything else."""
    return value if isinstance(value, str) else None


def millis(stamp: str) -> int:
    """Returns a time of a record in milliseconds since 1970."""
    return _since(stamp) // timedelta(milliseconds=1)


def nanos(stamp: str) -> int:
    """Returns a time of a record in nanoseconds since 1970."""
    return _since(stamp) // timedelta(microseconds=1) * 1000


def _since(stamp: str) -> timedelta:
    return datetime.fromisoformat(stamp) - _EPOCH
