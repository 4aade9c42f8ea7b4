"""Which columns of a new source are suggested as personal data."""

from __future__ import annotations

from dataclasses import replace

import pytest

import guard.tagging
from guard.catalog import Catalog, Column, ForeignKey, Table
from guard.tagging import suggested
from redaction import RedactionError


def table(name: str, *columns: tuple[str, str], to: tuple[str, str, str] | None = None) -> Table:
    """A table of (name, type) columns; `to` is (own column, table, column there)."""
    keys = (ForeignKey(columns=to[:1], table=to[1], references=to[2:]),) if to else ()
    own = tuple(Column(name=n, type=t) for n, t in columns)
    return Table(name=name, columns=own, foreign_keys=keys)


def tags(*tables: Table) -> dict[str, str]:
    catalog = Catalog(source="s", dialect="sqlite", tables=tables)
    return {s.key: s.entity for s in suggested(catalog, {})}


USERS = table("users", ("email", "TEXT"))


def test_a_number_that_points_at_a_plain_key_is_no_name() -> None:
    staff = table(
        "employees",
        ("id", "INTEGER"),
        ("reports_to", "INTEGER"),
        to=("reports_to", "employees", "id"),
    )

    assert tags(staff) == {}


def test_what_points_at_personal_data_is_personal_data_through_any_number_of_tables() -> None:
    logins = table("logins", ("account", "TEXT"), to=("account", "users", "email"))
    clicks = table("clicks", ("who", "TEXT"), to=("who", "LOGINS", "ACCOUNT"))

    assert tags(clicks, logins, USERS) == {
        "users.email": "EMAIL_ADDRESS",
        "logins.account": "EMAIL_ADDRESS",
        "clicks.who": "EMAIL_ADDRESS",
    }


def test_a_key_that_points_nowhere_is_judged_by_its_own_name() -> None:
    orphan = table("visits", ("email", "TEXT"), to=("email", "gone", "id"))
    short = replace(USERS, foreign_keys=(ForeignKey(columns=("email",), table="x", references=()),))

    assert tags(orphan) == {"visits.email": "EMAIL_ADDRESS"}
    assert tags(short) == {"users.email": "EMAIL_ADDRESS"}


def test_views_are_left_to_the_tables_behind_them() -> None:
    view = replace(USERS, name="contacts", kind="view")

    assert tags(USERS, view) == {"users.email": "EMAIL_ADDRESS"}


def test_values_that_cannot_be_looked_at_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RedactionError("no")

    monkeypatch.setattr(guard.tagging, "suggest_tag", fail)

    assert tags(table("t", ("a", "BLOB"))) == {"t.a": "MASKED"}
