"""The servers that tests stand on are there and are real."""

from __future__ import annotations

from tests.servers import ServerDatabase


def test_a_fresh_postgres_database_answers(postgres: ServerDatabase) -> None:
    postgres.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)")
    assert postgres.execute("SELECT count(*) FROM t") == [(2,)]


def test_a_fresh_mariadb_database_answers(mariadb: ServerDatabase) -> None:
    mariadb.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)")
    assert mariadb.execute("SELECT count(*) FROM t") == [(2,)]
