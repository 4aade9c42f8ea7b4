"""Query templates and tools in two policies compared, and recorded calls of them judged again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import TemplateCall
from guard.policydiff import Effect, Meaning, meanings
from guard.replay import Flip, Replay
from tests.company import Company, make_company
from tests.guard.test_templates import WITH

ANALYSTS = ("adam", "ana", "rita", "rob")
EVERYBODY = (*ANALYSTS[:2], "gerd", *ANALYSTS[2:])
GERD = ("gerd",)
HELD = ('members = ["gerd"]', 'members = ["gerd"]\ntools = ["orders_of", "list_tables"]')
BY_COUNTRY = WITH[WITH.index("[templates.by_country]") :]
Edit = tuple[str, str]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Company]:
    made = make_company(tmp_path / "home", WITH)
    yield made
    made.close()


def edited(*edits: Edit) -> str:
    text = WITH
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def compared(shop: Company, *edits: Edit) -> tuple[Meaning, ...]:
    parts = shop.parts
    return meanings(
        parts.policy,
        parts.governing.parsed(edited(*edits)),
        [shop.person(n) for n in ("ana", "gerd", "rita", "rob", "adam", "nobody")],
        lambda source: parts.sources.get(source).catalog(),
    )


def said(effect: Effect, what: str, *people: str) -> Meaning:
    return Meaning(effect=effect, people=people, what=what)


CASES: tuple[tuple[str, tuple[Edit, ...], tuple[Meaning, ...]], ...] = (
    (
        "a template is taken away",
        ((BY_COUNTRY, ""),),
        (
            said("loses", "the template by_country in shop", *EVERYBODY),
            said(
                "changes",
                "template by_country is gone: no form, no agent and no command can run it any more",
            ),
        ),
    ),
    (
        "a template comes",
        (
            (
                "[templates.pay]",
                '[templates.ticket_of]\nsource = "shop"\ndescription = "x"\nsql = "SELECT body '
                'FROM tickets WHERE id = :id"\nroles = ["germans"]\n'
                'arguments.id = { type = "int", min = 1, max = 9 }\n[templates.pay]',
            ),
        ),
        (
            said("gains", "the template ticket_of in shop", *GERD),
            said(
                "changes", "template ticket_of is new: read, on tickets in shop, takes id (1 to 9)"
            ),
        ),
    ),
    (
        "another statement on other tables",
        (
            (
                "SELECT id, email FROM customers WHERE country",
                "SELECT id, body FROM tickets WHERE body",
            ),
        ),
        (
            said(
                "changes",
                "template by_country sends another statement: now on tickets; no more on customers",
            ),
        ),
    ),
    (
        "another statement on the same table",
        (("SELECT id, email FROM customers", "SELECT id FROM customers"),),
        (
            said(
                "changes",
                "template by_country sends another statement: on the same tables, customers",
            ),
        ),
    ),
    (
        "a wider range, and a rate that goes",
        (
            ('least = { type = "decimal", min = 0', 'least = { type = "decimal", min = -5'),
            ("calls_per_minute = 3\n", ""),
        ),
        (
            said("changes", "templates.orders_of.arguments.least.min: 0 to -5"),
            said("changes", "templates.orders_of.calls_per_minute: 3 to nothing"),
        ),
    ),
    (
        "another effect",
        (
            (
                '"UPDATE orders SET status = :status WHERE id = :id"',
                '"DELETE FROM orders WHERE status = :status AND id = :id"',
            ),
            ('effect = "write"', 'effect = "destructive"'),
        ),
        (
            said(
                "changes",
                "template close_order sends another statement: on the same tables, orders",
            ),
            said("changes", "template close_order is destructive now, was write"),
        ),
    ),
    (
        "a template for fewer roles",
        (
            (
                'roles = ["analysts", "germans"]\ncalls_per_minute',
                'roles = ["analysts"]\ncalls_per_minute',
            ),
        ),
        (
            said("loses", "the template orders_of in shop", *GERD),
            said("changes", "templates.orders_of.roles: ['analysts', 'germans'] to ['analysts']"),
        ),
    ),
    (
        "a role held to some tools",
        (HELD,),
        tuple(
            said("loses", f"the {what} in shop", *GERD)
            for what in (
                "template by_country",
                "tool describe_table",
                "tool make_chart",
                "tool propose_change",
                "tool run_query",
            )
        ),
    ),
    (
        "a source is lost, and its templates with it, not the tools",
        (('members = ["gerd"]', "members = []"),),
        (
            said("loses", "the source shop", *GERD),
            said("loses", "the template by_country in shop", *GERD),
            said("loses", "the template orders_of in shop", *GERD),
        ),
    ),
)


@pytest.mark.parametrize(("edits", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_change_of_tools_is_told_as_what_it_means(
    shop: Company, edits: tuple[Edit, ...], wanted: tuple[Meaning, ...]
) -> None:
    found = [m for m in compared(shop, *edits) if m.effect == "changes" or _tool(m) or _source(m)]
    assert sorted(found, key=str) == sorted(wanted, key=str)


def _tool(meaning: Meaning) -> bool:
    return meaning.what.startswith(("the tool", "the template"))


def _source(meaning: Meaning) -> bool:
    return meaning.what.startswith("the source")


def recorded(shop: Company) -> None:
    """Calls of templates by the agent's way and by form, and typed SQL."""
    for name, person, arguments in (
        ("by_country", "ana", {"country": "Spain"}),
        ("by_country", "gerd", {"country": "Germany"}),
        ("orders_of", "gerd", {"customer_id": 2, "least": "0"}),
        ("close_order", "ana", {"id": 2, "status": "cancelled"}),
    ):
        shop.parts.runs.run(
            TemplateCall(template=name, arguments=arguments).text(),
            conversation=shop.conversation(person),
            caller=shop.caller(person, "sql"),
            kind="template",
            reason="A test",
        )
    shop.parts.runs.run(
        "SELECT count(*) FROM orders",
        conversation=shop.conversation("gerd"),
        caller=shop.caller("gerd", "sql"),
        kind="sql",
    )


def replayed(shop: Company, *edits: Edit) -> Replay:
    return shop.parts.replayer.run(shop.parts.governing.parsed(edited(*edits)), last=100)


def flipped(shop: Company, *edits: Edit) -> set[tuple[str, str, str, str]]:
    return {(f.person, f.turned, f.after, f.example) for f in replayed(shop, *edits).flips}


SPAIN = "by_country: SELECT id , email FROM customers WHERE country = ?"


def test_a_replay_makes_recorded_calls_of_templates_again(shop: Company) -> None:
    recorded(shop)
    same = replayed(shop, ("version = 1", "version = 1\n"))
    assert (same.recorded, same.judged, same.skipped, same.flips) == (5, 5, (), ())
    assert flipped(shop, (BY_COUNTRY, "")) == {
        ("ana", "allowed to denied", "template.unknown", SPAIN),
        ("gerd", "allowed to denied", "template.unknown", SPAIN),
    }
    assert flipped(shop, HELD) == {
        ("gerd", "allowed to denied", "template.unknown", SPAIN),
        ("gerd", "allowed to denied", "tool.not_allowed", "SELECT count ( * ) FROM orders"),
    }
    narrower = (
        'country = { type = "text", max_length = 60',
        'country = { type = "text", max_length = 5',
    )
    assert flipped(shop, narrower) == {
        ("gerd", "allowed to denied", "template.arguments", SPAIN),
    }


def test_a_replay_shows_that_a_template_sends_another_statement(shop: Company) -> None:
    recorded(shop)
    longer = ("SELECT id, email FROM customers WHERE", "SELECT id FROM customers WHERE")
    other = ("SELECT id, status, total FROM orders WHERE", "SELECT id, status FROM orders WHERE")
    assert [f.turned for f in replayed(shop, longer).flips] == ["masks", "masks"]
    (flip,) = replayed(shop, other).flips
    assert (flip.person, flip.turned, flip.statements) == ("gerd", "another statement", 1)
    status = ('values = ["cancelled", "returned"]', 'values = ["returned"]')
    (write,) = replayed(shop, status).flips
    assert (write.turned, write.before, write.after) == (
        "allowed to denied",
        "write.production",
        "template.arguments",
    )
    assert "cancelled" not in str(write)


def test_a_template_that_was_another_one_then_is_counted_and_not_guessed(shop: Company) -> None:
    recorded(shop)
    shop.enforce(shop.parts.governing.parsed(edited(("AND total >= :least", "AND total > :least"))))
    found = replayed(shop)
    why = "sent by a template whose arguments are not kept, or that was another one then"
    assert dict(found.skipped) == {why: 1}
    assert found.judged == 4


def test_a_replay_is_read_back_as_it_was_kept(shop: Company) -> None:
    recorded(shop)
    found = replayed(shop, (BY_COUNTRY, ""))
    assert Replay.read(found.as_json()) == found
    assert all(isinstance(f, Flip) for f in found.flips)
