"""Statements that every call on the door runs: rendered once, run on the driver's own cursor.

SQLAlchemy takes several times as long to execute a small statement as SQLite does. It still gives
the connection, the transaction, the text and the conversion of values; only the way there is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, object]
_Convert = Callable[[Any], Any]
_NONE: Values = {}


class Prepared:
    """One statement with named parameters. Keep it for good; safe to share between threads.

    Every parameter and every column of the answer has its type in the statement.
    """

    def __init__(self, statement: Executable) -> None:
        """Renders nothing yet: which database it is for, the first connection says."""
        self._statement = statement
        self._rendered: dict[str, _Rendered] = {}

    def rows(self, conn: Connection, values: Values) -> list[tuple[Any, ...]]:
        """Returns the rows, values as the columns' types have them.

        Raises:
            sqlalchemy.exc.DBAPIError: as for `conn.execute`.
        """
        rendered = self._for(conn.dialect)
        with driver_cursor(conn) as cursor:
            cursor.execute(rendered.text, rendered.bound([values], {})[0])
            found = cursor.fetchall()
        return [rendered.converted(row) for row in found] if rendered.columns else list(found)

    def run(self, conn: Connection, many: Sequence[Values], shared: Values = _NONE) -> int:
        """Runs it once for each of `many`, which leave out what they have in common.

        Returns:
            How many rows were touched in all.

        Raises:
            sqlalchemy.exc.DBAPIError: as for `conn.execute`.
        """
        rendered = self._for(conn.dialect)
        with driver_cursor(conn) as cursor:
            cursor.executemany(rendered.text, rendered.bound(many, shared))
            return int(cursor.rowcount)

    def _for(self, dialect: Dialect) -> _Rendered:
        found = self._rendered.get(dialect.name)
        if found is None:
            found = self._rendered[dialect.name] = _render(self._statement, dialect)
        return found


@dataclass(frozen=True, kw_only=True)
class _Rendered:
    """The text for one kind of database. `columns` are the places of the answer to convert."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, object]
    parameters: Mapping[str, _Convert]
    columns: tuple[tuple[int, _Convert], ...]
    positional: bool

    def bound(self, many: Sequence[Values], shared: Values) -> list[Any]:
        """Returns what the driver takes for each of `many`."""
        common = {**self.constants, **shared}
        each = []
        for name, convert in self.parameters.items():
            if name in shared:
                common[name] = convert(common[name])
            else:
                each.append((name, convert))
        return [self._bound({**common, **values}, each) for values in many]

    def _bound(self, given: dict[str, Any], conversions: Sequence[tuple[str, _Convert]]) -> Any:
        for name, convert in conversions:
            given[name] = convert(given[name])
        if self.positional:
            return list(map(given.__getitem__, self.names))
        return {name: given[name] for name in self.names}

    def converted(self, row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for place, convert in self.columns:
            values[place] = convert(values[place])
        return tuple(values)


def _render(statement: Executable, dialect: Dialect) -> _Rendered:
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every one has it
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # DDL has no business here
    parameters = {
        name: convert
        for bind, name in compiled.bind_names.items()
        if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    }
    constants = {n: b.effective_value for b, n in compiled.bind_names.items() if not b.required}
    answer = getattr(statement, "exported_columns", ())
    converts = (c.type.dialect_impl(dialect).result_processor(dialect, None) for c in answer)
    return _Rendered(
        text=str(compiled),
        names=tuple(compiled.positiontup or compiled.bind_names.values()),
        constants=constants,
        parameters=parameters,
        columns=tuple((i, convert) for i, convert in enumerate(converts) if convert is not None),
        positional=compiled.positional,
    )


@contextmanager
def driver_cursor(conn: Connection) -> Iterator[DBAPICursor]:
    """Yields the driver's cursor; its errors become SQLAlchemy's, without any value in them."""
    base = conn.dialect.loaded_dbapi.Error
    cursor = conn.connection.cursor()
    try:
        yield cursor
    except base as error:
        raise DBAPIError.instance(
            None, None, error, base, hide_parameters=True, dialect=conn.dialect
        ) from error
    finally:
        cursor.close()
