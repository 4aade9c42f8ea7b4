from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from guard.errors import ConfigurationError
from guard.hours import Hours, said
from guard.policyfile import Policy, parse_policy
from guard.principal import Principal
from guard.rights import reopens, scope_of

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)


def office(hours: str = "08:00-18:00", *days: str) -> Hours:
    found = Hours.of(hours, days or ("mon", "tue", "wed", "thu", "fri"), "Europe/Berlin")  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-06-30T08:00", True),
        ("2026-06-30T07:59:59.999999", False),
        ("2026-06-30T17:59:59", True),
        ("2026-06-30T18:00", False),
        ("2026-06-28T12:00", False),  # a Sunday
    ],
)
def test_the_first_minute_is_inside_and_the_last_is_not(moment: str, is_open: bool) -> None:
    assert office().is_open(at(moment)) is is_open


@pytest.mark.parametrize("day", ["2026-03-27", "2026-03-30", "2026-10-23", "2026-10-26"])
def test_hours_follow_the_clock_on_the_wall_when_it_changes(day: str) -> None:
    assert not office().is_open(at(f"{day}T07:59"))
    assert office().is_open(at(f"{day}T08:00"))


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    night = office("02:00-03:00", "sun")
    assert night.is_open(at("2026-10-25T02:30"))
    assert night.is_open(at("2026-10-25T02:30", fold=1))
    assert not night.is_open(at("2026-10-25T03:00"))


def test_an_opening_that_the_clock_skips_comes_with_the_first_minute_after() -> None:
    early = office("02:30-09:00", "sun")
    opens = early.opens(at("2026-03-29T01:00"))
    assert opens.astimezone(dt.UTC) == at("2026-03-29T03:00")
    assert early.is_open(opens)
    assert not early.is_open(opens.astimezone(dt.UTC) - dt.timedelta(minutes=1))


def test_hours_past_midnight_belong_to_the_day_they_begin_on() -> None:
    night = office("22:00-06:00", "fri")
    assert night.is_open(at("2026-07-03T23:59"))  # Friday
    assert night.is_open(at("2026-07-04T05:59"))
    assert not night.is_open(at("2026-07-04T06:00"))
    assert not night.is_open(at("2026-07-04T22:00"))
    assert not night.is_open(at("2026-07-03T05:00"))


def test_a_day_ends_at_midnight() -> None:
    evening = office("18:00-24:00", "mon")
    assert evening.is_open(at("2026-06-29T23:59:59"))
    assert not evening.is_open(at("2026-06-30T00:00"))


def test_it_says_when_it_opens() -> None:
    assert said(office().opens(at("2026-07-03T18:00"))) == (
        "Monday 6 July 2026, 08:00 (Europe/Berlin)"
    )


POLICY = """
version = 1
[sources.shop]
engine = "sqlite"
environment = "production"
database = "shop.sqlite"
[roles.analysts]
members = ["ana"]
unmasked = ["PERSON"]
[roles.analysts.limits]
display_rows = 5000
[roles.analysts.sources.shop]
tables = ["orders", "customers"]
hours = "08:00-18:00"
days = ["mon", "tue", "wed", "thu", "fri"]
time_zone = "Europe/Berlin"
[roles.always]
members = ["ana"]
[roles.always.sources.shop]
tables = ["orders"]
"""


def policy(text: str = POLICY) -> Policy:
    return parse_policy(text.encode(), Path("policy.toml"))


def ana(moment: dt.datetime | None) -> Principal:
    return Principal(id="a", name="ana", display_name="Ana", roles=frozenset(), at=moment)


def test_outside_its_hours_a_grant_and_what_its_role_may_are_not_there() -> None:
    inside = scope_of(policy(), ana(at("2026-06-30T12:00")), "shop")
    outside = scope_of(policy(), ana(at("2026-06-30T20:00")), "shop")
    assert inside is not None
    assert outside is not None
    assert inside.reads("customers")
    assert not outside.reads("customers")
    assert outside.reads("orders")
    assert inside.unmasked.covers("customers", "name", "PERSON")
    assert not outside.unmasked.covers("customers", "name", "PERSON")
    assert (inside.limits.display_rows, outside.limits.display_rows) == (5000, 1000)


def test_the_same_policy_and_person_have_other_rights_at_another_hour() -> None:
    whole = policy()
    for hour, reads in (("12:00", True), ("20:00", False), ("13:00", True)):
        scope = scope_of(whole, ana(at(f"2026-06-30T{hour}")), "shop")
        assert scope is not None
        assert scope.reads("customers") is reads
        assert scope.at == at(f"2026-06-30T{hour}")


def test_a_moment_nobody_knows_is_outside_hours() -> None:
    scope = scope_of(policy(), ana(None), "shop")
    assert scope is not None
    assert not scope.reads("customers")


def test_a_source_that_hours_alone_keep_away_says_when_it_comes_back() -> None:
    alone = policy(POLICY.partition("[roles.always]")[0])
    night = ana(at("2026-06-30T20:00"))
    assert scope_of(alone, night, "shop") is None
    assert reopens(alone, night, "shop") == (
        "It opens on Wednesday 1 July 2026, 08:00 (Europe/Berlin)."
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('hours = "8-18"', "are no hours"),
        ('hours = "08:00-08:00"', "begin and end at once"),
        ('hours = "08:00-25:00"', "are no hours"),
        ('time_zone = "Berlin"', "is not a time zone"),
        ('days = ["monday"]', "days"),
    ],
)
def test_hours_that_cannot_be_read_are_refused_by_name(line: str, said: str) -> None:
    text = POLICY.partition("hours =")[0] + line + "\n"
    with pytest.raises(ConfigurationError, match=said):
        policy(text)
