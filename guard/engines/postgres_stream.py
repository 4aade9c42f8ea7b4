"""Rows streamed out of a session and into another one, as the lines that COPY writes.

Nothing is decoded on the way, and no more than a block is held. Waiting lets other threads run, so
whoever watches for a cancel can end it.
https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator, Sequence

import psycopg
from psycopg.pq import ExecStatus

from guard.engines.postgres_tables import Connection

Block = list[bytes]
"""Some thousands of lines, each with its end."""
_LINES = 2_000


def copied_out(connection: Connection, query: str) -> Iterator[Block]:
    """Yields the rows of a query in blocks.

    Raises:
        psycopg.Error: the server refused it, or was told to stop.
    """
    server = connection.pgconn
    started = server.exec_(f"COPY ({query}) TO STDOUT".encode())
    if started.status != ExecStatus.COPY_OUT:
        raise psycopg.errors.error_from_result(started)
    block: Block = []
    while True:
        size, data = server.get_copy_data(1)
        if size > 0:
            block.append(bytes(data))
            if len(block) == _LINES:
                yield block
                block = []
        elif size == 0:
            select.select([server.socket], [], [])
            server.consume_input()
        else:
            break
    _ended(connection)
    if block:
        yield block


def _ended(connection: Connection) -> None:
    """Reads what the server says at the end of a COPY."""
    error = None
    while (result := connection.pgconn.get_result()) is not None:
        if result.status != ExecStatus.COMMAND_OK:
            error = error or psycopg.errors.error_from_result(result)
    if error is not None:
        raise error


def copied_in(connection: Connection, target: str, blocks: Iterable[Block]) -> int:
    """Adds the lines to a table; returns how many it took. `target` may name columns.

    Raises:
        psycopg.Error: as `copied_out`.
    """
    cursor = connection.cursor()
    with cursor.copy(f"COPY {target} FROM STDIN") as into:
        for block in blocks:
            into.write(b"".join(block))
    return cursor.rowcount


_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def cells_of(line: bytes) -> list[str | None]:
    """Returns the texts of one line, None for null."""
    return [_cell(cell) for cell in line.decode().removesuffix("\n").split("\t")]


def _cell(text: str) -> str | None:
    if text == "\\N":
        return None
    first, *others = text.split("\\")
    if not others:
        return text
    found, parts = [first], iter(others)
    for part in parts:
        # Nothing between two of them: the first one stands for the second.
        found.append(
            _ESCAPED.get(part[:1], part[:1]) + part[1:] if part else "\\" + next(parts, "")
        )
    return "".join(found)


def heads(block: Sequence[bytes]) -> bytes:
    """Returns the first byte of each line."""
    return bytes(line[0] for line in block)
