"""Changes of the schema of a PostgreSQL database: definitions, locks held, tables written anew.

The server defines things inside the transaction like rows, so a preview runs and rolls back here
too. Only tables of the first schema of the search path are looked at.
https://www.postgresql.org/docs/18/explicit-locking.html
"""

from __future__ import annotations

from collections.abc import Mapping

from guard.engines.child.faults import Fault
from guard.engines.child.schema import Definer, Effect, Line, Lock, State
from guard.engines.postgres_capture import counted
from guard.engines.postgres_session import run_one
from guard.engines.postgres_tables import Connection, rows

_LINES = """
WITH t AS (SELECT oid, relname FROM pg_class
  WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p'))
SELECT * FROM (
  SELECT t.relname::text, 'column', a.attname::text, concat_ws(' ', quote_ident(a.attname),
      format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
      CASE WHEN a.attidentity <> '' THEN 'GENERATED AS IDENTITY' END,
      CASE WHEN a.attgenerated <> '' THEN 'GENERATED' END, 'DEFAULT '
      || pg_get_expr(d.adbin, d.adrelid)), 1, a.attnum::int
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  UNION ALL SELECT t.relname, 'constraint', k.conname,
      'CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), 2, 0
  FROM t JOIN pg_constraint k ON k.conrelid = t.oid WHERE k.contype <> 'n'
  UNION ALL SELECT t.relname, 'index', c.relname, pg_get_indexdef(i.indexrelid), 3, 0
  FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
  WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
  UNION ALL SELECT t.relname, 'trigger', g.tgname, pg_get_triggerdef(g.oid), 4, 0
  FROM t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
) AS lines ORDER BY 1, 5, 6, 4
"""
_FILES = """
SELECT oid::int8, relname::text, pg_relation_filenode(oid)::int8 FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
"""
_LOCKS = """
SELECT relation::int8, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
"""
_WAITING: Mapping[str, Lock] = {
    "ShareLock": "writes",
    "ShareUpdateExclusiveLock": "none",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    "AccessExclusiveLock": "all",
}
_WORST: tuple[Lock, ...] = ("none", "writes", "all")


def definer(writer: Connection) -> Definer:
    """Returns the schema side of an open transaction."""
    files = {oid: (name, node) for oid, name, node in rows(writer, _FILES)}

    def effect(before: State, after: State, counts: Mapping[str, tuple[int, int]]) -> Effect:
        now = {oid: (name, node) for oid, name, node in rows(writer, _FILES)}
        if any(oid in files for oid in counted(writer)):
            raise Fault("not_exact")  # rows changed too, by something that hears of definitions
        rewritten = {
            name
            for oid, (name, node) in now.items()
            if oid in files and files[oid][1] != node and counts.get(name, (0, 0))[1]
        }
        names = {oid: name for oid, (name, _) in {**now, **files}.items()}
        locks: dict[str, Lock] = {}
        for oid, mode in rows(writer, _LOCKS):
            if oid in names:
                kinds = (locks.get(names[oid], "none"), _WAITING.get(mode, "none"))
                locks[names[oid]] = max(kinds, key=_WORST.index)
        return Effect(rows=counts, rewritten=frozenset(rewritten), locks=locks)

    def run(statement: str) -> None:
        run_one(writer, statement)

    return Definer(
        engine="postgres",
        ask=lambda text: rows(writer, text),
        state=lambda: state_of(writer),
        run=run,
        effect=effect,
    )


def state_of(connection: Connection) -> State:
    """Returns the definition of every table of the first schema."""
    found: dict[str, list[Line]] = {}
    for table, kind, name, text, _, _ in rows(connection, _LINES):
        found.setdefault(table, []).append((kind, name, text))
    for _, name, _ in rows(connection, _FILES):
        found.setdefault(name, [])
    return found
