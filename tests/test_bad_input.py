"""Bad input: a sentence that names what and what to do, nothing half done, and the next call works.

What is not on the path of a statement (a port in use, bad lines, bad commands) is in
tests/commands.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guard import GuardError, Refused, SourceUnavailable
from store import Store, StoreError
from store.schema import policy_versions
from store.states import TurnKind
from tests.commands.conftest import Shell, bare, shell
from tests.company import POLICY, Company, make_company
from ui.parts import open_parts

__all__ = ["bare", "shell"]  # fixtures, used by name

GOOD = "SELECT count(*) AS n FROM orders"
MEGABYTE = 1_000_000


@pytest.fixture
def still_works(company: Company) -> Iterator[Callable[[], None]]:
    """Checks that the next call is answered, and at the end that nothing was changed."""
    before = company.content()

    def check() -> None:
        result = company.parts.gate.query(GOOD, source="shop", caller=company.caller("ana"))
        assert result.rows() == [[4]]

    yield check
    assert company.content() == before
    assert list(company.parts.review.inbox.cards(company.caller("rita"))) == []


STATEMENTS = {
    "unparseable": ("SELECT id FROM orders WHERE (", "statement.syntax", "Check its syntax"),
    "no SQL": ("the quick brown fox", "statement.", "."),
    "a quote that never ends": ("SELECT 'abc", "statement.syntax", "a quote that never ends"),
    "nothing": (" ; ", "statement.empty", "no statement"),
    "several": ("SELECT 1; DELETE FROM orders", "statement.several", "one at a time"),
    "a megabyte of names": ("SELECT " + "a" * MEGABYTE, "statement.too_long", "Shorten it"),
    "a megabyte of values": (
        "DELETE FROM orders WHERE status IN ('x'" + ",'x'" * (MEGABYTE // 4) + ")",
        "statement.too_long",
        "Shorten it",
    ),
    "10,000 brackets": (
        "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
        "statement.too_deep",
        "Split it",
    ),
    "10,000 nots": ("SELECT " + "NOT " * 10_000 + "1", "statement.too_deep", "Split it"),
    "10,000 signs": ("SELECT " + "- " * 10_000 + "1", "statement.too_deep", "Split it"),
    "2,000 subqueries": (
        "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "orders" + ")" * 2_000,
        "statement.too_deep",
        "Split it",
    ),
    "NUL": ("SELECT id FROM orders\0; DELETE FROM orders", "statement.character", "control"),
    "NUL in a text": ("SELECT '\0'", "statement.character", "control"),
    "half a character": ("SELECT '\ud800'", "statement.character", "Unicode"),
    "an unknown table": ("SELECT * FROM cellar", "table.not_allowed", "cellar is not a table"),
    "a table out of scope": (
        "SELECT * FROM salaries",
        "table.not_allowed",
        "salaries is not a table",
    ),
    "an unknown column": ("SELECT nope FROM orders", "column.not_allowed", "nope is not a column"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_promise_02_a_bad_statement_is_refused_in_a_sentence(
    name: str, company: Company, still_works: Callable[[], None]
) -> None:
    sql, rule, words = STATEMENTS[name]
    gate, ana = company.parts.gate, company.caller("ana")
    with pytest.raises(Refused) as read:
        gate.query(sql, source="shop", caller=ana)
    with pytest.raises(Refused) as written:
        gate.propose(sql, source="shop", caller=ana, reason="test")
    assert read.value.refusal == written.value.refusal
    refusal = read.value.refusal
    assert rule in refusal.rule
    assert words in refusal.reason
    assert refusal.reason.endswith(".")
    assert len(refusal.reason) < 300
    for record in company.log.tail(2):
        assert (record.event.type, record.event.outcome) == ("policy.decided", "denied")
        assert len(record.line) < 20_000
    still_works()


@pytest.mark.parametrize("text", ["", "\0", "x" * MEGABYTE, "(" * 10_000, "🂡" * 1_000])
def test_a_bad_text_ends_its_turn_with_a_sentence(
    text: str, company: Company, still_works: Callable[[], None]
) -> None:
    conversation, ana = company.conversation(), company.caller("ana")
    kinds: tuple[TurnKind, ...] = ("question", "sql", "change")
    for kind in kinds:
        _, answer = company.parts.runs.run(
            text, conversation=conversation, caller=ana, kind=kind, reason="test"
        )
        assert answer.status in {"refused", "asked_back", "failed"}
        assert answer.text.strip()
        assert "our side" not in answer.text
    still_works()


def test_a_missing_database_is_named_and_its_return_is_noticed(company: Company) -> None:
    ana, away = company.caller("ana"), company.home / "away.sqlite"
    assert company.parts.gate.query(GOOD, source="shop", caller=ana).rows() == [[4]]
    company.parts.sources.close()
    company.database.rename(away)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="The database file of shop is not there"):
            company.parts.gate.query(GOOD, source="shop", caller=ana)
    assert not company.database.exists()
    _, answer = company.ask("how many orders are there?")
    assert answer.status == "failed"
    assert "shop is not there" in answer.text
    away.rename(company.database)
    assert company.parts.gate.query(GOOD, source="shop", caller=ana).rows() == [[4]]


def test_a_database_that_goes_while_it_is_open_is_never_made_anew(company: Company) -> None:
    ana, away = company.caller("ana"), company.home / "away.sqlite"
    company.parts.gate.query(GOOD, source="shop", caller=ana)
    company.database.rename(away)
    with pytest.raises(GuardError):
        company.parts.gate.propose(
            "UPDATE orders SET status = 'x' WHERE id = 1", source="shop", caller=ana, reason="t"
        )
    assert not company.database.exists()
    away.rename(company.database)
    assert company.parts.gate.query(GOOD, source="shop", caller=ana).rows() == [[4]]


@pytest.mark.parametrize(
    "content", [b"", b"dear diary", b"SQLite format 3\0" + b"\xff" * 4_096], ids=["0", "text", "x"]
)
def test_a_file_that_is_no_database_is_named(content: bytes, company: Company) -> None:
    ana, kept = company.caller("ana"), company.database.read_bytes()
    company.database.write_bytes(content)
    with pytest.raises(GuardError) as caught:
        company.parts.gate.query(GOOD, source="shop", caller=ana)
    assert "shop" in str(caught.value)
    assert company.database.read_bytes() == content
    company.parts.sources.close()
    company.database.write_bytes(kept)
    company.parts.sources.get("shop").refresh()
    assert company.parts.gate.query(GOOD, source="shop", caller=ana).rows() == [[4]]


def test_a_locked_database_is_named_and_read_again_when_it_is_free(company: Company) -> None:
    ana = company.caller("ana")
    with closing(sqlite3.connect(company.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceUnavailable, match="shop is being changed right now"):
            company.parts.gate.query(GOOD, source="shop", caller=ana)
        other.execute("ROLLBACK")
    assert company.parts.gate.query(GOOD, source="shop", caller=ana).rows() == [[4]]


# On the command line ------------------------------------------------------------------------------

ASK = ("query", "--source", "shop", "--as", "ana", "--json", GOOD)


def works_again(shell: Shell) -> None:
    """The next command is answered."""
    said = shell(*ASK)
    assert (said.status, said.json["rows"]) == (0, [[4]]), said.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "There is no policy file at"),
        ("version = ", "is not valid TOML"),
        ("", "the key version is missing"),
        (POLICY.replace("database =", "databse ="), "unknown key sources.shop.databse"),
        (POLICY.replace("customers.email", "customers.emial"), "customers.emial"),
    ],
)
def test_a_missing_or_broken_policy_is_named_at_the_first_start(
    shell: Shell, text: str | None, words: str
) -> None:
    policy = shell.home / "policy.toml"
    store = Store.open(shell.home)
    with store.write() as conn:
        conn.execute(policy_versions.delete())
    store.close()
    policy.unlink()
    if text is not None:
        policy.write_text(text, encoding="utf-8")
    said = shell(*ASK)
    assert said.status == 1
    assert words in said.err
    assert said.out == ""
    policy.write_text(POLICY, encoding="utf-8")
    assert shell("policy", "activate").status == 0
    works_again(shell)


def test_a_store_from_a_newer_version_is_named_and_left_alone(shell: Shell) -> None:
    store = shell.home / "state.sqlite"

    def revise(to: str) -> str:
        with closing(sqlite3.connect(store)) as db, db:
            (was,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
            db.execute("UPDATE alembic_version SET version_num = ?", (to,))
        return str(was)

    known = revise("9999")
    for command in (ASK, ("init",), ("people", "list"), ("doctor",)):
        said = shell(*command)
        assert said.status == 1
        assert "is from a newer version of Gatehouse" in said.err
    assert revise(known) == "9999"
    works_again(shell)


@pytest.mark.parametrize("command", [("init",), ("connect", "sqlite:///{database}"), ASK])
def test_a_home_that_cannot_be_written_is_named(
    command: tuple[str, ...], shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "home", Path("/proc/gatehouse-home")):
        with monkeypatch.context() as patch:
            patch.setenv("GATEHOUSE_HOME", str(home))
            said = shell(*(a.format(database=shell.home / "shop.sqlite") for a in command))
        assert said.status == 1
        assert str(home) in said.err.replace("\n", "")
    works_again(shell)


def test_an_unknown_model_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gpt", "openai:", "martian:m1", "https://", "http:///v1#m", "offline:1"):
        monkeypatch.setenv("GATEHOUSE_MODEL", name)
        said = shell(*ASK)
        assert said.status == 1
        assert f"GATEHOUSE_MODEL is {name!r}. Use offline," in said.err
    monkeypatch.delenv("GATEHOUSE_MODEL")
    works_again(shell)


def test_a_model_without_its_key_is_named_and_sql_works_without_it(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for provider, key in (("anthropic", "ANTHROPIC_API_KEY"), ("openai", "OPENAI_API_KEY")):
        monkeypatch.setenv("GATEHOUSE_MODEL", f"{provider}:some-model")
        monkeypatch.delenv(key, raising=False)
        said = shell("ask", "--source", "shop", "--as", "ana", "--json", "how many orders?")
        assert said.status == 1
        assert said.json["status"] == "failed"
        assert f"needs the environment variable {key}. Set it" in str(said.json["text"])
        works_again(shell)


@pytest.mark.parametrize("text", ["tables = [", "colour = 'red'\n", "\udcff"])
def test_a_broken_vocabulary_is_named(shell: Shell, text: str) -> None:
    file = shell.home / "shop.semantics.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    said = shell("ask", "--source", "shop", "--as", "ana", "--json", "how many orders are there?")
    assert said.status == 1
    assert said.json["status"] == "failed"
    assert "shop.semantics.toml" in str(said.json["text"])
    works_again(shell)
    file.unlink()
    said = shell("ask", "--source", "shop", "--as", "ana", "--json", "how many orders are there?")
    assert (said.status, said.json["rows"]) == (0, [[4]])


def test_a_policy_file_that_breaks_later_is_named_and_not_used(company: Company) -> None:
    (company.home / "policy.toml").write_text("version = ", encoding="utf-8")
    again = open_parts(company.home, company.store, company.log, {})
    assert "is not valid TOML" in (again.governing.on_disk().problem or "")
    again.close()
    result = company.parts.gate.query(GOOD, source="shop", caller=company.caller("ana"))
    assert result.rows() == [[4]]


def test_a_store_that_is_no_store_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_company(home).close()
    (home / "state.sqlite").write_bytes(b"dear diary")
    with pytest.raises(StoreError, match="is not a Gatehouse store"):
        Store.open(home)
    assert (home / "state.sqlite").read_bytes() == b"dear diary"
