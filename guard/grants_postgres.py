"""The two logins of a PostgreSQL source, as SQL for its owner.

https://www.postgresql.org/docs/current/ddl-priv.html and .../ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.address import ServerReach
from guard.catalog import Catalog, Table
from guard.grants import Readable, ServerFacts, grants_of, readable, writable
from guard.policyfile import Policy

_WRITER_CALLS = ("set_config(", "pg_export_snapshot(", "pg_current_xact_id(")
"""What the write role's adapter itself needs of what is taken away from everybody."""


def statements(
    policy: Policy,
    source: str,
    catalog: Catalog,
    facts: ServerFacts,
    *,
    reader: str,
    writer: str | None,
) -> str:
    """Returns the SQL that makes the logins `reader` and `writer` with just what the policy needs.

    `catalog` is what the owner sees. Without a `writer` there is none. No password is set.

    Raises:
        Refused: a row filter of the policy cannot be read.
    """
    plan = _Plan(policy, source, catalog, facts, reader)
    parts = [*plan.head(), *plan.login(), *plan.everybody(), *plan.reading(), *plan.rows()]
    if writer is not None:
        parts += plan.writing(writer)
    parts += ["", "COMMIT;"]
    return "\n".join(parts) + "\n"


class _Plan:
    def __init__(
        self, policy: Policy, source: str, catalog: Catalog, facts: ServerFacts, reader: str
    ) -> None:
        self._policy = policy
        self._source = source
        self._catalog = catalog
        self._facts = facts
        self._reader = reader
        self._limits = policy.limits_for(source, (), "")
        self._identity = policy.sources[source].identity
        self._reach: ServerReach = policy.reach_of(source)

    def head(self) -> Iterator[str]:
        yield f"-- The logins of the source {_plain(self._source)}, from the policy as it is now."
        yield f"-- Run this in the database {_plain(self._facts.database)} as the owner of its"
        yield "-- tables and a superuser, after reading it. Then set a password for each login with"
        yield "-- \\password, and put their URLs where the policy says."
        yield "BEGIN;"
        path = ", ".join(_quoted(s) for s in self._reach.schemas)
        yield f"SET LOCAL search_path = {path};"

    def login(self) -> Iterator[str]:
        name = _quoted(self._reader)
        timeout_ms = round(self._limits.timeout_seconds * 1000)
        yield ""
        yield "-- 1. The login that reads. Statements set their own limits; these stand behind."
        yield (
            f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
            "NOBYPASSRLS NOINHERIT CONNECTION LIMIT 40;"
        )
        yield f"ALTER ROLE {name} SET default_transaction_read_only = on;"
        yield f"ALTER ROLE {name} SET statement_timeout = {timeout_ms};"
        yield f"ALTER ROLE {name} SET lock_timeout = 2000;"
        yield f"ALTER ROLE {name} SET idle_in_transaction_session_timeout = 60000;"
        yield f"GRANT CONNECT ON DATABASE {_quoted(self._facts.database)} TO {name};"
        for role in self._reach.roles:
            inherit = " WITH INHERIT FALSE, SET TRUE" if self._facts.version >= 16 else ""
            yield f"CREATE ROLE {_quoted(role)} NOLOGIN NOBYPASSRLS NOINHERIT;"
            yield f"GRANT {_quoted(role)} TO {name}{inherit};"

    def everybody(self) -> Iterator[str]:
        yield ""
        yield "-- 2. What every login has unless it is taken away. Others that need it get it back"
        yield "-- with GRANT."
        for schema in self._reach.schemas:
            yield f"REVOKE CREATE ON SCHEMA {_quoted(schema)} FROM PUBLIC;"
        yield f"REVOKE TEMPORARY ON DATABASE {_quoted(self._facts.database)} FROM PUBLIC;"
        for function in self._facts.functions:
            yield f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC;"

    def reading(self) -> Iterator[str]:
        yield ""
        yield "-- 3. What may be read: the columns of the policy and those its row filters look at."
        if not self._identity.roles:
            yield from self._select(
                readable(self._policy, self._source, self._catalog), self._reader
            )
            return
        for role in self._reach.roles:
            names = frozenset(n for n, db in self._identity.roles.items() if db == role)
            tables = readable(self._policy, self._source, self._catalog, names)
            yield from self._select(tables, role)

    def _select(self, tables: Sequence[Readable], role: str) -> Iterator[str]:
        yield from self._usage(role)
        for found in tables:
            columns = "" if found.whole else f" ({', '.join(map(_quoted, found.columns))})"
            yield f"GRANT SELECT{columns} ON TABLE {_place(found.table)} TO {_quoted(role)};"

    def _usage(self, role: str) -> Iterator[str]:
        for schema in self._reach.schemas:
            yield f"GRANT USAGE ON SCHEMA {_quoted(schema)} TO {_quoted(role)};"

    def rows(self) -> Iterator[str]:
        """Row filters as row security: it holds where the guard is gone round."""
        filters = list(self._filters())
        if not filters and not any(g.row_filters for _, g in grants_of(self._policy, self._source)):
            return
        yield ""
        yield "-- 4. Which rows. Everybody else keeps all rows: the second kind of policy only"
        yield "-- takes away, and only from the role it names."
        if not filters:
            yield "-- Not yet: map each data role to a role of the database, in the policy's"
            yield f"-- [sources.{_plain(self._source)}.identity.roles], so that the server can tell"
            yield "-- them apart. Until then the guard alone holds the row filters."
            return
        opened: set[str] = set()
        for table, role, condition in filters:
            place = _place(table)
            if table.name not in opened and table.name not in self._facts.secured:
                yield f"ALTER TABLE {place} ENABLE ROW LEVEL SECURITY;"
                yield f"CREATE POLICY gatehouse_all ON {place} USING (true) WITH CHECK (true);"
            opened.add(table.name)
            name = _quoted(f"gatehouse_{role}"[:63])
            yield (
                f"CREATE POLICY {name} ON {place} AS RESTRICTIVE FOR SELECT TO {_quoted(role)} "
                f"USING ({condition}\n);"
            )

    def _filters(self) -> Iterator[tuple[Table, str, str]]:
        """Per table and database role, the condition that holds its rows in scope."""
        own = dict(grants_of(self._policy, self._source))
        for table in self._catalog.tables:
            for role in self._reach.roles if table.kind == "table" else ():
                names = [n for n, db in self._identity.roles.items() if db == role and n in own]
                listing = [own[n] for n in names if own[n].lists(table.name)]
                found = [f for g in listing if (f := g.row_filter(table.name)) is not None]
                if found and len(found) == len(listing):
                    yield table, role, " OR ".join(f"({f})" for f in dict.fromkeys(found))

    def writing(self, writer: str) -> Iterator[str]:
        name = _quoted(writer)
        tables = writable(self._policy, self._source, self._catalog)
        yield ""
        yield "-- 5. The login that runs approved changes, and previews of them."
        if not tables:
            yield "-- Not yet: no data role may propose changes. List tables under propose, set"
            yield "-- writes = true, and print these statements again."
            return
        yield (
            f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
            "NOBYPASSRLS NOINHERIT CONNECTION LIMIT 20;"
        )
        yield f"ALTER ROLE {name} SET idle_in_transaction_session_timeout = 300000;"
        database = _quoted(self._facts.database)
        yield f"GRANT CONNECT ON DATABASE {database} TO {name};"
        yield "-- Very many changed rows are compared in temporary tables; a preview leaves none."
        yield f"GRANT TEMPORARY ON DATABASE {database} TO {name};"
        yield from self._usage(writer)
        for table in tables:
            rights = "SELECT, INSERT, UPDATE, DELETE"
            yield f"GRANT {rights} ON TABLE {_place(table)} TO {name};"
        for table_name, sequence in self._facts.sequences:
            if any(t.name == table_name for t in tables):
                yield f"GRANT USAGE ON SEQUENCE {sequence} TO {name};"
        for function in self._facts.functions:
            if function.removeprefix("pg_catalog.").startswith(_WRITER_CALLS):
                yield f"GRANT EXECUTE ON FUNCTION {function} TO {name};"
        yield from self._silence(name)
        yield from self._links(name, tables)

    def _links(self, name: str, tables: Sequence[Table]) -> Iterator[str]:
        """The columns of other tables that references of the writable ones join."""
        own = {t.name for t in tables}
        for table in self._catalog.tables:
            wanted = [
                key.columns if table.name not in own else ()
                for key in table.foreign_keys
                if key.table in own
            ] + [
                key.references
                for other in tables
                for key in other.foreign_keys
                if key.table == table.name and table.name not in own
            ]
            columns = sorted({c for names in wanted for c in names})
            if columns:
                yield f"-- Keys of {_plain(table.name)}, to see that undo leaves none hanging."
                listed = ", ".join(map(_quoted, columns))
                yield f"GRANT SELECT ({listed}) ON TABLE {_place(table)} TO {name};"

    def _silence(self, name: str) -> Iterator[str]:
        """What lets rows be put back as they were, and what cannot be granted for it."""
        if self._facts.version >= 15:
            yield "-- Lets a change be taken back with triggers switched off, so that every row is"
            yield "-- as it was. Without it the request names the rows that triggers would leave."
            yield f"GRANT SET ON PARAMETER session_replication_role TO {name};"
        else:
            yield "-- Before PostgreSQL 15 only a superuser may switch triggers off: taking a"
            yield "-- change back runs them again, and the request names the rows they would leave."
        yield "-- Triggers may write to further tables. Grant SELECT on these, or a change that"
        yield "-- reaches them cannot be shown; grant INSERT, UPDATE and DELETE as well only if"
        yield "-- undo is to take their rows back too."


def _place(table: Table) -> str:
    return f"{_quoted(table.schema or 'public')}.{_quoted(table.relation or table.name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(text: str) -> str:
    """Returns the text fit for a comment: one line, no control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
