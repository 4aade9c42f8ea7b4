"""Addresses of databases, and the first policy for one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import AuditEvent
from guard.address import FileAddress
from guard.catalog import Catalog, Column, Table
from guard.connect import first_policy, parse_url, source_name
from guard.engines import open_engine
from guard.errors import ConfigurationError
from guard.policyfile import Policy, load_policy, parse_policy
from guard.sampling import sample

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("GATEHOUSE_CASES", "../shared/cases")
CHINOOK = CASES.parent / "data" / "chinook.sqlite"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with one database of each engine in it."""
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as db:
        db.execute("CREATE TABLE t(id integer primary key)")
    with duckdb.connect(str(tmp_path / "lake.duckdb")) as db:
        db.execute("CREATE TABLE t(id integer)")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_three_slashes_are_relative_and_four_absolute(folder: Path) -> None:
    assert parse_url("sqlite:///shop.sqlite") == (
        "sqlite",
        FileAddress(path=folder / "shop.sqlite"),
    )
    assert parse_url(f"sqlite:///{folder}/shop.sqlite") == (
        "sqlite",
        FileAddress(path=folder / "shop.sqlite"),
    )
    assert parse_url("duckdb:///lake.duckdb") == (
        "duckdb",
        FileAddress(path=folder / "lake.duckdb"),
    )
    assert parse_url("SQLite:///./shop.sqlite") == (
        "sqlite",
        FileAddress(path=folder / "shop.sqlite"),
    )


def test_a_path_is_taken_as_it_is_written(folder: Path) -> None:
    odd = folder / "a b%20ü#1.sqlite"
    (folder / "shop.sqlite").rename(odd)

    assert parse_url(f"sqlite:///{odd.name}") == ("sqlite", FileAddress(path=odd))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://localhost/shop", "must name a user and a database"),
        ("postgresql+psycopg://ana@localhost", "must name a user and a database"),
        ("mysql://localhost/shop", "must name a user and a database"),
        ("mariadb:///shop", "must name a user and a database"),
        ("snowflake://x", "Snowflake is not connected yet."),
        ("mongodb://x", "MongoDB is not connected yet."),
        ("shop.sqlite", "That is not the address of a database."),
        ("", "That is not the address of a database."),
        ("https://example.com/shop.sqlite", "That is not the address of a database."),
        ("sqlite+pysqlite:///shop.sqlite", "Leave out the driver: write sqlite:/// and the path."),
        ("sqlite:shop.sqlite", "Write sqlite:/// and then the path"),
        ("sqlite://shop.sqlite", "Write sqlite:/// and then the path"),
        ("sqlite:///", "The address names no file."),
        ("sqlite:///:memory:", "The address names no file."),
        ("sqlite:///shop.sqlite?mode=rwc", "Leave out what follows the question mark"),
        ("sqlite:///shop\x00.sqlite", "The address holds a control character."),
        ("sqlite:///none.sqlite", "There is no file at"),
        ("sqlite:///.", "is not a file."),
        ("duckdb:///shop.sqlite", "is a SQLite file. Write sqlite:/// instead."),
        ("sqlite:///lake.duckdb", "is a DuckDB file. Write duckdb:/// instead."),
        ("sqlite:///notes.txt", "is not a SQLite database, or it is encrypted."),
        ("duckdb:///notes.txt", "is not a DuckDB database, or it is encrypted."),
        ("sqlite:///empty.sqlite", "is empty."),
    ],
)
def test_an_address_that_cannot_be_used_says_why(folder: Path, url: str, sentence: str) -> None:
    (folder / "notes.txt").write_text("milk, bread", encoding="utf-8")
    (folder / "empty.sqlite").touch()

    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter2@db.example",
        "postgresql://ann:hunter2@db.example:hunter2/shop",
        "mysql://ann:hunter2@db.example/shop#1",
        "ann:hunter2@db.example",
        "sqlite://ann:hunter2@db.example/shop",
        "sqlite+hunter2:///x",
        "sqlite:///x?key=hunter2",
        "hunter2\n",
    ],
)
def test_a_refusal_does_not_repeat_what_may_be_a_password(folder: Path, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "name"),
    [("My Shop.sqlite", "my_shop"), ("chinook.sqlite", "chinook"), ("日本.db", "source")],
)
def test_a_source_is_named_after_its_file(file: str, name: str) -> None:
    assert source_name(FileAddress(path=Path(file))) == name


def one_table(*columns: str, name: str = "people") -> Catalog:
    table = Table(
        name=name,
        columns=tuple(Column(name=c, type="TEXT") for c in columns),
        row_estimate=12_345,
    )
    return Catalog(source="s", dialect="sqlite", tables=(table,))


def written(catalog: Catalog, source: str = "s", **samples: list[object]) -> tuple[str, Policy]:
    """The text of a first policy and what `load_policy` makes of it; samples by column."""
    table = catalog.tables[0].name
    values = {(table, column): v for column, v in samples.items()}
    text = first_policy(source, "sqlite", FileAddress(path=Path("/data/s.sqlite")), catalog, values)
    return text, parse_policy(text.encode(), Path("/home/policy.toml"))


def test_a_first_policy_lets_analysts_read_and_nobody_write() -> None:
    _, policy = written(one_table("id", "state"))

    source, role = policy.sources["s"], policy.roles["analysts"]
    assert (source.engine, source.environment, source.writes) == ("sqlite", "production", False)
    assert not source.tags_confirmed
    assert policy.database_of("s", {}) == FileAddress(path=Path("/data/s.sqlite"))
    assert role.members == ("@analyst",)
    assert role.sources["s"].tables == ("people",)
    assert not role.sources["s"].propose
    assert policy.limits == Policy(version=1, sources={}, roles={}).limits


def test_each_suggested_tag_stands_beside_its_reason() -> None:
    mails = [f"person{i}@example.com" for i in range(20)]

    text, policy = written(one_table("id", "email", "contact"), contact=mails)

    assert policy.sources["s"].tags == {
        "people.email": "EMAIL_ADDRESS",
        "people.contact": "EMAIL_ADDRESS",
    }
    reasons = [line.partition("#")[2] for line in text.splitlines() if "EMAIL_ADDRESS" in line]
    assert len(reasons) == 2
    assert all(len(r.split()) > 3 for r in reasons)


def test_prose_is_free_text_and_not_a_tag() -> None:
    prose = [
        f"The parcel came late on day {i}, and nobody was at home to take it." for i in range(9)
    ]

    _, policy = written(one_table("id", "remark"), remark=prose)

    assert policy.sources["s"].free_text == ("people.remark",)
    assert policy.sources["s"].tags == {}


def test_no_sampled_value_gets_into_the_policy() -> None:
    catalog = one_table("email", "notes", "code")

    text, _ = written(
        catalog,
        email=["zqxwvu@example.com"] * 9,
        notes=["Zqxwvu Plimsoll lives in 12 Zqxwvu Street and wants her money back."] * 9,
        code=["zqxwvu", "zqxwvu2"],
    )

    assert "zqxwvu" not in text.casefold()


def test_personal_data_in_a_column_that_cannot_be_tagged_is_hidden() -> None:
    _, policy = written(one_table("id", "home.email"))

    grant = policy.roles["analysts"].sources["s"]
    assert policy.sources["s"].tags == {}
    assert grant.hides("people", "home.email")


def test_a_table_named_like_the_wildcard_is_left_out() -> None:
    star = one_table("id", name="*").tables
    catalog = Catalog(source="s", dialect="sqlite", tables=(*star, *one_table("id").tables))

    text = first_policy("s", "sqlite", FileAddress(path=Path("/s.sqlite")), catalog, {})

    grant = parse_policy(text.encode(), Path("p.toml")).roles["analysts"].sources["s"]
    assert grant.tables == ("people",)


def test_a_database_without_tables_is_refused() -> None:
    empty = Catalog(source="s", dialect="sqlite", tables=())

    with pytest.raises(ConfigurationError, match="has no tables"):
        first_policy("s", "sqlite", FileAddress(path=Path("/s.sqlite")), empty, {})


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="."), min_size=1)


@settings(max_examples=150, deadline=None)
@given(source=names, table=names, column=names)
def test_whatever_the_names_are_the_policy_is_valid_and_means_them(
    source: str, table: str, column: str
) -> None:
    catalog = one_table(column, "email", name=table)

    _, policy = written(catalog, source)

    assert set(policy.sources) == {source}
    assert policy.sources[source].tags[f"{table}.email"] == "EMAIL_ADDRESS"
    assert policy.roles["analysts"].sources[source].tables == ((table,) if table != "*" else ())
    assert catalog.unknown_tags(policy.sources[source].tags) == ()


class Trail:
    """Takes audit events; what they hold is tested where they are made."""

    def append(self, event: AuditEvent) -> None:
        pass


@pytest.mark.skipif(not CHINOOK.exists(), reason="needs chinook.sqlite; set GATEHOUSE_CASES")
def test_a_database_nobody_here_made_gets_a_policy_that_guards_its_people(tmp_path: Path) -> None:
    engine, database = parse_url(f"sqlite:///{CHINOOK.resolve()}")
    with closing(open_engine(engine, database, source="chinook")) as opened:
        catalog = opened.reflect()
        samples = sample(opened, catalog, Trail())

    (tmp_path / "policy.toml").write_text(
        first_policy("chinook", engine, database, catalog, samples), encoding="utf-8"
    )

    policy = load_policy(tmp_path / "policy.toml")
    source = policy.sources["chinook"]
    people = ("FirstName", "LastName", "Address", "Phone", "Fax", "Email")
    assert {f"Customer.{c}" for c in people} <= set(source.tags)
    assert {f"Employee.{c}" for c in (*people, "BirthDate")} <= set(source.tags)
    assert "Invoice.BillingAddress" in source.tags
    plain = ("Artist.Name", "Track.Name", "Genre.Name", "Album.Title", "Customer.Country")
    assert not set(plain) & set(source.tags)
    assert len(policy.roles["analysts"].sources["chinook"].tables) == 11
    assert len(source.starters) == 5
    assert policy.database_of("chinook", {}) == FileAddress(path=CHINOOK.resolve())
