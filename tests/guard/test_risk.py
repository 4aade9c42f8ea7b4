"""The tier of a change follows from what its preview found, with every reason said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from guard.approvalpolicy import Approvals, Tier, Tiers
from guard.catalog import Catalog, Column, Table
from guard.diff import Diff, RowChange, TableDiff
from guard.risk import Risk, assess, dump_reasons, load_reasons
from guard.shapes import Shape, shape_of

CATALOG = Catalog(
    source="shop",
    dialect="sqlite",
    tables=(
        Table(
            name="people",
            kind="table",
            columns=(
                Column(name="id", type="INTEGER", primary_key=True),
                Column(name="email", type="TEXT", tag="EMAIL_ADDRESS"),
                Column(name="country", type="TEXT"),
            ),
        ),
    ),
)
ROW = RowChange(kind="updated", before=(1, "a@x", "DE"), after=(1, "a@x", "FR"))
TABLE = TableDiff(
    table="people",
    columns=("id", "email", "country"),
    primary_key=("id",),
    inserted=0,
    updated=1,
    deleted=0,
    rows=(ROW,),
    before_hash="a",
    after_hash="b",
)
DIFF = Diff(
    tables=(TABLE,), schema_hash="s", undo="exact", undo_notes=(), undo_verified=True, elapsed_us=1
)
UPDATE = shape_of("UPDATE people SET country = 'FR' WHERE id = 1", "sqlite")


def risk(diff: Diff = DIFF, *, shape: Shape | None = UPDATE, **more: object) -> Risk:
    asked: dict[str, object] = {"settings": Approvals(), "environment": "production"} | more
    return assess(diff, catalog=CATALOG, shape=shape, **asked)  # type: ignore[arg-type]


def table(**more: object) -> Diff:
    return replace(DIFF, tables=(replace(TABLE, **more),))


def said(found: Risk) -> str:
    return " ".join(r.text for r in found.reasons)


def test_a_small_exact_change_of_nothing_personal_needs_one_person() -> None:
    found = risk()
    assert (found.tier, found.approvers, found.admins) == (1, 1, 0)
    assert "It touches 1 row, no more than 100." in said(found)
    assert "It is in production." in said(found)


@pytest.mark.parametrize(
    ("diff", "tier", "reason"),
    [
        (table(updated=101), 2, "It touches 101 rows, more than 100."),
        (table(updated=5_001), 3, "more than 5,000."),
        (table(primary_key=()), 2, "people has no primary key."),
        (table(updated=0, deleted=1), 2, "personal data: people.email."),
        (table(updated=0, inserted=1), 2, "personal data: people.email."),
        (
            table(rows=(replace(ROW, after=(1, "b@x", "FR")),)),
            2,
            "personal data: people.email.",
        ),
        (table(table="unknown"), 2, "personal data: unknown.country."),
        (table(decided=("country",)), 2, "open until it runs: people.country."),
        (replace(DIFF, undo="partial"), 2, "not proven"),
        (replace(DIFF, undo_verified=False), 2, "not proven"),
        (replace(DIFF, undo="none"), 3, "It cannot be undone."),
    ],
)
def test_each_thing_that_weighs_raises_the_tier_and_is_said(
    diff: Diff, tier: int, reason: str
) -> None:
    found = risk(diff)
    assert found.tier == tier
    assert reason in said(found)
    assert found.approvers == 2
    assert found.admins == (1 if tier == 3 else 0)


def test_a_column_that_only_a_trigger_leaves_open_does_not_weigh() -> None:
    assert risk(table(decided=("id",))).tier == 1
    everything = shape_of("INSERT INTO people VALUES (1, 'a', 'b')", "sqlite")
    assert risk(table(decided=("id",)), shape=everything).tier == 2


def test_a_row_that_is_not_kept_counts_as_personal() -> None:
    found = risk(table(updated=2))
    assert found.tier == 2
    assert "people.email" in said(found)


def test_a_change_of_the_schema_needs_two_people() -> None:
    assert risk(shape=shape_of("DROP TABLE people", "sqlite")).tier == 2


def test_outside_production_no_tier_is_above_what_the_policy_says() -> None:
    found = risk(replace(DIFF, undo="none"), environment="staging")
    assert (found.tier, found.admins) == (2, 0)
    assert "staging" in said(found)
    lower = Approvals(tiers=Tiers(outside_production=1))
    assert risk(replace(DIFF, undo="none"), environment="staging", settings=lower).tier == 1


def test_the_policy_decides_how_many_people_a_tier_needs() -> None:
    strict = Approvals(
        approvers=2,
        tiers=Tiers(
            one=Tier(approvers=1),
            two=Tier(approvers=3, admins=1),
            three=Tier(approvers=3, admins=2),
        ),
    )
    assert risk(settings=strict).approvers == 2
    found = risk(table(updated=101), settings=strict)
    assert (found.approvers, found.admins) == (3, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"one": {"approvers": 2}, "two": {"approvers": 1}},
        {"two": {"approvers": 1, "admins": 2}},
        {"small_rows": 10, "large_rows": 5},
        {"personal_data": 4},
        {"one": {"approvers": 0}},
        {"unheard": 1},
    ],
)
def test_tiers_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Tiers.model_validate(wrong)


def test_reasons_are_stored_and_read_back() -> None:
    found = risk(table(updated=101))
    assert load_reasons(dump_reasons(found)) == found.reasons
    assert load_reasons(None) == ()
