"""A table of MySQL as the write role sees it: what it is made of, and its rows, exactly.

Values are read so that they can be written back byte for byte: floats as doubles, byte strings as
bytes, everything else as the server's own text in UTF-8 and UTC.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row
from guard.engines.mysql_rights import may_call
from guard.engines.mysql_session import Session, literal, quoted
from guard.engines.mysql_shape import Shape, inexact

_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})
_REAL = frozenset({"float", "double"})
_NUMBER = frozenset({"decimal"})
_MOMENT = frozenset({"date", "datetime", "timestamp", "time"})
_TEXT = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})
_PLAIN_TEXT = frozenset({"uuid", "inet4", "inet6", "json"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit"})
_CHARSETS = frozenset({"utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"})
"""Character sets that come back the same after a way through UTF-8."""
_CASCADES = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Column:
    """A stored column. The server makes the value of a `generated_key` that is not given."""

    name: str
    kind: str
    generated_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose changes can be previewed exactly. `key` are places in `columns`."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    visible: tuple[str, ...]
    key: tuple[int, ...]
    definition: str

    @property
    def quoted(self) -> str:
        """The name as SQL, with its schema."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the stored columns."""
        return tuple(c.name for c in self.columns)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The names of the key's columns."""
        return tuple(self.columns[i].name for i in self.key)

    def key_of(self, row: Row) -> Row:
        """Returns what tells a row from the others."""
        return tuple(row[i] for i in self.key)

    def read(self, alias: str | None = None) -> str:
        """Returns the select list that gives `Row`s."""
        of = f"{quoted(alias)}." if alias else ""
        return ", ".join(
            f"{of}{quoted(c.name)} * 1e0" if c.kind in _REAL else f"{of}{quoted(c.name)}"
            for c in self.columns
        )

    def row(self, values: Sequence[bytes | None]) -> Row:
        """Returns one row of such a list."""
        return tuple(_value(v, c) for v, c in zip(values, self.columns, strict=True))

    def sql(self, place: int, value: object) -> str:
        """Returns a value of a column as SQL that stores it as it was."""
        return _sql(self.columns[place], value)

    def picks(self, key: Row) -> str:
        """Returns the predicate that holds for the row of that key and no other."""
        return " AND ".join(
            f"{quoted(self.columns[i].name)} = {self.sql(i, v)}"
            for i, v in zip(self.key, key, strict=True)
        )

    def rows(self, session: Session, keys: Sequence[Row], *, lock: bool = False) -> list[Row]:
        """Returns the rows of those keys that are there, in no order."""
        found: list[Row] = []
        for start in range(0, len(keys), _AT_ONCE):
            either = " OR ".join(f"({self.picks(k)})" for k in keys[start : start + _AT_ONCE])
            text = f"SELECT {self.read()} FROM {self.quoted} WHERE {either}"
            found.extend(map(self.row, session.rows(text + (" FOR UPDATE" if lock else ""))))
        return found


def _value(value: bytes | None, column: Column) -> object:
    if value is None or column.kind in _BYTES:
        return value
    text = value.decode("utf-8")
    if column.kind in _WHOLE:
        return int(text)
    return float(text) if column.kind in _REAL else text


def _sql(column: Column, value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'" if value else "''"
    if isinstance(value, float):
        text = repr(value)
        return text if "e" in text else f"{text}e0"
    if isinstance(value, int):
        return str(value)
    if column.kind in _NUMBER:
        return str(value)
    return literal(str(value))


def table_of(session: Session, shape: Shape, database: str) -> Table:
    """Returns the table a change names, where its changes can be previewed exactly.

    Raises:
        Refused: `preview.*`, with what stands in the way.
    """
    schema = shape.schema or database
    if schema.casefold() != database.casefold():
        raise inexact("form", "It changes a table of another database.", shape.table)
    where = f"TABLE_SCHEMA = {literal(database)} AND TABLE_NAME = {literal(shape.table)}"
    made = session.texts(
        f"SELECT TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES WHERE {where}"
    )
    if len(made) != 1:
        raise Fault("no_such_name")
    name, kind, engine = (str(v) for v in made[0])
    if kind != "BASE TABLE":
        raise inexact("table_kind", f"{name} is not an ordinary table ({kind.lower()}).", name)
    if engine != "InnoDB":
        raise inexact("engine", f"{name} is kept by {engine}, which cannot roll back.", name)
    _check_around(session, database, name)
    columns, visible = _columns(session, where)
    names = [c.name for c in columns]
    key = session.texts(
        "SELECT COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE "
        f"{where} AND CONSTRAINT_NAME = 'PRIMARY' ORDER BY ORDINAL_POSITION"
    )
    if not key:
        raise inexact("no_key", f"{name} has no primary key, so its rows have no names.", name)
    if any(k not in names for (k,) in key):
        raise inexact("key_type", f"A part of the key of {name} is computed.", name)
    places = tuple(names.index(str(k)) for (k,) in key)
    if any(columns[p].kind in _REAL for p in places):
        raise inexact("key_type", f"A part of the key of {name} is a floating-point number.", name)
    (definition,) = session.texts(f"SHOW CREATE TABLE {quoted(database)}.{quoted(name)}")
    return Table(
        schema=database,
        name=name,
        columns=columns,
        visible=visible,
        key=places,
        definition=_COUNTER.sub("", definition[1] or ""),
    )


def _check_around(session: Session, database: str, name: str) -> None:
    """Refuses a table with triggers or cascades, and one of which that cannot be known."""
    held = {
        privilege
        for (privilege,) in session.texts(
            "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES "
            "WHERE REPLACE(GRANTEE, '''', '') = CURRENT_USER()"
        )
    }
    if "REFERENCES" not in held:
        raise inexact(
            "unseen",
            "The write login may not see which tables refer to this one. An operator can GRANT it "
            "REFERENCES ON *.*, which lets it read no rows.",
            name,
        )
    if not session.is_mariadb and "TRIGGER" not in held | _own_triggers(session, database, name):
        raise inexact(
            "unseen",
            f"The write login may not see the triggers of {name}. An operator can GRANT it "
            "TRIGGER on the table.",
            name,
        )
    if may_call(session):
        raise inexact(
            "functions",
            "The write login may call stored functions, which may change other rows. An operator "
            "can REVOKE EXECUTE from it, and from PUBLIC.",
            name,
        )
    if session.rows(
        "SELECT 1 FROM information_schema.TRIGGERS WHERE "
        f"TRIGGER_SCHEMA = {literal(database)} AND EVENT_OBJECT_TABLE = {literal(name)}"
    ):
        raise inexact("triggers", f"{name} has triggers, which may change other rows.", name)
    rules = session.texts(
        "SELECT DELETE_RULE, UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE "
        f"UNIQUE_CONSTRAINT_SCHEMA = {literal(database)} "
        f"AND REFERENCED_TABLE_NAME = {literal(name)}"
    )
    if any(rule in _CASCADES for pair in rules for rule in pair):
        raise inexact("cascade", f"Rows of other tables follow those of {name} (cascade).", name)


def _own_triggers(session: Session, database: str, name: str) -> set[str | None]:
    found = session.texts(
        "SELECT PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES WHERE "
        f"TABLE_SCHEMA = {literal(database)} AND TABLE_NAME = {literal(name)} "
        "AND REPLACE(GRANTEE, '''', '') = CURRENT_USER()"
    )
    return {privilege for (privilege,) in found}


def _columns(session: Session, where: str) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    told = session.texts(
        "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, EXTRA, GENERATION_EXPRESSION "
        f"FROM information_schema.COLUMNS WHERE {where} ORDER BY ORDINAL_POSITION"
    )
    found = []
    visible = []
    for name, kind, charset, extra, expression in told:
        if "invisible" not in (extra or "").lower():
            visible.append(str(name))
        if expression:
            continue
        if not _is_known(str(kind), charset):
            raise inexact(
                "column_type", f"The column {name} cannot be read and written back exactly.", name
            )
        generated = "auto_increment" in (extra or "").lower()
        found.append(Column(name=str(name), kind=str(kind), generated_key=generated))
    return tuple(found), tuple(visible)


def _is_known(kind: str, charset: str | None) -> bool:
    if kind in _TEXT:
        return charset in _CHARSETS
    return kind in _WHOLE | _REAL | _NUMBER | _MOMENT | _PLAIN_TEXT | _BYTES


def schema_hash(tables: Iterable[Table]) -> str:
    """Returns the SHA-256 over the definitions of the tables, without their counters."""
    text = "\n".join(t.definition for t in tables)
    return hashlib.sha256(text.encode()).hexdigest()
