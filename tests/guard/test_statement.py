"""What is refused before a statement is judged, and what a parsed statement holds."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from guard.errors import Refused
from guard.lexical import DIALECTS, MAX_BYTES, MAX_DEPTH, MAX_TYPED
from guard.statement import parse

EVERY = pytest.mark.parametrize("dialect", DIALECTS)


def rule(sql: str, dialect: str) -> str:
    """The rule that refuses the text."""
    with pytest.raises(Refused) as caught:
        parse(sql, dialect)
    return caught.value.refusal.rule


@EVERY
@pytest.mark.parametrize("sql", ["", "  \n\t", ";", "-- nothing", "/* nothing */ ;"])
def test_a_text_without_a_statement_is_refused(sql: str, dialect: str) -> None:
    assert rule(sql, dialect) == "statement.empty"


@EVERY
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; -- done\n DELETE FROM t",
        "SELECT 1;; DROP TABLE t;",
        "SELECT 1; ELSE DROP TABLE t",
        "; SELECT 1",
        "SELECT 1; END",
        "EXPLAIN SELECT 1; DROP TABLE t",
    ],
)
def test_more_than_one_statement_is_refused(sql: str, dialect: str) -> None:
    assert rule(sql, dialect) == "statement.several"


@EVERY
@pytest.mark.parametrize("sql", ["SELECT 1;", "SELECT 1 ; ;", "SELECT 1; -- done", "SELECT ';'"])
def test_one_statement_may_end_in_separators_and_hold_them_in_texts(sql: str, dialect: str) -> None:
    assert isinstance(parse(sql, dialect).tree, exp.Select)


def test_a_statement_keeps_its_text_to_the_byte() -> None:
    text = "  SELECT 1 -- one\n;"
    assert parse(text, "sqlite").text == text


@EVERY
def test_control_characters_are_refused(dialect: str) -> None:
    for code in (*range(9), 11, 12, *range(14, 32), 127):
        assert rule(f"SELECT 'a{chr(code)}b'", dialect) == "statement.character"


def test_a_bare_carriage_return_is_refused_because_it_ends_a_comment_for_some_only() -> None:
    hidden = "SELECT 1 # x\r/*\n INTO OUTFILE 'f' -- */"
    assert rule(hidden, "mysql") == "statement.character"
    assert isinstance(parse("SELECT 1\r\n", "mysql").tree, exp.Select)


@EVERY
@pytest.mark.parametrize(
    "char",
    ["\u00a0", "\u2003", "\u0085", "\u200b", "\ufeff", "\u2028", "\uff1b", "\u017f", "\u212a"],
)
def test_lookalike_blanks_and_letters_stand_only_in_quotes(char: str, dialect: str) -> None:
    assert rule(f"SELECT a{char}FROM t", dialect) == "statement.character"
    assert isinstance(parse(f"SELECT 'a{char}b'", dialect).tree, exp.Select)


@EVERY
def test_letters_of_other_scripts_may_name_columns(dialect: str) -> None:
    assert isinstance(parse("SELECT größe, имя, 名前 FROM t", dialect).tree, exp.Select)


def test_half_a_character_is_refused() -> None:
    assert rule("SELECT '\ud800'", "sqlite") == "statement.character"


def test_length_is_counted_in_bytes() -> None:
    filler = "ä" * (MAX_BYTES // 2)
    assert rule(f"SELECT '{filler}'", "sqlite") == "statement.too_long"
    assert isinstance(parse(f"SELECT '{filler[:-8]}'", "sqlite").tree, exp.Select)


@EVERY
def test_an_unknown_dialect_is_refused(dialect: str) -> None:
    assert rule("SELECT 1", dialect + "x") == "statement.dialect"


@pytest.mark.parametrize("dialect", ["mysql"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 /*!50000 INTO OUTFILE 'f' */",
        "SELECT 1 /*M!100000 FOR UPDATE */",
        "SELECT '/*' /*! + 1 */",
    ],
)
def test_comments_that_a_server_executes_are_refused(sql: str, dialect: str) -> None:
    assert rule(sql, dialect) == "statement.comment"


def test_the_mark_of_such_a_comment_may_stand_in_a_text() -> None:
    assert isinstance(parse("SELECT '/*! not a comment */'", "mysql").tree, exp.Select)


@EVERY
def test_template_marks_are_refused(dialect: str) -> None:
    assert rule("SELECT {# hidden #} 1", dialect) == "statement.comment"
    assert rule("SELECT {% x %} FROM t", dialect) == "statement.template"


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT 1_000", "postgres"),
        ("SELECT 1_000", "sqlite"),
        ("SELECT 0x1F", "postgres"),
        ("SELECT 0b11", "postgres"),
        ("SELECT 0o17 FROM t", "postgres"),
        ("SELECT 1a FROM t", "sqlite"),
    ],
)
def test_numbers_the_parser_reads_as_another_are_refused(sql: str, dialect: str) -> None:
    assert rule(sql, dialect) == "statement.number"


@pytest.mark.parametrize("dialect", ["postgres", "sqlite", "duckdb", "mysql"])
def test_plain_numbers_are_read(dialect: str) -> None:
    assert parse("SELECT 1, 1.5, .5, 1e3, '0x1F_', 1 AS a, \"x0x1\" FROM t", dialect)


def test_setting_a_variable_inside_a_query_is_refused() -> None:
    assert rule("SELECT @a := 1", "mysql") == "statement.assignment"
    assert rule("SELECT @a:=@a+1 FROM t", "mysql") == "statement.assignment"


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM",
        "CALL p()",
        "DO $$ BEGIN END $$",
        "EXECUTE q",
        "PREPARE q AS SELECT 1",
        "REFRESH MATERIALIZED VIEW v",
        "LOCK TABLE t",
        "SHOW data_directory",
        "SHOW ALL",
    ],
)
def test_statements_the_parser_leaves_as_text_are_refused(sql: str) -> None:
    assert rule(sql, "postgres") == "statement.unmodelled"


def test_a_syntax_error_may_be_mended_and_says_where() -> None:
    with pytest.raises(Refused) as caught:
        parse("SELECT FROM WHERE", "sqlite")
    refusal = caught.value.refusal
    assert (refusal.rule, refusal.fixable) == ("statement.syntax", True)
    assert refusal.part is not None
    assert refusal.part.startswith("line 1, column ")


@EVERY
@pytest.mark.parametrize("text", ["SELECT 'a", 'SELECT "a', "SELECT 1 FROM t WHERE (a = 1"])
def test_an_open_quote_or_bracket_is_a_syntax_error(text: str, dialect: str) -> None:
    assert rule(text, dialect) == "statement.syntax"


@EVERY
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
        "SELECT " + "NOT " * 10_000 + "1",
        "SELECT " + "- " * 10_000 + "1",
        "SELECT " + "CASE WHEN 1 THEN " * 1_000 + "1" + " END" * 1_000,
        "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "t" + ")" * 2_000,
        "SELECT 1" + " UNION ALL SELECT 1" * 2_000,
        "SELECT 1 FROM t" + " JOIN t" * 1_000,
        "SELECT 1" + " AND 1" * 5_000,
        "SELECT 1" + "+1" * 5_000,
        "SELECT x" + "[1]" * 5_000,
        "SELECT 1::" + "struct(a " * (MAX_TYPED + 1) + "int" + ")" * (MAX_TYPED + 1),
        "SELECT 1 IN (" + "1," * 20_000 + "1)",
    ],
)
def test_depth_and_repetition_are_refused(sql: str, dialect: str) -> None:
    assert rule(sql, dialect) in ("statement.too_deep", "statement.syntax", "statement.too_long")


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_work_that_doubles_with_every_join_is_refused_in_time(dialect: str) -> None:
    # Twenty joins without ON keep the bare parser busy for ten seconds.
    assert rule("SELECT 1 FROM t" + " JOIN t" * 40, dialect) == "statement.too_deep"


def test_honest_size_is_not_refused() -> None:
    terms = " OR ".join(f"a = {n}" for n in range(120))
    values = ", ".join(str(n) for n in range(3_000))
    assert parse(f"SELECT 1 FROM t WHERE {terms}", "postgres").tree
    assert parse(f"SELECT 1 FROM t WHERE a IN ({values})", "mysql").tree
    assert parse("SELECT 1 FROM a JOIN b JOIN c JOIN d", "mysql").tree


def test_a_thread_with_a_small_stack_parses_like_any_other() -> None:
    depth = MAX_DEPTH - 1
    sql = "SELECT " + "(SELECT " * depth + "1" + ")" * depth
    outcomes: list[str] = []
    before = threading.stack_size(128 * 1024)
    try:
        thread = threading.Thread(target=lambda: outcomes.append(str(parse(sql, "duckdb").dialect)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert outcomes == ["duckdb"]


def test_the_process_lives_through_texts_that_kill_the_bare_parser() -> None:
    texts = [
        "select * from " + "(select * from " * 4_000 + "t" + ")" * 4_000,
        "select 1 from a" + " join a" * 9_000,
        "from " * 13_000 + "t",
        "select 1::" + "struct<a " * 7_000 + "int" + ">" * 7_000,
        "select " + "(" * 60_000,
        "[" * 65_000,
    ]
    script = (
        "import json, sys\n"
        "from guard.classifylines import classify_lines\n"
        "for answer in classify_lines(sys.stdin): print(answer)\n"
    )
    lines = [
        json.dumps({"id": f"{dialect} {n}", "dialect": dialect, "sql": text})
        for dialect in DIALECTS
        for n, text in enumerate(texts)
    ]
    run = subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [a["id"] for a in answers] == [json.loads(line)["id"] for line in lines]
    assert {a["decision"] for a in answers} == {"deny"}


@pytest.mark.parametrize("sql", ['SELECT U&"\\0061" FROM t', 'SELECT 1 FROM t WHERE u&"b" = 1'])
def test_names_written_with_escapes_are_refused(sql: str) -> None:
    assert rule(sql, "postgres") == "statement.escaped_name"
    assert isinstance(parse("SELECT u & b, 'U&\"x\"' FROM t", "postgres").tree, exp.Select)


PIECES = """
SELECT FROM WHERE ( ) [ ] { } , . ; ' " ` -- /* */ # $$ := :: -> => * a t 1 'x' AS JOIN ON UNION
EXPLAIN SHOW DESCRIBE PRAGMA INSERT INTO VALUES CASE WHEN END E'\\'' U&"x" \\N MATCH AGAINST IN NOT
box '1' OPERATOR TABLE BETWEEN AND INTERVAL ROW STRUCT ARRAY MAP LATERAL PIVOT
"""


@given(
    text=st.one_of(
        st.text(max_size=200),
        st.lists(st.sampled_from(PIECES.split()), max_size=30).map(" ".join),
    ),
    dialect=st.sampled_from(DIALECTS),
)
def test_any_text_is_parsed_or_refused_and_nothing_else(text: str, dialect: str) -> None:
    refusal = None
    try:
        parse(text, dialect)
    except Refused as error:
        refusal = error.refusal
    assert refusal is None or (refusal.rule[:10], refusal.reason[-1]) == ("statement.", ".")
