"""What a server lets everybody do, for the statements that take it away from everybody."""

from __future__ import annotations

from guard.engines.postgres_catalog import Seen
from guard.engines.postgres_reading import Session
from guard.grants import ServerFacts

_FUNCTIONS = """
SELECT p.oid::pg_catalog.regprocedure::text
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE') AND (
  n.nspname = 'pg_catalog' AND (
    p.proname ~ '^(lo_.*|loread|lowrite|pg_(try_)?advisory_.*)$'
    OR p.proname ~ '^(query|cursor|table|schema|database)_to_xml'
    OR p.proname IN ('set_config', 'pg_notify', 'pg_logical_emit_message', 'pg_export_snapshot',
      'ts_stat', 'ts_rewrite'))
  OR n.nspname <> 'pg_catalog' AND p.proname ~ '^(dblink|crosstab|connectby)')
ORDER BY n.nspname, p.proname, p.oid
"""
_SECURED = "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relrowsecurity"
_SEQUENCES = """
SELECT d.refobjid, pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype = 'a'
ORDER BY 2
"""
_HERE = (
    "SELECT pg_catalog.current_database(), pg_catalog.current_setting('server_version_num')::int4"
)


def facts(session: Session, seen: Seen) -> ServerFacts:
    """Returns what the statements for the two logins need to know. Reads the server's catalog."""
    names = {number: name for name, number in seen.numbers.items()}
    ((database, version),) = session.ask(_HERE)
    secured = {int(row[0] or 0) for row in session.ask(_SECURED)}
    sequences = [(int(table or 0), name or "") for table, name in session.ask(_SEQUENCES)]
    return ServerFacts(
        database=database or "",
        version=int(version or 0) // 10_000,
        functions=tuple(row[0] or "" for row in session.ask(_FUNCTIONS)),
        secured=frozenset(names[n] for n in secured if n in names),
        sequences=tuple((names[t], name) for t, name in sequences if t in names),
    )
