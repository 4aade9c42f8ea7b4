"""The tables of a DuckDB file as the write role sees them, values as the engine's own text."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row
from guard.engines.child.names import quoted

ID = "gatehouse_id"
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_ALONE = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BOOLEAN|VARCHAR|JSON|BLOB|DATE|TIME|UUID|"
    r"TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?|DECIMAL\(.*\)|ENUM\(.*\))",
    re.DOTALL,
)
"""Types of which equal values are stored and told alike; of INTERVAL or DOUBLE they need not be."""
_UNTOLD = re.compile(r"\b(UNION|VARIANT)\b")
"""Types of which different values are the same text: the number 1 and the text '1'."""
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: columns and their types in order; `definition` is its CREATE statement."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    primary_key: tuple[str, ...]
    definition: str
    defaults: tuple[str | None, ...] = ()

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return quoted(self.name)

    @property
    def texts(self) -> str:
        """The columns as text, for a select list."""
        return ", ".join(f"{self.text(c)} AS {quoted(c)}" for c in self.columns)

    def text(self, column: str, of: str = "") -> str:
        """Returns a column as text that is compared character by character.

        `of` is a table's alias with its dot.
        """
        # The column's own collation, under which other texts are equal, would stay with the cast.
        binary = " COLLATE C" if self.types[self.columns.index(column)] == "VARCHAR" else ""
        return f"CAST({of}{quoted(column)} AS VARCHAR){binary}"

    @property
    def alone(self) -> bool:
        """True when no two values of a column are equal to the engine and still not the same.

        It leaves a value that equals the new one as it is, unless it moves the row: because of an
        index on a column that is set, a column of lists, or RETURNING.
        """
        return all(_ALONE.fullmatch(t) for t in self.types)

    @property
    def names(self) -> str:
        """The columns, for a list of names."""
        return ", ".join(quoted(c) for c in self.columns)

    @staticmethod
    def load(
        connection: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Sequence[str | None]]
    ) -> None:
        """Puts texts into a temporary table with the columns `c0`, `c1` ..."""
        width = len(rows[0])
        cells = ", ".join(f"unnest(${n + 1}::VARCHAR[]) AS c{n}" for n in range(width))
        # As lists: the driver would import a large module each time to look at anything else.
        given = [[r[n] for r in rows] for n in range(width)]
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {cells}", given)


def texts_of(row: Row) -> list[str | None]:
    """Returns the texts that the values of a row were made from."""
    return [None if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in row]


def typed(cells: Sequence[str | None], table: Table) -> Row:
    """Returns text as whole numbers and truth values where the column holds them."""
    return tuple(
        None if v is None else int(v) if t in WHOLE else v == "true" if t == "BOOLEAN" else v
        for v, t in zip(cells, table.types, strict=True)
    )


def target_of(connection: duckdb.DuckDBPyConnection, name: str) -> Table:
    """Returns the table of that name, which is to be changed.

    Raises:
        Fault: as `table_of`, or it has triggers: what those write is not looked at.
    """
    table = table_of(connection, name)
    found = connection.execute(
        "SELECT count(*) FROM duckdb_triggers() WHERE database_name = current_database() "
        "AND schema_name = 'main' AND lower(table_name) = lower(?)",
        [table.name],
    ).fetchall()
    if found != [(0,)]:
        raise Fault("triggers")
    return table


def table_of(connection: duckdb.DuckDBPyConnection, name: str) -> Table:
    """Returns the table of that name, whatever its case.

    Raises `Fault` when there is none, or when the text of a value does not tell what the value is.
    """
    found = connection.execute(
        "SELECT table_name, sql FROM duckdb_tables() WHERE database_name = current_database() "
        "AND schema_name = 'main' AND lower(table_name) = lower(?)",
        [name],
    ).fetchall()
    if not found:
        raise Fault("no_such_name")
    real, definition = found[0]
    # Not duckdb_columns(): it binds every view there is.
    columns = connection.execute(
        "SELECT name, type, dflt_value FROM pragma_table_info(?) ORDER BY cid",
        [f"main.{quoted(real)}"],
    ).fetchall()
    if any(_UNTOLD.search(_QUOTED.sub("", c[1])) for c in columns):
        raise Fault("not_exact")
    keys = connection.execute(
        "SELECT constraint_column_names FROM duckdb_constraints() "
        "WHERE database_name = current_database() AND schema_name = 'main' AND table_name = ? "
        "AND constraint_type = 'PRIMARY KEY'",
        [real],
    ).fetchall()
    return Table(
        name=real,
        columns=tuple(c[0] for c in columns),
        types=tuple(c[1] for c in columns),
        primary_key=tuple(keys[0][0]) if keys else (),
        definition=_whole(connection, real, str(definition)),
        defaults=tuple(c[2] for c in columns),
    )


def _whole(connection: duckdb.DuckDBPyConnection, name: str, definition: str) -> str:
    """The definition with the indexes, which refuse rows too."""
    indexes = connection.execute(
        "SELECT sql FROM duckdb_indexes() "
        "WHERE database_name = current_database() AND table_name = ? ORDER BY index_name",
        [name],
    ).fetchall()
    return "\n".join([definition, *(str(r[0]) for r in indexes)])


@contextlib.contextmanager
def beside(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Gives a second connection to the same database."""
    [(name,)] = connection.execute("SELECT current_database()").fetchall()
    with contextlib.closing(connection.cursor()) as other:
        other.execute(f"USE {quoted(name)}")
        yield other


def checksum(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Returns a checksum of the table's rows, whatever their order, made by the engine."""
    cells = ", ".join(
        quoted(c) if _ALONE.fullmatch(t) else table.text(c)
        for c, t in zip(table.columns, table.types, strict=True)
    )
    found = connection.execute(
        f"SELECT count(*), sum(CAST(hash({cells}) AS HUGEINT)), "
        f"bit_xor(hash(1, {cells})) FROM main.{table.quoted}"
    ).fetchall()
    return repr(found)


def hash_of(parts: Iterable[str]) -> str:
    """Returns the SHA-256 of some lines."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode("utf-8", "surrogatepass") + b"\n")
    return found.hexdigest()
