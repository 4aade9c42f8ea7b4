"""The guard's function list against the live server's catalog: nothing on it has an effect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guard.builtin_types import _BUILT_IN
from guard.functions.lists import functions_of
from guard.spelling import BUILT_IN_OPERATORS
from tests.servers import ServerDatabase, fresh_database

# Volatile by name and without effect: the clock, chance, a look at one's own session.
CLOCK = (
    "clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7 currval "
    "array_sample array_shuffle"
)
SESSION = "lastval pg_backend_pid statement_timestamp pg_is_in_recovery pg_jit_available"
# Sizes and facts of the catalog that may change while a statement runs.
SIZES = (
    "pg_column_size pg_database_size pg_indexes_size pg_relation_size pg_table_size "
    "pg_tablespace_size pg_total_relation_size"
)
FACTS = (
    "pg_collation_actual_version pg_sequence_last_value pg_partition_tree pg_partition_ancestors"
)
REVIEWED_VOLATILE = frozenset(" ".join((CLOCK, SESSION, SIZES, FACTS)).split())
SYNTAX = frozenset({"!=", "=>"})
"""The parser's own spelling of <>, and the sign before a named argument."""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerDatabase]:
    with fresh_database("postgres") as made:
        yield made


def names(server: ServerDatabase, query: str) -> set[str]:
    return {str(row[0]) for row in server.execute(query)}


def test_no_allowed_function_is_volatile_but_the_reviewed_ones(server: ServerDatabase) -> None:
    volatile = names(
        server,
        "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v' "
        "AND pronamespace = 'pg_catalog'::regnamespace",
    )
    guard = functions_of("postgres")
    assert len(volatile) > 150
    assert volatile & (guard.scalar | guard.tables) <= REVIEWED_VOLATILE


def test_no_allowed_function_makes_an_extension_or_language_run(server: ServerDatabase) -> None:
    other = names(
        server,
        "SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang "
        "WHERE l.lanname NOT IN ('internal', 'sql', 'c') "
        "AND p.pronamespace = 'pg_catalog'::regnamespace",
    )
    assert not other & functions_of("postgres").scalar


def test_every_allowed_function_is_one_of_the_servers_or_syntax(server: ServerDatabase) -> None:
    known = names(server, "SELECT proname FROM pg_proc")
    strangers = functions_of("postgres").scalar - known
    # Calls that are syntax, and functions that versions before or after this one have.
    assert len(strangers) <= 40, sorted(strangers)


def test_the_types_and_operators_of_the_guard_are_the_servers_own(server: ServerDatabase) -> None:
    types = names(
        server, "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace"
    )
    assert _BUILT_IN - types <= {"char", "gtsvector"}
    operators = names(
        server, "SELECT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace"
    )
    assert set(BUILT_IN_OPERATORS) - operators <= SYNTAX


def test_what_the_logins_lose_is_refused_by_the_guard_too(server: ServerDatabase) -> None:
    from guard.engines.postgres_facts import _FUNCTIONS

    taken = {str(r[0]).partition("(")[0] for r in server.execute(_FUNCTIONS)}
    assert {"set_config", "pg_notify", "lo_create", "query_to_xml"} <= taken
    guard = functions_of("postgres")
    # ts_rewrite has a form without SQL in a string; the guard refuses it all the same.
    assert not taken & (guard.scalar | guard.tables)
