"""The list of functions against the live server: each is there or elsewhere, none has an effect."""

from __future__ import annotations

import contextlib

import pymysql
import pytest

from guard.classify import classify
from guard.errors import Refused, SourceUnavailable
from guard.functions.lists import functions_of
from guard.statement import parse
from tests.guard.engines.mysqlshop import read, reading, shop_on
from tests.servers import ServerDatabase

_ELSEWHERE = """
any_value approx_count_distinct bin_to_uuid dateadd format_bytes format_pico_time
geometrycollection grouping gtid_subset gtid_subtract icu_version is_uuid json_array_intersect
json_key_value json_object_filter_keys json_object_to_array json_schema_valid
json_schema_validation_report json_storage_free json_storage_size json_table kdf linestring
mbrcoveredby member months_between multilinestring multipoint multipolygon polygon regexp_like
st_collect st_frechetdistance st_geohash st_hausdorffdistance st_isvalid st_latfromgeohash
st_latitude st_lineinterpolatepoint st_lineinterpolatepoints st_longfromgeohash st_longitude
st_makeenvelope st_pointatdistance st_pointfromgeohash st_simplify st_swapxy st_transform
st_validate statement_digest statement_digest_text string_to_vector to_date to_number trunc
uuid_to_bin uuid_v4 uuid_v7 vec_distance vec_distance_cosine vec_distance_euclidean
vec_fromtext vec_totext vector_dim vector_to_string
"""
ELSEWHERE = frozenset(_ELSEWHERE.split())
"""Not in MariaDB 10.11, or not called like this there: MySQL 8 and later MariaDBs have them."""
UNKNOWN, NOT_A_FUNCTION = 1305, 1630


def outcome(connection: pymysql.Connection, text: str) -> int:
    """The server's number for what it makes of a call, 0 where it gives rows."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
    except pymysql.err.MySQLError as error:
        return int(error.args[0])
    return 0


def test_every_allowed_function_is_known_and_leaves_everything_as_it_was(
    mariadb: ServerDatabase,
) -> None:
    arguments = ("", "1", "'a'", "1, 1", "'a', 'b'", "1, 1, 1", "'a', 1, 1", "1, 1, 1, 1")
    unknown = []
    with shop_on(mariadb) as shop:
        before = shop.content()
        connection = mariadb._pymysql()
        for name in sorted(functions_of("mysql").scalar):
            found = [
                outcome(connection, f"SELECT {name}({a}) FROM people LIMIT 1") for a in arguments
            ]
            if set(found) & {UNKNOWN, NOT_A_FUNCTION} and 0 not in found:
                unknown.append(name)
        connection.close()
        assert shop.content() == before
    print("unknown to this server:", " ".join(unknown))
    assert set(unknown) <= ELSEWHERE


def test_a_stored_function_under_the_name_of_an_allowed_one_is_not_the_logins_to_call(
    mariadb: ServerDatabase,
) -> None:
    """The list names functions of other servers: here the name may be somebody's own."""
    made = "".join(
        f"CREATE FUNCTION `{name}`(x INT) RETURNS INT MODIFIES SQL DATA "
        "BEGIN UPDATE people SET city = 'bumped'; RETURN x; END;"
        for name in ("to_date", "trunc", "count")
    )
    with shop_on(mariadb, made) as shop:
        before = shop.content()
        with reading(shop.url) as engine:
            for call in ("to_date(1)", "trunc(1)", "`count`(1)", "count (1)"):
                with contextlib.suppress(Refused):
                    read(engine, f"SELECT {call} FROM people")
        assert shop.content() == before


@pytest.mark.parametrize("given", ["FUNCTION {name}.regexp_like", "{name}.*"])
def test_promise_05_what_everybody_may_call_the_login_may_not_hold(
    mariadb: ServerDatabase, given: str
) -> None:
    """A function of the owner's that everybody may call reads what the login may not."""
    made = (
        "CREATE FUNCTION regexp_like(x TEXT, y TEXT) RETURNS TEXT READS SQL DATA "
        "RETURN (SELECT GROUP_CONCAT(word) FROM secrets);"
    )
    what = given.format(name=mariadb.name)
    with shop_on(mariadb, made) as shop:
        mariadb.execute(f"GRANT EXECUTE ON {what} TO PUBLIC")
        try:
            with reading(shop.url) as engine:
                with pytest.raises(SourceUnavailable, match="more than read"):
                    read(engine, "SELECT regexp_like(name, 'b') FROM people")
                assert not all(p.passed for p in engine.probe())
        finally:
            mariadb.execute(f"REVOKE EXECUTE ON {what} FROM PUBLIC")
        with reading(shop.url) as engine:
            assert read(engine, "SELECT COUNT(*) FROM people").table.num_rows == 1


@pytest.mark.parametrize("call", ["`left`('ab', 1)", "`regexp_like`('a', 'b')", "`count`(id)"])
@pytest.mark.parametrize("statement", ["SELECT {} FROM people", "UPDATE people SET city = {}"])
def test_a_quoted_name_before_a_bracket_is_somebodys_own(call: str, statement: str) -> None:
    access = classify(parse(statement.format(call), "mysql"), None)
    assert [p.rule for p in access.problems] == ["function.unknown"]


def test_a_space_makes_a_function_somebodys_own_where_the_text_runs_as_it_stands(
    mariadb: ServerDatabase,
) -> None:
    """A read is written anew, without the space; a change runs as its author wrote it."""
    change = "UPDATE people SET city = {}"
    assert classify(parse(change.format("now ()"), "mysql"), None).problems
    for harmless in ("now()", "if (1, 2, 3)", "abs (1)"):
        assert not classify(parse(change.format(harmless), "mysql"), None).problems
    assert not classify(parse("SELECT count (*), now () FROM people", "mysql"), None).problems
    mariadb.execute("CREATE FUNCTION now () RETURNS INT RETURN 8")
    assert mariadb.execute("SELECT now ()") == [(8,)]
    assert mariadb.execute("SELECT now()") != [(8,)]


def test_functions_with_an_effect_are_not_on_the_list(mariadb: ServerDatabase) -> None:
    allowed = functions_of("mysql").scalar
    effects = [
        "sleep",
        "benchmark",
        "get_lock",
        "release_lock",
        "release_all_locks",
        "is_used_lock",
        "load_file",
        "nextval",
        "setval",
        "lastval",
        "master_pos_wait",
        "sys_exec",
        "sys_eval",
        "des_encrypt",
    ]
    assert not allowed & set(effects)
    with contextlib.suppress(pymysql.err.MySQLError):
        known = mariadb.execute("SELECT FUNCTION FROM information_schema.SQL_FUNCTIONS")
        dangerous = {str(n).lower() for (n,) in known} & set(effects)
        assert "sleep" in dangerous
