"""What words mean in a database nobody here made: proposed, confirmed as it is, and asked by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Shell
from tests.commands.test_northwind import CONTACT, NORTHWIND, PHONE, pytestmark
from tests.servers import ServerDatabase
from ui.home import open_log

__all__ = ["pytestmark"]

QUESTIONS = Path(__file__).parent / "questions" / "northwind.jsonl"


@pytest.fixture
def trader(
    bare: Shell, postgres: ServerDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """The trader, connected, with what is proposed about its words not confirmed yet."""
    script = NORTHWIND.read_text(encoding="utf-8")
    # A setting that servers of today do not know any more.
    postgres.execute(re.sub(r"(?m)^SET default_with_oids.*$", "", script) + "; ANALYZE")
    said = bare("connect", postgres.url(), "--name", "trader")
    assert said.status == 0, said.err
    policy = bare.home / "policy.toml"
    text = policy.read_text(encoding="utf-8").replace('["@analyst"]', '["@analyst", "@admin"]')
    text += "\n[limits]\ncalls_per_minute = 10000\n"
    policy.write_text(text, encoding="utf-8")
    grants = bare("grants", postgres.url(), "--source", "trader")
    assert grants.status == 0, grants.err
    postgres.execute(grants.out)
    monkeypatch.setenv("GATEHOUSE_TRADER_READ_URL", postgres.url("gatehouse_trader_read"))
    assert bare("init").status == 0
    _people(bare)
    yield bare
    for role in ("gatehouse_trader_read", "gatehouse_trader_write"):
        if postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            postgres.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def _people(bare: Shell) -> None:
    from contextlib import closing

    from store import Store, accounts

    with closing(Store.open(bare.home)) as store, store.write() as conn:
        for name, role in (("ana", "analyst"), ("adam", "admin")):
            accounts.create(
                conn,
                name=name,
                display_name=name.title(),
                roles={role},
                password_hash="unused",
                now=store.now(),
            )


def _report(trader: Shell) -> tuple[dict[str, object], list[str]]:
    said = trader("eval", str(QUESTIONS), "--as", "ana", "--source", "trader", "--json")
    assert said.status == 0, said.err
    asked = said.json["questions"]
    misses = [
        f"{q['verdict']}: {q['question']}: {q['said']} {q['sql']}"
        for q in asked
        if q["verdict"] not in ("right", "refused_rightly")
    ]
    return said.json["report"], misses


def test_the_confirmed_proposal_answers_and_nothing_is_answered_wrongly(trader: Shell) -> None:
    before, misses = _report(trader)
    assert before["wrong"] == 0, misses

    refused = trader("semantics", "confirm", "--source", "trader", "--as", "ana")
    assert refused.status == 1
    assert "needs the admin role" in refused.err
    done = trader("semantics", "confirm", "--source", "trader", "--as", "adam", "--json")
    assert done.status == 0, done.err

    after, misses = _report(trader)
    print(f"without a layer {before['right']}, confirmed {after['right']} of {after['answerable']}")
    print("\n".join(misses))
    assert after["wrong"] == 0, misses
    assert after["refused_rightly"] == after["questions"] - after["answerable"]
    assert after["right"] >= 45, misses

    file = (trader.home / "trader.semantics.toml").read_text(encoding="utf-8")
    assert (
        "order_details.unit_price * order_details.quantity * (1 - order_details.discount)" in file
    )
    with open_log(trader.home) as log:
        trail = "\n".join(str(r.event) for r in log.tail(5_000))
    assert "kind='semantics'" in trail
    for text in (file, trail):
        assert CONTACT not in text
        assert PHONE not in text
