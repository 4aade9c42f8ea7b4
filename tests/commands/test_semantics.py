"""`gatehouse connect` proposes what words mean, on each engine; no value of a person gets in."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.planner import (
    Evidence,
    items_of,
    load_semantics,
    parse_semantics,
    propose_semantics,
    write_semantics,
)
from agent.planner.semantics import Semantics, is_settled
from guard import Catalog, Column, ForeignKey, Table
from tests.commands.conftest import Shell
from tests.servers import ServerDatabase
from ui.home import open_log

NAMES = ("Zyrkonia Vandersteen", "Bartholomew Quixley", "Ottoline Featherby", "Maria Schmidt")
EMAILS = tuple(f"{n.split()[0].lower()}@mail.example" for n in NAMES)
NOTES = "My name is Zyrkonia Vandersteen, call me at +49 30 1234567 about the last order please."

TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, full_name VARCHAR(80), email VARCHAR(80),
  country VARCHAR(40));
CREATE TABLE purchase_orders (id INTEGER PRIMARY KEY, customer_id INTEGER, status VARCHAR(20),
  ordered_on DATE, note VARCHAR(300));
CREATE TABLE purchase_lines (id INTEGER PRIMARY KEY, purchase_order_id INTEGER, quantity INTEGER,
  unit_price DECIMAL(10, 2), discount DECIMAL(4, 2), warehouse_id INTEGER);
CREATE TABLE warehouses (id INTEGER PRIMARY KEY, name VARCHAR(40))
"""


def statements(*, discount: str = "0.1") -> list[str]:
    made = [t.strip() for t in TABLES.split(";")]
    for n, (name, email) in enumerate(zip(NAMES, EMAILS, strict=True)):
        land = ("USA", "Spain")[n % 2]
        state = ("shipped", "Cancelled", "open", "open")[n]
        made += [
            f"INSERT INTO customers VALUES ({n}, '{name}', '{email}', '{land}')",
            f"INSERT INTO purchase_orders VALUES ({n}, {n}, '{state}', '2026-01-0{n + 1}', "
            f"'{NOTES}')",
            # Warehouse 9 is not there, so the guess that this is a key is wrong.
            f"INSERT INTO purchase_lines VALUES ({n}, {n}, 2, 9.5, {discount}, 9)",
        ]
    return [*made, "INSERT INTO warehouses VALUES (1, 'North')"]


def sqlite_url(folder: Path, sql: list[str]) -> str:
    with sqlite3.connect(folder / "shop.sqlite") as db:
        for one in sql:
            db.execute(one)
    db.close()
    return f"sqlite:///{folder / 'shop.sqlite'}"


def duckdb_url(folder: Path, sql: list[str]) -> str:
    with duckdb.connect(str(folder / "shop.duckdb")) as db:
        for one in sql:
            db.execute(one)
    return f"duckdb:///{folder / 'shop.duckdb'}"


def check(shell: Shell, url: str) -> None:
    said = shell("connect", url, "--name", "shop")
    assert said.status == 0, said.err
    assert "until then nothing reads them" in said.out
    file = shell.home / "shop.semantics.toml"
    text, layer = file.read_text(encoding="utf-8"), load_semantics(file)
    assert not layer.confirmed

    line = layer.metrics["sales"].by[-1]
    assert line.table == "purchase_lines"
    assert line.of == (
        "purchase_lines.unit_price * purchase_lines.quantity * (1 - purchase_lines.discount)"
    )
    assert [(t.column, t.not_) for t in line.where] == [("purchase_orders.status", ("Cancelled",))]
    assert {(j.column, j.references) for j in layer.joins} == {
        ("purchase_orders.customer_id", "customers.id"),
        ("purchase_lines.purchase_order_id", "purchase_orders.id"),
    }
    assert layer.columns["customers.country"].values["United States"] == "USA"
    assert layer.tables["purchase_orders"].date == "ordered_on"

    with open_log(shell.home) as log:
        trail = "\n".join(str(r.event) for r in log.tail(500))
    for canary in (*NAMES, *EMAILS, "1234567", "Featherby", "shipped", "Spain", "North"):
        assert canary not in text
        assert canary not in trail
    assert "kind='semantics'" in trail


@pytest.mark.parametrize("engine", [sqlite_url, duckdb_url])
def test_promise_08_no_value_of_a_person_gets_into_a_proposal(
    bare: Shell, tmp_path: Path, engine: Callable[[Path, list[str]], str]
) -> None:
    check(bare, engine(tmp_path, statements()))


def test_it_is_proposed_on_postgresql(bare: Shell, postgres: ServerDatabase) -> None:
    postgres.execute("; ".join(statements()))
    check(bare, postgres.url())


def test_it_is_proposed_on_mariadb(bare: Shell, mariadb: ServerDatabase) -> None:
    for one in statements():
        mariadb.execute(one)
    check(bare, mariadb.url())


@pytest.mark.parametrize("discount", ["10", "-0.1", "NULL"])
def test_no_sales_are_proposed_where_a_discount_is_no_fraction(
    bare: Shell, tmp_path: Path, discount: str
) -> None:
    said = bare("connect", sqlite_url(tmp_path, statements(discount=discount)))
    assert said.status == 0, said.err
    assert load_semantics(bare.home / "shop.semantics.toml").metrics == {}


def test_a_file_that_is_there_stays_as_it_is(bare: Shell, tmp_path: Path) -> None:
    bare.home.mkdir()
    file = bare.home / "shop.semantics.toml"
    file.write_text("# mine\n", encoding="utf-8")
    said = bare("connect", sqlite_url(tmp_path, statements()))
    assert "stays as it is" in said.out
    assert file.read_text(encoding="utf-8") == "# mine\n"


def test_names_that_a_layer_cannot_spell_are_left_out() -> None:
    key = Column(name="id", type="integer", primary_key=True)
    odd = (key, Column(name="unit price", type="real"), Column(name="a.b", type="date"))
    tables = (
        Table(name="Order Details", columns=odd),
        Table(name="crm.leads", columns=odd),
        Table(name="orders", columns=(*odd, Column(name="lead_id", type="integer"))),
    )
    catalog = Catalog(source="x", dialect="sqlite", tables=tables)
    assert {i.name for i in items_of(propose_semantics(catalog))} <= {"orders"}


words = st.text(min_size=1, max_size=12).filter(lambda word: not is_settled(word))


@given(
    word=words,
    other=words,
    kind=st.sampled_from(["sum", "avg", "count"]),
    confirmed=st.booleans(),
)
def test_what_is_written_is_read_back_the_same(
    word: str, other: str, kind: str, confirmed: bool
) -> None:
    layer = Semantics.model_validate(
        {
            "confirmed": confirmed,
            "tables": {word: {"synonyms": [other], "date": word}},
            "columns": {"a.b": {"values": {word: other}, "aggregate": "avg"}},
            "metrics": {
                word: {
                    "aggregate": kind,
                    "note": other,
                    "by": [
                        {
                            "table": "a",
                            "of": "a.b * a.c",
                            "where": [{"column": "a.b", "is": [word]}],
                        }
                    ],
                }
            },
            "durations": {word: {"start": "a.b", "end": "a.c", "synonyms": [other]}},
            "roles": [{"column": "a.b", "name": [word]}],
            "joins": [{"column": "a.b", "references": "c.d"}],
            "phrases": {f"a {word}": f"b {other}"},
        }
    )
    assert parse_semantics(write_semantics(layer, (word, other)), "test") == layer


@given(values=st.lists(st.text(min_size=1, max_size=20), max_size=8))
def test_only_words_of_our_own_list_get_from_the_rows_into_a_proposal(values: list[str]) -> None:
    def number(name: str, *, key: bool = False) -> Column:
        return Column(name=name, type="integer", primary_key=key)

    text = [Column(name=n, type="text") for n in ("status", "country", "title", "state")]
    head = Table(
        name="orders", columns=(number("id", key=True), *text, Column(name="d", type="date"))
    )
    to_head = ForeignKey(columns=("order_id",), table="orders", references=("id",))
    line = Table(
        name="order_lines",
        columns=(number("id", key=True), number("order_id"), number("quantity"), number("price")),
        foreign_keys=(to_head,),
    )
    catalog = Catalog(source="x", dialect="sqlite", tables=(head, line))
    told = {("orders", c.name): tuple(values) for c in text}
    empty = write_semantics(propose_semantics(catalog))
    ours = {"cancelled", "canceled", "void", "voided", "usa", "us", "uk", "gb", "uae"}
    if not any(v.casefold().strip() in ours for v in values):
        assert write_semantics(propose_semantics(catalog, Evidence(values=told))) == empty


@pytest.mark.parametrize("name", ["not_id", "no_id", "over", "at_least_id", "or"])
def test_a_key_called_like_a_word_of_every_question_is_no_role(name: str) -> None:
    key = Column(name="id", type="integer", primary_key=True)
    people = Table(name="people", columns=(key,))
    to_people = ForeignKey(columns=(name,), table="people", references=("id",))
    cases = Table(
        name="cases",
        columns=(key, Column(name=name, type="integer")),
        foreign_keys=(to_people,),
    )
    catalog = Catalog(source="x", dialect="sqlite", tables=(people, cases))
    assert propose_semantics(catalog).roles == ()
