"""The two logins of a MySQL or MariaDB source, as SQL for an administrator.

https://mariadb.com/kb/en/grant/ and https://dev.mysql.com/doc/refman/8.4/en/grant.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.address import ServerReach
from guard.catalog import Catalog
from guard.grants import Readable, ServerFacts, grants_of, readable, writable
from guard.policyfile import Policy

_FIRST_MARIADB = 10
"""MySQL counts its versions up to 9, MariaDB from 10 on."""


def statements(
    policy: Policy,
    source: str,
    catalog: Catalog,
    facts: ServerFacts,
    *,
    reader: str,
    writer: str,
) -> str:
    """Returns the SQL that makes the logins `reader` and `writer` with just what the policy needs.

    `catalog` is what the administrator sees. Both logins are locked: no password is set.

    Raises:
        Refused: a row filter of the policy cannot be read.
    """
    plan = _Plan(policy, source, catalog, facts, reader)
    parts = [*plan.head(), *plan.reading(), *plan.rows(), *plan.writing(writer)]
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
        self._identity = policy.sources[source].identity
        self._reach: ServerReach = policy.reach_of(source)

    def head(self) -> Iterator[str]:
        yield f"-- The logins of the source {_plain(self._source)}, from the policy as it is now."
        yield "-- Run this as an administrator of the server, after reading it. Then, for each"
        yield "-- login, ALTER USER .. IDENTIFIED BY '..' ACCOUNT UNLOCK, and put the URLs where"
        yield "-- the policy says. Write the console's address in place of % where it is known."

    def reading(self) -> Iterator[str]:
        login = _account(self._reader)
        yield ""
        yield "-- 1. The login that reads. It must never get FILE, or another right of the server."
        yield f"CREATE USER {login} WITH MAX_USER_CONNECTIONS 40 ACCOUNT LOCK;"
        yield ""
        yield "-- 2. What may be read: the columns of the policy and those its row filters look at."
        if not self._identity.roles:
            found = readable(self._policy, self._source, self._catalog)
            yield from self._select(found, login)
            return
        for role in self._reach.roles:
            names = frozenset(n for n, db in self._identity.roles.items() if db == role)
            yield f"CREATE ROLE {_quoted(role)};"
            tables = readable(self._policy, self._source, self._catalog, names)
            yield from self._select(tables, _quoted(role))
            yield f"GRANT {_quoted(role)} TO {login};"

    def _select(self, tables: Sequence[Readable], grantee: str) -> Iterator[str]:
        for found in tables:
            columns = "" if found.whole else f" ({', '.join(map(_quoted, found.columns))})"
            place = self._place(found.table.relation or found.table.name)
            yield f"GRANT SELECT{columns} ON {place} TO {grantee};"
            if found.table.kind == "view":
                yield f"GRANT SHOW VIEW ON {place} TO {grantee};"

    def rows(self) -> Iterator[str]:
        if any(g.row_filters for _, g in grants_of(self._policy, self._source)):
            yield ""
            yield "-- 3. Which rows: MySQL has no row security, so the guard alone holds the row"
            yield "-- filters. Roles of the database hold tables and columns apart, not rows."

    def writing(self, writer: str) -> Iterator[str]:
        tables = writable(self._policy, self._source, self._catalog)
        login = _account(writer)
        yield ""
        yield "-- 4. The login that runs approved changes, and previews of them."
        if not tables:
            yield "-- Not yet: no data role may propose changes. List tables under propose, set"
            yield "-- writes = true, and print these statements again."
            return
        yield f"CREATE USER {login} WITH MAX_USER_CONNECTIONS 20 ACCOUNT LOCK;"
        yield "-- It must see every table that follows the changed one (ON DELETE CASCADE):"
        yield "-- REFERENCES shows names and keys, and lets it read no row."
        yield f"GRANT REFERENCES ON *.* TO {login};"
        for table in tables:
            place = self._place(table.relation or table.name)
            yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {place} TO {login};"
            if self._facts.version < _FIRST_MARIADB:
                yield f"GRANT TRIGGER ON {place} TO {login}; -- to see its triggers"

    def _place(self, name: str) -> str:
        return f"{_quoted(self._facts.database)}.{_quoted(name)}"


def _account(name: str) -> str:
    return f"{_quoted(name)}@`%`"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _plain(text: str) -> str:
    """Returns the text fit for a comment: one line, no control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
