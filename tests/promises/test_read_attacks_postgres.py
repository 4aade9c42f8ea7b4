"""What a hostile model tries on PostgreSQL to learn which tables, roles and functions there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guard.errors import Refusal
from tests.promises.read_worlds import Worlds, answer, worlds

# A number cast to such a type is written as the name of whatever has it, of all of the database.
NAMES = [
    "SELECT (16384 + n)::oid::regclass FROM generate_series(1, 60) n",
    "SELECT CAST(16384 AS regclass)",
    'SELECT 16384::"regclass"',
    "SELECT 16384::pg_catalog.regclass",
    "SELECT regclass '16384'",
    "SELECT regclass(16384::oid)",
    "SELECT (16384 + n)::regproc FROM generate_series(1, 60) n",
    "SELECT (16384 + n)::regtype::text FROM generate_series(1, 60) n",
    "SELECT 10::regrole",
    "SELECT 'postgres'::regrole",
    "SELECT 'public'::regnamespace",
    "SELECT 'postgres=r/postgres'::aclitem",
    'SELECT * FROM json_to_record(\'{"a": "16384"}\') AS t(a regclass)',
    "SELECT JSON_VALUE('{\"a\": \"16384\"}'::jsonb, '$.a' RETURNING regclass)",
    # A constant beside it takes the type, and so its way of reading numbers.
    "SELECT pg_typeof(1) UNION ALL SELECT '16384'",
    # Whether there is such a thing shows in how it fails.
    "SELECT currval('public.vault')",
    "SELECT lastval()",
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    with worlds("postgres", tmp_path_factory.mktemp("names")) as both:
        yield both


@pytest.mark.parametrize("sql", NAMES)
def test_promise_02_no_type_and_no_function_lists_the_database(opened: Worlds, sql: str) -> None:
    refused = answer(opened[0], sql)
    assert isinstance(refused, Refusal), refused
    assert refused.rule in ("type.introspects", "function.introspects")


def test_numbers_and_text_search_stay_usable(opened: Worlds) -> None:
    assert answer(opened[0], "SELECT 5::oid, to_tsvector('english', 'two words')") == [
        ("5", "'two':1 'word':2")
    ]
