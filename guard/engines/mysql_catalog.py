"""The tables, columns, keys and views of a MySQL database, as far as a login may read them.

`information_schema` lists what the current role has any privilege on; columns without SELECT are
left out. A view whose definition the login may not see has none, and the guard refuses it.
https://mariadb.com/kb/en/information-schema-columns-table/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from guard.catalog import Catalog
from guard.engines import reflected
from guard.engines.child.faults import Fault
from guard.engines.mysql_session import Session, literal

_KINDS = {"BASE TABLE": "table", "SYSTEM VERSIONED": "table", "VIEW": "view"}
Text = str | None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What one role sees: rows of `information_schema`."""

    database: str
    tables: Sequence[tuple[Text, ...]]
    columns: Sequence[tuple[Text, ...]]
    keys: Sequence[tuple[Text, ...]]
    unique: Sequence[tuple[Text, ...]]
    views: Sequence[tuple[Text, ...]]


def listed(session: Session, database: str) -> Listed:
    """Returns what the session's role sees of the database. Names are the server's own spelling."""
    asked = literal(database)
    current = session.texts("SELECT DATABASE()")[0][0]
    if current is not None:
        database, asked = current, literal(current)
    return Listed(
        database=database,
        tables=session.texts(
            "SELECT TABLE_NAME, TABLE_TYPE, TABLE_ROWS FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = {asked} ORDER BY TABLE_NAME"
        ),
        columns=session.texts(
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_KEY "
            f"FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {asked} "
            "AND FIND_IN_SET('select', PRIVILEGES) ORDER BY TABLE_NAME, ORDINAL_POSITION"
        ),
        keys=session.texts(
            "SELECT CONSTRAINT_NAME, TABLE_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, "
            "REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE "
            f"WHERE TABLE_SCHEMA = {asked} AND REFERENCED_TABLE_SCHEMA = {asked} "
            "ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
        ),
        unique=session.texts(
            "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS "
            f"WHERE TABLE_SCHEMA = {asked} AND NON_UNIQUE = 0 AND INDEX_NAME <> 'PRIMARY' "
            "ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
        ),
        views=session.texts(
            "SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS "
            f"WHERE TABLE_SCHEMA = {asked}"
        ),
    )


def reflect(seen: Sequence[Listed], *, source: str) -> Catalog:
    """Returns the catalog of everything that any of the roles sees, untagged. Raises `Fault`."""
    tables: dict[str, dict[str, object]] = {}
    for listing in seen:
        for name, table in _tables(listing).items():
            known = tables.setdefault(name, table)
            _add(known, table)
    try:
        found = reflected.Reflected.model_validate({"tables": list(tables.values())})
    except ValidationError as error:
        raise Fault("engine") from error
    return reflected.to_catalog(found, source=source, dialect="mysql")


def _add(known: dict[str, object], other: dict[str, object]) -> None:
    """Adds the columns that another role sees of the same table."""
    if known is other:
        return
    for part in ("columns", "foreign_keys", "unique"):
        mine, theirs = known[part], other[part]
        if isinstance(mine, list) and isinstance(theirs, list):
            mine.extend(item for item in theirs if item not in mine)
    known["create"] = known["create"] or other["create"]


def _tables(listing: Listed) -> dict[str, dict[str, object]]:
    definitions = {str(name): text for name, text in listing.views}
    found: dict[str, dict[str, object]] = {}
    for name, kind, rows in listing.tables:
        columns = [_column(c) for c in listing.columns if c[0] == name]
        if name is None or kind not in _KINDS or not columns:
            continue
        definition = definitions.get(name)
        found[name] = {
            "name": name,
            "kind": _KINDS[kind],
            "columns": columns,
            "foreign_keys": _foreign_keys(k for k in listing.keys if k[1] == name),
            "unique": _unique(name, columns, listing.unique),
            "row_estimate": int(rows) if rows is not None and kind != "VIEW" else None,
            "create": f"CREATE VIEW v AS {definition}" if definition else None,
            "schema_": listing.database,
        }
    return found


def _column(row: tuple[Text, ...]) -> dict[str, object]:
    _, name, kind, nullable, key = row
    return {
        "name": name,
        "type": kind,
        "nullable": nullable == "YES",
        "primary_key": key == "PRI",
    }


def _unique(
    table: str, columns: Iterable[Mapping[str, object]], rows: Iterable[tuple[Text, ...]]
) -> list[list[str]]:
    """Returns the columns of each unique index, all of them where one holds an expression."""
    found: dict[Text, list[Text]] = {}
    for name, index, column in rows:
        if name == table:
            found.setdefault(index, []).append(column)
    names = [str(c["name"]) for c in columns]
    return [names if None in parts else [str(p) for p in parts] for parts in found.values()]


def _foreign_keys(rows: Iterable[tuple[Text, ...]]) -> list[dict[str, object]]:
    found: dict[str, dict[str, list[str]]] = {}
    tables: dict[str, str] = {}
    for constraint, _, column, table, reference in rows:
        key = found.setdefault(str(constraint), {"columns": [], "references": []})
        key["columns"].append(str(column))
        key["references"].append(str(reference))
        tables[str(constraint)] = str(table)
    return [{**parts, "table": tables[name]} for name, parts in found.items()]
