"""Checks a log in PostgreSQL, over a connection of its own, with the verifier that knows no writer.

The stand-alone verifier reads exports; this reads the tables, and hands what is stored to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from audit import verify
from audit.pgconnect import Connection, connect, translated

_LEAN: Final = "seq, record, leaf_hash"
_COLUMNS: Final = f"{_LEAN}, logged, etype, actor, session, request, outcome, id"
_FETCH: Final = 5000


def verify_postgres(
    url: str,
    keys: Iterable[verify.VerifierKey],
    anchors: Path | None,
    *,
    deep: bool = False,
    since: verify.State | None = None,
    progress: verify.Progress | None = None,
    segments: Path | None = None,
    patience_s: float = 2.0,
) -> verify.Report:
    """Returns what is true of the log in that database. It is not written to.

    Raises:
        Unavailable: the database cannot be read.
        ValueError, KeyError, TypeError: a manifest of sealed records is damaged.
    """
    keys = tuple(keys)
    known = verify.read_anchors(anchors, keys, since)
    with translated(), contextlib.closing(connect(url)) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # Another instance may have sealed, into a folder of its own.
        here = segments if segments and segments.exists() else None
        source = verify.with_segments(_source(connection), here)
        verify.await_anchors(known, source.total, patience_s)
        return verify.verify(source, keys, known, deep=deep, since=since, progress=progress)


def _source(connection: Connection) -> verify.Source:
    notes = [n for (n,) in connection.execute("SELECT note FROM audit.checkpoint ORDER BY size")]
    notes += [n for (n,) in connection.execute("SELECT note FROM audit.head WHERE note <> ''")]
    total = connection.execute("SELECT max(seq) FROM audit.event").fetchone()
    marks = connection.execute(
        "SELECT record FROM audit.event WHERE etype IN ('key.rotated', 'log.pruned')"
    ).fetchall()

    def rows(skip: int, deep: bool) -> Iterator[verify.Row]:
        with connection.cursor(name="records", binary=True) as cursor:
            cursor.itersize = _FETCH
            columns = _COLUMNS if deep else _LEAN
            cursor.execute(
                f"SELECT {columns} FROM audit.event WHERE seq > %s ORDER BY seq",  # noqa: S608  # fixed text
                (skip,),
            )
            for seq, record, leaf, *others in cursor:
                yield (seq, _bytes(record) or b"", _bytes(leaf) or b"", *map(_bytes, others))

    return verify.Source(
        rows,
        tuple(notes),
        int(total[0]) if total and total[0] is not None else 0,
        base=_base(connection),
        marks=tuple(_bytes(line) or b"" for (line,) in marks),
    )


def _base(connection: Connection) -> verify.Base | None:
    found = connection.execute(
        "SELECT e.seq, e.prev_hash, c.note, c.frontier FROM audit.checkpoint c"
        " JOIN (SELECT seq, prev_hash FROM audit.event ORDER BY seq LIMIT 1) e"
        " ON c.size = e.seq - 1"
    ).fetchone()
    if found is None:
        return None
    seq, prev, note, frontier = found
    return verify.base_of(seq - 1, bytes(prev), note, bytes(frontier))


def _bytes(value: Any) -> bytes | None:
    return value.encode(errors="surrogatepass") if isinstance(value, str) else value
