"""A small company on PostgreSQL, logins that may do little or everything, and a way to read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from guard.address import ServerReach, server_address
from guard.engines import Cancel
from guard.engines.base import Rows
from guard.engines.postgres import PostgresEngine, PostgresReader
from guard.identity import NO_IDENTITY, Identity
from guard.rewrite import GuardedQuery
from tests.guard.engines.support import unjudged
from tests.servers import ServerDatabase

CANARY = "qzcanary-7f2c"
READABLE = {"people": ("id", "name", "city"), "visits": ("id", "person", "day")}
SHOP = f"""
CREATE TABLE people (id int PRIMARY KEY, name text, city text, ssn text);
CREATE TABLE visits (id int PRIMARY KEY, person int REFERENCES people, day date);
CREATE TABLE secrets (id int PRIMARY KEY, word text);
CREATE SEQUENCE counter;
INSERT INTO people VALUES (1, 'Ann', 'Rome', '{CANARY}'), (2, 'Ben', 'Oslo', '{CANARY}'),
  (3, 'Cid', 'Rome', '{CANARY}');
INSERT INTO visits SELECT n, 1 + n % 3, DATE '2026-01-01' + n FROM generate_series(1, 30) n;
INSERT INTO secrets VALUES (1, '{CANARY}');
CREATE FUNCTION bump() RETURNS int LANGUAGE sql AS
  $$ INSERT INTO visits VALUES (1000 + (random() * 1e6)::int, 1, '2026-01-01') RETURNING 1 $$;
CREATE FUNCTION peek() RETURNS text LANGUAGE sql SECURITY DEFINER AS
  $$ SELECT word FROM public.secrets $$;
CREATE FUNCTION lower(int) RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$;
CREATE FUNCTION plus(text, int) RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$;
CREATE OPERATOR + (LEFTARG = text, RIGHTARG = int, FUNCTION = plus);
"""
# What `gatehouse grants` takes away from everybody is taken away from these tests' logins too.
TAKEN = """
REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC;
"""


@dataclass
class PostgresShop:
    """A database with a login that may read two tables, and every role a test makes."""

    server: ServerDatabase
    reader: str
    roles: list[str] = field(default_factory=list)

    def role(self, options: str = "NOLOGIN") -> str:
        """Makes a role that is dropped afterwards."""
        name = f"t_{secrets.token_hex(5)}"
        self.server.execute(f"CREATE ROLE {name} {options}")
        self.roles.append(name)
        return name

    @contextmanager
    def opened(
        self,
        user: str | None = None,
        *,
        kind: type[PostgresReader] = PostgresEngine,
        reach: ServerReach | None = None,
    ) -> Iterator[PostgresReader]:
        """An adapter as that login, by default the one that may read."""
        address = server_address(self.server.url(user or self.reader), "postgres")
        with closing(kind(address, source="shop", reach=reach)) as adapter:
            yield adapter

    def checksum(self) -> list[tuple[object, ...]]:
        """What every table holds, and where the sequence stands, past any adapter."""
        return self.server.execute(
            "SELECT 'p', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM people t UNION ALL "
            "SELECT 'v', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM visits t UNION ALL "
            "SELECT 's', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM secrets t UNION ALL "
            "SELECT 'c', last_value::text || is_called::text FROM counter UNION ALL "
            "SELECT 'n', count(*)::text FROM pg_class UNION ALL "
            "SELECT 'f', count(*)::text FROM pg_proc UNION ALL "
            "SELECT 'r', md5(string_agg(relname || relkind::text || COALESCE(relacl::text, ''), '|'"
            " ORDER BY oid)) FROM pg_class UNION ALL "
            "SELECT 'l', count(*)::text FROM pg_largeobject_metadata"
        )

    def running(self, user: str | None = None) -> list[tuple[object, ...]]:
        """The statements of that login that run right now."""
        return self.server.execute(
            "SELECT pid, query FROM pg_stat_activity WHERE state <> 'idle' "
            f"AND usename = '{user or self.reader}'"
        )


@contextmanager
def postgres_shop(server: ServerDatabase) -> Iterator[PostgresShop]:
    """The company in a fresh database; its roles are dropped afterwards."""
    server.execute(SHOP + TAKEN)
    shop = PostgresShop(server=server, reader="")
    shop.reader = shop.role("LOGIN")
    server.execute(
        f"GRANT SELECT (id, name, city) ON people TO {shop.reader};"
        f"GRANT SELECT ON visits TO {shop.reader};"
    )
    try:
        yield shop
    finally:
        for role in reversed(shop.roles):
            server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def query(sql: str, *, identity: Identity = NO_IDENTITY, **changes: object) -> GuardedQuery:
    """A guarded query that no guard has seen: what an adapter must withstand on its own."""
    made = unjudged(sql, "postgres", **{"readable": READABLE, **changes})  # type: ignore[arg-type]
    object.__setattr__(made, "identity", identity)
    return made


def read(adapter: PostgresReader, sql: str, **changes: object) -> Rows:
    """Runs one unjudged statement."""
    return adapter.run(query(sql, **changes), Cancel())  # type: ignore[arg-type]


def rows(adapter: PostgresReader, sql: str, **changes: object) -> list[tuple[object, ...]]:
    """The rows of one unjudged statement, as tuples."""
    columns = [column.to_pylist() for column in read(adapter, sql, **changes).table.columns]
    return list(zip(*columns, strict=True)) if columns else []
