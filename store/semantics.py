"""Every semantic layer that an admin has confirmed: the text, of which source, when and by whom."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from store.ids import digest
from store.records import build, build_all, columns
from store.schema import semantic_layers


@dataclass(frozen=True, kw_only=True)
class SemanticVersion:
    """One confirmation. The one with the highest `id` of a source is in force there."""

    id: int
    source: str
    sha256: str
    text: str
    note: str
    confirmed_at: dt.datetime
    confirmed_by: str


@dataclass(frozen=True, kw_only=True)
class Head:
    """Which version of a source is in force, without its text."""

    id: int
    sha256: str


_t = semantic_layers


def confirm(
    conn: Connection, source: str, text: str, *, by: str, note: str, now: dt.datetime
) -> SemanticVersion:
    """Returns a new version of the source, in force from now on."""
    row = conn.execute(
        insert(_t)
        .values(
            source=source,
            sha256=digest(text),
            text=text,
            note=note,
            confirmed_at=now,
            confirmed_by=by,
        )
        .returning(*columns(SemanticVersion, _t))
    ).one()
    return build(SemanticVersion, row)


def head(conn: Connection, source: str) -> Head | None:
    """Returns the number and hash of the version in force, None where none was ever confirmed."""
    query = select(*columns(Head, _t)).where(_t.c.source == source)
    row = conn.execute(query.order_by(_t.c.id.desc()).limit(1)).first()
    return build(Head, row) if row else None


def get(conn: Connection, version: int) -> SemanticVersion | None:
    """Returns that version, or None."""
    row = conn.execute(select(*columns(SemanticVersion, _t)).where(_t.c.id == version)).first()
    return build(SemanticVersion, row) if row else None


def list_of(conn: Connection, source: str, *, limit: int = 50) -> tuple[SemanticVersion, ...]:
    """Returns the versions of the source, newest first."""
    query = select(*columns(SemanticVersion, _t)).where(_t.c.source == source)
    rows = conn.execute(query.order_by(_t.c.id.desc()).limit(limit)).all()
    return build_all(SemanticVersion, rows)
