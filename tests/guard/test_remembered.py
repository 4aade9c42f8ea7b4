"""A read that was judged before runs without being judged again; anything else is judged anew."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import guard.clearance
from audit import Action
from guard import Refused
from guard.judging import scope_in
from guard.needs import Opening
from guard.policyfile import parse_policy
from guard.remembered import LONGEST, MOST_CHARACTERS, Known, Remembered
from store import accounts
from tests.company import POLICY, Company, make_company

READ = "SELECT id, last_name FROM customers"
DENIED = "SELECT * FROM salaries"


@dataclass
class Judged:
    """How often a statement was judged and rewritten."""

    judged: int = 0
    rewritten: int = 0


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Judged:
    counted = Judged()

    def judge(*args: object, **kwargs: object) -> object:
        counted.judged += 1
        return real_judge(*args, **kwargs)  # type: ignore[arg-type]

    def rewrite(*args: object) -> object:
        counted.rewritten += 1
        return real_rewrite(*args)  # type: ignore[arg-type]

    real_judge, real_rewrite = guard.clearance.judge, guard.clearance.rewrite
    monkeypatch.setattr(guard.clearance, "judge", judge)
    monkeypatch.setattr(guard.clearance, "rewrite", rewrite)
    return counted


def _rows(company: Company, sql: str = READ, name: str = "ana") -> list[list[object]]:
    return company.parts.gate.query(sql, source="shop", caller=company.caller(name)).rows()


def test_the_same_read_is_judged_once_and_gives_the_rows_of_now(
    company: Company, count: Judged
) -> None:
    sql = "SELECT id, status FROM orders ORDER BY id"
    before = _rows(company, sql)
    with sqlite3.connect(company.database) as connection:
        connection.execute("UPDATE orders SET status = 'new'")
    connection.close()
    after = _rows(company, sql)
    assert (count.judged, count.rewritten) == (1, 1)
    assert before != after == [[row[0], "new"] for row in before]


def test_every_event_of_a_read_is_written_each_time(company: Company) -> None:
    for _ in range(3):
        _rows(company)
    done = [e for e in company.events() if e.startswith(("query.", "policy.decided"))]
    assert sorted(done) == sorted(["policy.decided", "query.intent", "query.executed"] * 3)
    shapes = {r.event.parts[0] for r in company.log.tail(100) if r.event.type == "query.intent"}
    assert len(shapes) == 1


def test_a_refusal_is_found_anew_each_time(company: Company, count: Judged) -> None:
    for round_ in range(1, 4):
        with pytest.raises(Refused) as caught:
            _rows(company, DENIED)
        assert caught.value.refusal.rule == "table.not_allowed"
        assert count.judged == round_


def test_a_refused_text_stays_refused_beside_reads_that_were_kept(
    company: Company, count: Judged
) -> None:
    for sql in (READ, f"{READ} ", f"{READ} WHERE id = 1", READ.lower()):
        _rows(company, sql)
    for sql in (f"{READ}, salaries", f"{READ}; SELECT 1", f"{READ} WHERE email LIKE 'a%'"):
        with pytest.raises(Refused):
            _rows(company, sql)
    assert count.judged == 7


def _other_person(company: Company) -> str:
    return "gerd"


def _policy(company: Company) -> str:
    policy = company.parts.policy
    limits = policy.limits.model_copy(update={"display_rows": 1})
    company.enforce(policy.model_copy(update={"limits": limits}))
    return "ana"


def _same_policy_again(company: Company) -> str:
    company.enforce(company.parts.policy.model_copy())
    return "ana"


def _catalog(company: Company) -> str:
    with sqlite3.connect(company.database) as connection:
        connection.execute("ALTER TABLE customers ADD COLUMN note TEXT")
    connection.close()
    company.parts.sources.get("shop").refresh()
    return "ana"


@pytest.mark.parametrize("change", [_other_person, _policy, _same_policy_again, _catalog])
def test_a_change_of_what_decides_has_the_read_judged_anew(
    company: Company, count: Judged, change: Callable[[Company], str]
) -> None:
    _rows(company)
    name = change(company)
    _rows(company, name=name)
    assert count.judged == 2
    _rows(company, name=name)
    assert count.judged == 2


def test_a_right_that_was_taken_away_refuses_what_was_allowed_before(
    company: Company, count: Judged
) -> None:
    _rows(company)
    text = POLICY.replace('tables = ["customers", "orders", "tickets"]', 'tables = ["orders"]', 1)
    assert text != POLICY
    company.enforce(parse_policy(text.encode(), company.home / "policy.toml"))
    with pytest.raises(Refused) as caught:
        _rows(company)
    assert caught.value.refusal.rule == "table.not_allowed"
    assert count.judged == 2


def test_a_limit_of_the_new_policy_cuts_a_read_of_the_old_one(company: Company) -> None:
    assert len(_rows(company)) > 1
    _policy(company)
    assert len(_rows(company)) == 1


def test_a_disabled_person_reads_nothing_that_was_kept(company: Company) -> None:
    caller = company.caller("ana")
    company.parts.gate.query(READ, source="shop", caller=caller)
    with company.store.write() as conn:
        accounts.set_disabled(conn, caller.principal.id, disabled=True)
    with pytest.raises(Refused) as caught:
        company.parts.gate.query(READ, source="shop", caller=caller)
    assert caught.value.refusal.rule == "person.disabled"


def test_an_unchanged_source_keeps_its_catalog_when_it_is_looked_at_again(
    company: Company, count: Judged
) -> None:
    _rows(company)
    company.parts.sources.get("shop").refresh()
    _rows(company)
    assert count.judged == 1


def test_a_pseudonym_is_never_kept(company: Company, count: Judged) -> None:
    caller = company.caller("ana", "sql", company.conversation())
    query = company.parts.gate.query
    shown = query("SELECT email FROM customers WHERE id = 1", source="shop", caller=caller)
    sql = f"SELECT id FROM customers WHERE email = '{shown.rows()[0][0]}'"
    for _ in range(2):
        assert query(sql, source="shop", caller=caller).rows() == [[1]]
    assert count.judged == 3
    other = company.caller("ana", "sql", company.conversation())
    with pytest.raises(Refused) as caught:
        query(sql, source="shop", caller=other)
    assert caught.value.refusal.rule == "masked.token"


CHANGES = ("sql", "person", "policy", "catalog", "grants", "openings", "limits", "closed", "tools")


@settings(max_examples=60, deadline=None)
@given(changed=st.sets(st.sampled_from(CHANGES)))
def test_a_read_is_known_only_while_nothing_that_decides_changed(
    module_company: Company, changed: set[str]
) -> None:
    gate, caller = module_company.parts.gate, module_company.caller("ana")
    policy = module_company.parts.policy
    catalog = module_company.parts.sources.get("shop").catalog()
    scope = scope_in(policy, caller, "shop")
    judged = gate.judge(READ, "shop", caller)
    remembered = Remembered()
    footing = remembered.footing("ana", policy, scope, catalog)
    known = Known(judged=judged, query=None, action=Action(kind="statement"))  # type: ignore[arg-type]
    remembered.keep("ana", footing, READ, known)
    later = replace(scope, at=dt.datetime(2031, 1, 1, tzinfo=dt.UTC))
    assert remembered.read("ana", remembered.footing("ana", policy, later, catalog), READ) is known
    opening = Opening(
        grant=1, source="shop", table="t", columns=("c",), until=module_company.store.now()
    )
    other: dict[str, object] = {
        "grants": scope.grants[:-1],
        "openings": (opening,),
        "limits": scope.limits.model_copy(update={"max_bytes": 1}),
        "closed": scope.grants,
        "tools": scope.tools - {"run_query"},
    }
    new = replace(scope, **{k: v for k, v in other.items() if k in changed})
    found = remembered.footing(
        "gerd" if "person" in changed else "ana",
        policy.model_copy() if "policy" in changed else policy,
        new,
        replace(catalog) if "catalog" in changed else catalog,
    )
    sql = f"{READ} " if "sql" in changed else READ
    person = "gerd" if "person" in changed else "ana"
    assert (remembered.read(person, found, sql) is known) == (not changed)
    if changed - {"sql", "person"}:
        again = remembered.footing("ana", policy, scope, catalog)
        assert (remembered.read("ana", again, READ) is known) == ("person" in changed)


def test_what_is_kept_is_bounded(module_company: Company) -> None:
    caller = module_company.caller("ana")
    policy = module_company.parts.policy
    catalog = module_company.parts.sources.get("shop").catalog()
    judged = module_company.parts.gate.judge(READ, "shop", caller)
    remembered = Remembered()
    footing = remembered.footing("ana", policy, judged.scope, catalog)
    known = Known(judged=judged, query=None, action=Action(kind="statement"))  # type: ignore[arg-type]
    remembered.keep("ana", footing, "x" * (LONGEST + 1), known)
    assert remembered.read("ana", footing, "x" * (LONGEST + 1)) is None
    texts = [f"{n:0{LONGEST}}" for n in range(2 * MOST_CHARACTERS // LONGEST)]
    for text in texts:
        remembered.keep("ana", footing, text, known)
    kept = [t for t in texts if remembered.read("ana", footing, t) is known]
    assert kept == texts[-(MOST_CHARACTERS // LONGEST) :]
    refused = module_company.parts.gate.judge(DENIED, "shop", caller)
    with pytest.raises(TypeError):
        remembered.keep("ana", footing, DENIED, replace(known, judged=refused))


@pytest.fixture(scope="module")
def module_company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    company = make_company(tmp_path_factory.mktemp("remembered"))
    yield company
    company.close()
