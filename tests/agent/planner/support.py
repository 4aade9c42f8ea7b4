"""Databases, vocabularies and the scorer for questions."""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from agent.evaluation import same_rows
from agent.planner import (
    Answer,
    AskBack,
    Evidence,
    NotUnderstood,
    Plan,
    Semantics,
    Vocabulary,
    load_semantics,
    plan,
    propose_semantics,
)
from guard import Catalog, Column, ForeignKey, Table

ROOT = Path(__file__).resolve().parents[3]
CASES = Path(os.environ.get("GATEHOUSE_CASES", ROOT.parent / "shared" / "cases"))
CHINOOK = CASES.parent / "data" / "chinook.sqlite"
SHOP_TODAY = dt.date(2026, 6, 30)
CHINOOK_TODAY = dt.date(2025, 12, 22)

SHOP_TAGS = {
    "customers.first_name": "PERSON",
    "customers.last_name": "PERSON",
    "customers.email": "EMAIL_ADDRESS",
    "customers.phone": "PHONE_NUMBER",
    "customers.birth_date": "DATE_OF_BIRTH",
    "customers.national_id": "NATIONAL_ID",
    "customers.address": "LOCATION",
    "customers.postcode": "LOCATION",
    "payment_cards.holder": "PERSON",
    "payment_cards.card_number": "CREDIT_CARD",
    "employees.first_name": "PERSON",
    "employees.last_name": "PERSON",
    "employees.email": "EMAIL_ADDRESS",
}
SHOP_LOOKUPS = frozenset(
    {("customers", "first_name"), ("customers", "last_name"), ("customers", "email")}
)
CHINOOK_TAGS = {
    f"{table}.{column}": "PERSON"
    for table in ("Customer", "Employee")
    for column in ("FirstName", "LastName", "Email", "Phone", "Fax", "Address", "PostalCode")
} | {"Employee.BirthDate": "DATE_OF_BIRTH"}
CHINOOK_LOOKUPS = frozenset(
    {
        ("Customer", "FirstName"),
        ("Customer", "LastName"),
        ("Employee", "FirstName"),
        ("Employee", "LastName"),
    }
)
FREE_TEXT = {("support_tickets", "subject"), ("support_tickets", "body")}


def reflect(db: sqlite3.Connection, source: str) -> Catalog:
    """Returns the catalog of a SQLite database."""
    names = [
        r[0]
        for r in db.execute(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite%'"
        )
    ]
    return Catalog(source=source, dialect="sqlite", tables=tuple(_table(db, n) for n in names))


def _table(db: sqlite3.Connection, name: str) -> Table:
    columns = tuple(
        Column(name=c, type=t, nullable=not notnull, primary_key=bool(pk))
        for _, c, t, notnull, _, pk in db.execute(f"pragma table_info([{name}])")
    )
    grouped: dict[int, list[tuple[str, str, str]]] = {}
    for number, _, target, own, referred, *_ in db.execute(f"pragma foreign_key_list([{name}])"):
        grouped.setdefault(number, []).append((target, own, referred))
    keys = tuple(
        ForeignKey(
            columns=tuple(k[1] for k in key), table=key[0][0], references=tuple(k[2] for k in key)
        )
        for key in grouped.values()
    )
    return Table(name=name, columns=columns, foreign_keys=keys)


def values_of(db: sqlite3.Connection, catalog: Catalog) -> dict[tuple[str, str], tuple[str, ...]]:
    """Returns the distinct values of text columns without a tag, up to 5,000 a column."""
    found = {}
    for table in catalog.tables:
        for column in table.columns:
            text = any(t in column.type.casefold() for t in ("char", "text"))
            if not text or column.tag or (table.name, column.name) in FREE_TEXT:
                continue
            rows = db.execute(f"select distinct [{column.name}] from [{table.name}] limit 5001")
            listed = tuple(r[0] for r in rows if r[0] is not None)
            if len(listed) <= 5_000:
                found[table.name, column.name] = listed
    return found


def shop_vocabulary(path: Path) -> Vocabulary:
    """Returns what an admin may ask of the demo shop."""
    with closing(sqlite3.connect(path)) as db:
        catalog = reflect(db, "shop").tagged(SHOP_TAGS)
        values = values_of(db, catalog)
    return Vocabulary(
        catalog=catalog,
        values=values,
        today=SHOP_TODAY,
        dialect="sqlite",
        semantics=load_semantics(ROOT / "demo" / "shop.semantics.toml"),
        lookups=SHOP_LOOKUPS,
    )


def chinook_vocabulary(path: Path = CHINOOK) -> Vocabulary:
    """Returns what may be asked of Chinook with the proposed semantic layer only."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        catalog = reflect(db, "chinook").tagged(CHINOOK_TAGS)
        values = values_of(db, catalog)
    return Vocabulary(
        catalog=catalog,
        values=values,
        today=CHINOOK_TODAY,
        dialect="sqlite",
        semantics=propose_semantics(catalog, Evidence(values=values)),
        lookups=CHINOOK_LOOKUPS,
    )


def bare(vocabulary: Vocabulary) -> Vocabulary:
    """Returns the vocabulary without any semantic layer."""
    return replace(vocabulary, semantics=Semantics())


@dataclass(frozen=True)
class Case:
    """A question, its intent and the SQL that answers it, None where nothing may."""

    db: str
    intent: str
    question: str
    sql: str | None


def own_cases(folder: Path | None = None) -> list[Case]:
    """Returns the questions beside this file."""
    files = sorted((folder or Path(__file__).parent / "questions").glob("*.sql"))
    return [case for file in files for case in _blocks(file)]


def _blocks(file: Path) -> Iterable[Case]:
    db = file.stem.split("_")[0]
    for block in file.read_text("utf-8").split("\n\n"):
        lines = block.strip().splitlines()
        if len(lines) < 2 or lines[-1].startswith("--"):
            continue
        intent, _, question = lines[0].removeprefix("-- ").partition(": ")
        sql = "\n".join(lines[1:]).rstrip().removesuffix(";")
        yield Case(db, intent, question, None if sql == "null" else sql)


def shared_cases() -> list[Case]:
    """Returns the questions kept outside the project."""
    path = CASES / "questions" / "dev.jsonl"
    records = (json.loads(line) for line in path.read_text("utf-8").splitlines() if line)
    names = {"retail": "shop"}
    return [Case(names.get(r["db"], r["db"]), r["tag"], r["question"], r["sql"]) for r in records]


Verdict = Literal["right", "wrong", "refused", "asked", "rightly refused", "error"]


def judge(case: Case, vocabulary: Vocabulary, db: sqlite3.Connection) -> tuple[Verdict, Answer]:
    """Returns whether the plan gives the rows of the reference."""
    answer = plan(case.question, vocabulary)
    if not isinstance(answer, Plan):
        if case.sql is None:
            return "rightly refused", answer
        return ("asked" if isinstance(answer, AskBack) else "refused"), answer
    if case.sql is None:
        return "wrong", answer
    try:
        predicted = db.execute(answer.sql).fetchall()
    except sqlite3.Error:
        return "error", answer
    reference = db.execute(case.sql).fetchall()
    return ("right" if same_rows(reference, predicted) else "wrong"), answer


def explain(answer: Answer) -> str:
    """Returns an answer as text for a failing test."""
    match answer:
        case Plan():
            return f"{answer.interpretation}\n{answer.sql}"
        case NotUnderstood():
            return f"refused: {answer.reason} unknown={answer.unknown}"
        case AskBack():
            return f"asked: {answer.question} {[o.question for o in answer.options]}"
        case _:
            return answer.sql
