"""What the write login of a PostgreSQL source may not be: more than a writer of rows.

The guard refuses statements that define things; this is the second wall behind it.
"""

from __future__ import annotations

from guard.engines.postgres_tables import Connection, rows
from guard.errors import Refused, refuse

_TOO_STRONG = """
SELECT r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolcreatedb,
  EXISTS (SELECT FROM pg_roles p WHERE p.rolname IN ('pg_execute_server_program',
    'pg_write_server_files', 'pg_read_server_files') AND pg_has_role(r.oid, p.oid, 'MEMBER')),
  EXISTS (SELECT FROM pg_class c WHERE c.relkind <> 't' AND pg_has_role(r.oid, c.relowner, 'MEMBER')
    AND c.relnamespace::regnamespace::text NOT LIKE 'pg\\_%')
  OR EXISTS (SELECT FROM pg_namespace n WHERE pg_has_role(r.oid, n.nspowner, 'MEMBER')
    AND n.nspname NOT LIKE 'pg\\_%')
  OR EXISTS (SELECT FROM pg_proc p WHERE pg_has_role(r.oid, p.proowner, 'MEMBER'))
  OR EXISTS (SELECT FROM pg_database d WHERE d.datname = current_database()
    AND pg_has_role(r.oid, d.datdba, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = current_user
"""


def check_login(writer: Connection, *, ddl: bool) -> None:
    """Passes when the login can do no more than the policy lets people propose.

    Raises:
        Refused: it rules the server or reaches its files; or it owns something although the policy
            lets nobody propose changes of the schema (`ddl`).
    """
    rules, files, owns = rows(writer, _TOO_STRONG)[0]
    if rules or files:
        raise _refused(
            "The write login may rule the server (superuser, roles, databases or server files).",
            "Give the source a login that has SELECT, INSERT, UPDATE and DELETE on its tables.",
        )
    if owns and not ddl:
        raise _refused(
            "The write login owns tables, schemas or functions, so it could change the schema.",
            "Give the source a login that owns nothing, or allow propose_ddl in the policy.",
        )


def _refused(reason: str, alternative: str) -> Refused:
    return refuse("preview.login_too_strong", reason, alternative=alternative)
