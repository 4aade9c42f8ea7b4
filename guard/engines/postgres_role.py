"""What a login may do besides reading, asked of the server itself.

A read-only transaction alone holds nobody who may write: the role is what holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from guard.engines.postgres_reading import Session, literal

_REACH = """
WITH reach AS (
  SELECT r.* FROM pg_catalog.pg_roles r
  WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
)
"""
_SYSTEM = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_CHECKS = (
    (
        "is a superuser, or may go round row security, or make roles or databases, or replicate",
        "SELECT 1 FROM reach WHERE rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb "
        "OR rolreplication LIMIT 1",
    ),
    (
        "is a member of a role that the policy does not name",
        "SELECT 1 FROM reach WHERE rolname <> session_user AND rolname <> ALL ({roles}) LIMIT 1",
    ),
    (
        "owns something in the database",
        "SELECT 1 FROM pg_catalog.pg_class c JOIN reach ON c.relowner = reach.oid "
        "UNION ALL SELECT 1 FROM pg_catalog.pg_proc p JOIN reach ON p.proowner = reach.oid "
        "UNION ALL SELECT 1 FROM pg_catalog.pg_namespace n JOIN reach ON n.nspowner = reach.oid "
        "UNION ALL SELECT 1 FROM pg_catalog.pg_database d JOIN reach ON d.datdba = reach.oid "
        "LIMIT 1",
    ),
    (
        "may change a table",
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
        "ON n.oid = c.relnamespace, reach r "
        f"WHERE c.relkind IN ('r','p','v','f','m') AND {_SYSTEM} AND ("
        "pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER') "
        "OR pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE, REFERENCES')) "
        "LIMIT 1",
    ),
    (
        "may make objects in a schema or in the database",
        "SELECT 1 FROM pg_catalog.pg_namespace n, reach r "
        "WHERE n.nspname !~ '^pg_(toast|temp)' "
        "AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE') "
        "UNION ALL SELECT 1 FROM reach r WHERE pg_catalog.has_database_privilege("
        "r.oid, pg_catalog.current_database(), 'CREATE') LIMIT 1",
    ),
    (
        "may move a sequence",
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
        f"ON n.oid = c.relnamespace, reach r WHERE c.relkind = 'S' AND {_SYSTEM} "
        "AND pg_catalog.has_sequence_privilege(r.oid, c.oid, 'USAGE, UPDATE') LIMIT 1",
    ),
)
_SETTER = "pg_catalog.set_config(text, text, boolean)"


def powers(session: Session, roles: Sequence[str]) -> tuple[str, ...]:
    """Returns what the login may do that a reader must not, as ends of a sentence.

    `roles` are the database roles the policy lets a statement run as; the login may be a member of
    these and of no other, and what they may do counts as its own.
    """
    named = "ARRAY[" + ", ".join(literal(r) for r in roles) + "]::name[]"
    return tuple(
        what for what, query in _CHECKS if session.ask(_REACH + query.replace("{roles}", named))
    )


def may_set(session: Session, roles: Sequence[str]) -> bool:
    """True when a statement of the login, or of its roles, could change who it runs as.

    `set_config` inside a SELECT changes the role and the session variables that row security reads.
    """
    found = session.ask(
        f"{_REACH} SELECT 1 FROM reach r WHERE (r.rolname = session_user OR r.rolname = ANY "
        f"(ARRAY[{', '.join(literal(r) for r in roles)}]::name[])) "
        f"AND pg_catalog.has_function_privilege(r.oid, '{_SETTER}', 'EXECUTE') LIMIT 1"
    )
    return bool(found)
