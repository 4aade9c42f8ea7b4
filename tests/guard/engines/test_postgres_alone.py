"""The PostgreSQL adapter under attack, with nobody's guard before it.

A control shows that the attacks bite: the same texts as an all-powerful login, without a fence.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from guard.classifylines import classify_lines
from guard.engines.postgres import PostgresReader
from guard.errors import GuardError, Refused
from tests.guard.engines.postgres_shop import CANARY, PostgresShop, postgres_shop, rows
from tests.servers import fresh_database

ROOT = Path(__file__).parents[3]
CASES = ROOT / os.environ.get("GATEHOUSE_CASES", "../shared/cases") / "guard"
needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason="needs the guard cases; set GATEHOUSE_CASES to their folder"
)

CHANGES = """
DELETE FROM public.visits WHERE id = 1
INSERT INTO public.visits VALUES (900, 1, '2026-01-01')
UPDATE public.people SET name = 'x'
WITH gone AS (DELETE FROM public.visits WHERE id = 2 RETURNING id) SELECT * FROM gone
TRUNCATE public.visits
CREATE TABLE public.made (x int)
CREATE TABLE public.copied AS SELECT * FROM public.people
SELECT * INTO public.into_it FROM public.people
EXPLAIN ANALYZE DELETE FROM public.secrets
SELECT public.bump()
SELECT count(*) FROM public.visits WHERE public.bump() > 0
SELECT v.id FROM public.visits v ORDER BY public.bump() LIMIT 1
SELECT nextval('public.counter')
SELECT setval('public.counter', 77)
SELECT lo_from_bytea(0, 'x')
SELECT lo_creat(-1)
DO $$ BEGIN INSERT INTO public.visits VALUES (901, 1, '2026-01-01'); END $$
SELECT 1; DELETE FROM public.people
COMMIT; DELETE FROM public.visits WHERE id = 3
MERGE INTO public.visits v USING public.people p ON v.id = p.id WHEN MATCHED THEN DELETE
ALTER TABLE public.secrets ADD COLUMN extra int
DROP TABLE public.secrets CASCADE
CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'
GRANT SELECT ON public.visits TO PUBLIC
CREATE VIEW public.window_ AS SELECT * FROM public.people
COPY public.visits FROM PROGRAM 'echo 950,1,2026-01-01' WITH (FORMAT csv)
""".strip().splitlines()
FILES = """
COPY (SELECT 1) TO '{folder}/out.txt'
COPY (SELECT 1) TO PROGRAM 'cat > {folder}/program.txt'
SELECT lo_export(lo_from_bytea(0, 'x'), '{folder}/large.txt')
SELECT pg_catalog.pg_file_write('{folder}/admin.txt', 'x', false)
""".strip().splitlines()
LOOKS = """
SELECT * FROM public.secrets
SELECT word FROM secrets
SELECT public.peek()
SELECT ssn FROM public.people
SELECT * FROM public.people
SELECT people FROM public.people
SELECT to_json(p) FROM public.people p
SELECT people::text FROM public.people
SELECT p.* FROM public.people p NATURAL JOIN public.people q
SELECT name FROM public.people UNION SELECT word FROM public.secrets
SELECT query_to_xml('SELECT * FROM public.secrets', true, true, '')
SELECT table_to_xml('public.secrets', true, true, '')
SELECT ts_stat('SELECT to_tsvector(word) FROM public.secrets')
SELECT pg_read_file('PG_VERSION')
SELECT pg_ls_dir('.')
SELECT rolpassword FROM pg_catalog.pg_authid
SELECT usename, query FROM pg_catalog.pg_stat_activity
SELECT * FROM pg_catalog.pg_roles
SELECT * FROM pg_catalog.pg_stats
SELECT * FROM information_schema.tables
SELECT setting FROM pg_catalog.pg_settings
SELECT relname FROM pg_catalog.pg_class
SELECT (xpath('/x', ''))[1] FROM public.secrets
TABLE public.secrets
COPY public.secrets TO STDOUT
COPY (SELECT word FROM public.secrets) TO STDOUT
SHOW data_directory
EXPLAIN ANALYZE SELECT * FROM public.secrets
EXECUTE anything
FETCH ALL FROM gatehouse
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM public.people
LISTEN x
NOTIFY x, 'y'
SET ROLE postgres
SET statement_timeout = 0
SET default_transaction_read_only = off
LOCK TABLE public.visits
SELECT id FROM public.visits FOR UPDATE
PREPARE x AS SELECT 1
VACUUM public.visits
ANALYZE public.visits
REINDEX TABLE public.visits
CHECKPOINT
DISCARD ALL
LOAD 'auto_explain'
ROLLBACK
BEGIN READ WRITE
SELECT set_config('default_transaction_read_only', 'off', false)
SELECT pg_catalog.pg_notify('a', 'b') FROM public.secrets
""".strip().splitlines()


@pytest.fixture(scope="module")
def shop() -> Iterator[PostgresShop]:
    with fresh_database("postgres") as server, postgres_shop(server) as made:
        yield made


@pytest.fixture(scope="module")
def adapter(shop: PostgresShop) -> Iterator[PostgresReader]:
    with shop.opened() as opened:
        yield opened


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server may write to, whoever it runs as."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-files-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def outcome(adapter: PostgresReader, sql: str) -> str:
    """What came out, rows or the refusal, as one text."""
    try:
        return str(rows(adapter, sql, timeout_ms=2_000))
    except GuardError as error:
        return f"{error} {getattr(error, 'refusal', '')} {error.__cause__!r}"


def test_the_attacks_bite_without_a_fence(folder: Path) -> None:
    with fresh_database("postgres") as server, postgres_shop(server) as shop:
        changed = []
        with psycopg.connect(server.url(), autocommit=True) as powerful:
            for sql in CHANGES:
                before = shop.checksum() if "secrets" not in " ".join(changed) else None
                try:
                    powerful.execute(sql)  # type: ignore[arg-type]
                except psycopg.Error:
                    continue
                try:
                    if before != shop.checksum():
                        changed.append(sql)
                except psycopg.Error:  # the table it looks at is gone
                    changed.append(sql)
                    break
            for sql in FILES:
                try:
                    powerful.execute(sql.format(folder=folder))  # type: ignore[arg-type]
                except psycopg.Error:
                    continue
        assert len(changed) >= 18, changed
        assert len(list(folder.iterdir())) >= 2


@pytest.mark.parametrize("sql", CHANGES)
def test_promise_04_postgres_alone_changes_nothing(
    shop: PostgresShop, adapter: PostgresReader, sql: str
) -> None:
    before = shop.checksum()
    assert CANARY not in outcome(adapter, sql)
    assert shop.checksum() == before


@pytest.mark.parametrize("sql", FILES)
def test_promise_04_postgres_alone_writes_no_file(
    adapter: PostgresReader, sql: str, folder: Path
) -> None:
    outcome(adapter, sql.format(folder=folder))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("sql", LOOKS)
def test_promise_04_postgres_alone_refuses_what_is_out_of_scope(
    adapter: PostgresReader, sql: str
) -> None:
    with pytest.raises(GuardError) as caught:
        rows(adapter, sql, timeout_ms=2_000)
    assert CANARY not in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize("sql", CHANGES + FILES)
def test_the_fence_alone_holds_even_a_superuser_on_what_it_claims(
    shop: PostgresShop, sql: str, folder: Path
) -> None:
    """Without the role check: the cursor takes queries only, the transaction is read-only."""
    before = shop.checksum()
    with shop.opened("postgres", kind=PostgresReader) as powerful:
        outcome(powerful, sql.format(folder=folder) if "{folder}" in sql else sql)
    assert shop.checksum() == before
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "readable"),
    [
        ("SELECT id FROM public.visits", {"people": ("id",)}),
        ("SELECT 1 FROM public.visits LIMIT 0", {"people": ("id",)}),
        ("SELECT (SELECT max(id) FROM public.visits)", {}),
        ("SELECT EXISTS (SELECT 1 FROM public.visits)", {"people": ("id",)}),
    ],
)
def test_a_table_the_guard_did_not_allow_is_refused_although_the_login_may_read_it(
    adapter: PostgresReader, sql: str, readable: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(Refused) as caught:
        rows(adapter, sql, readable=readable)
    assert caught.value.refusal.rule == "engine.not_allowed"


def test_somebody_elses_function_or_operator_never_stands_in(adapter: PostgresReader) -> None:
    with pytest.raises(Refused) as caught:
        rows(adapter, "SELECT lower(5)")
    assert caught.value.refusal.rule == "engine.no_such_name"
    with pytest.raises(Refused):
        rows(adapter, "SELECT 'a'::text + 1")


def test_what_may_be_read_is_read(adapter: PostgresReader) -> None:
    sql = (
        "SELECT p.city, count(*) FROM public.people p JOIN public.visits v ON v.person = p.id "
        "GROUP BY p.city ORDER BY 1"
    )
    assert rows(adapter, sql) == [("Oslo", 10), ("Rome", 20)]


def cases(name: str) -> list[dict[str, object]]:
    lines = (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@needs_cases
def test_promise_04_postgres_alone_withstands_the_corpus(
    shop: PostgresShop, adapter: PostgresReader
) -> None:
    before = shop.checksum()
    unsafe = [c for c in cases("engine_tests_postgres") if c["safe_read"] is False]
    attacks = cases("attacks_postgres") + unsafe[::9]
    ended = [outcome(adapter, str(case["sql"])) for case in attacks]
    assert len(ended) > 400
    assert not any(CANARY in text for text in ended)
    assert shop.checksum() == before
    assert shop.running() == []


@needs_cases
def test_accepted_reads_of_the_corpus_also_run(shop: PostgresShop, adapter: PostgresReader) -> None:
    """Those that run at all without anybody's tables, word for word, behind all fences."""
    safe = [c for c in cases("engine_tests_postgres") if c["safe_read"]]
    asked = (json.dumps({k: c[k] for k in ("id", "dialect", "sql")}) for c in safe)
    answers = map(json.loads, classify_lines(asked))
    alone = [
        str(case["sql"]).rstrip().rstrip(";")
        for case, answer in zip(safe, answers, strict=True)
        if answer["decision"] == "allow_read"
        and not answer["tables"]
        and str(case["sql"]).lstrip("( \n\t").lower().startswith(("select", "values", "with"))
    ]
    ran, failed = 0, []
    with psycopg.connect(shop.server.url(), autocommit=True) as bare:
        for sql in alone[::2]:
            try:
                bare.execute(sql)  # type: ignore[arg-type]
            except psycopg.Error:
                continue
            try:
                rows(adapter, sql, readable={})
                ran += 1
            except GuardError as error:
                failed.append((sql, str(error)))
    assert ran > 150
    assert len(failed) <= ran * 0.02, failed
