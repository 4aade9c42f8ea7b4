"""What words mean: proposed, confirmed by an admin, kept, recorded; nothing read before that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.layerdesk import LayerDesk
from agent.meaning import told, told_of
from agent.planner import Semantics, SemanticsError, parse_semantics
from agent.planner.operators import PHRASES
from agent.planner.semantics import is_settled
from audit import AuditError, ConfigFacts
from guard import ConfigurationError, Illegal, Refused
from tests.company import EMAIL, SURNAME, Company, make_company

PROPOSED = """
confirmed = false
[tables]
orders = { synonyms = ["purchase"], date = "order_date" }
[metrics.turnover]
by = [{ table = "orders", of = "orders.total" }]
"""
KEYS = ["Table: orders", "Number: turnover"]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    opened = make_company(tmp_path / "home")
    (opened.home / "shop.semantics.toml").write_text(PROPOSED, encoding="utf-8")
    yield opened
    opened.close()


def desk(company: Company) -> LayerDesk:
    return company.parts.layers


def confirm(company: Company, text: str, base: int | None = None) -> int:
    return desk(company).confirm("shop", text, company.caller("adam"), base=base).id


def chosen(company: Company, keys: list[str]) -> str:
    return desk(company).view("shop", company.caller("adam")).chosen(keys)


def test_nothing_reads_a_proposal_before_it_is_confirmed(company: Company) -> None:
    _, before = company.ask("total turnover")
    assert before.status == "refused"

    view = desk(company).view("shop", company.caller("adam"))
    assert sorted(i.key for i in view.proposed) == sorted(KEYS)
    assert view.in_force == Semantics()
    made = confirm(company, chosen(company, KEYS))

    _, after = company.ask("total turnover")
    assert after.status == "answered"
    assert "100" in after.text
    view = desk(company).view("shop", company.caller("adam"))
    assert (view.base, view.proposed) == (made, ())


def test_a_part_can_be_confirmed_and_the_rest_waits(company: Company) -> None:
    confirm(company, chosen(company, KEYS[:1]))
    assert company.ask("total turnover")[1].status == "refused"
    assert company.ask("how many purchases are there?")[1].status == "answered"
    view = desk(company).view("shop", company.caller("adam"))
    assert [i.key for i in view.proposed] == KEYS[1:]


@pytest.mark.parametrize("name", ["ana", "rita"])
def test_only_an_admin_looks_and_confirms(company: Company, name: str) -> None:
    with pytest.raises(Refused, match="admin role"):
        desk(company).view("shop", company.caller(name))
    with pytest.raises(Refused, match="admin role"):
        desk(company).confirm("shop", "", company.caller(name), base=None)


def test_an_agent_never_confirms(company: Company) -> None:
    with pytest.raises(Refused, match="An agent never says what words mean"):
        desk(company).confirm("shop", "", company.caller("adam", "agent"), base=None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tables = [", "is not valid TOML"),
        ("[tables]\norders = { dat = 'x' }", "unknown key tables.orders.dat"),
        ("[tables]\norder = { date = 'day' }", "There is no table order in this source."),
        ("[tables]\norders = { date = 'day' }", "There is no column orders.day in this source."),
        (
            "[columns]\n'customers.last_name' = { values = { boss = 'Schmidt' } }",
            "customers.last_name holds personal data, so no value of it may stand here.",
        ),
        (
            "[columns]\n'tickets.body' = { values = { boss = 'Schmidt' } }",
            "tickets.body holds personal data",
        ),
        (
            "[metrics.x]\nby = [{ table = 'customers', of = 'customers.id', "
            "where = [{ column = 'customers.email', is = ['a@b.example'] }] }]",
            "customers.email holds personal data",
        ),
        ("[tables]\norders = { rank_by = 'fame' }", "ranked by fame, which is no metric"),
        ("[[roles]]\ncolumn = 'orders.total'\nname = ['x']", "points at no other row"),
    ],
)
def test_what_cannot_be_used_is_said_and_not_confirmed(
    company: Company, text: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=r".") as caught:
        confirm(company, text)
    assert sentence in str(caught.value)
    assert desk(company).view("shop", company.caller("adam")).versions == ()


def test_each_confirmation_is_a_version_and_recorded(company: Company) -> None:
    first = confirm(company, "[phrases]\nsold = 'orders'")
    second = confirm(company, "[phrases]\nbought = 'orders'", first)
    with pytest.raises(Illegal, match="Another admin has confirmed"):
        confirm(company, "", first)
    with pytest.raises(Illegal, match="in force already"):
        confirm(company, "[phrases]\nbought = 'orders'", second)
    back = desk(company).roll_back("shop", first, company.caller("adam"), base=second)
    assert "sold" in back.text
    versions = desk(company).view("shop", company.caller("adam")).versions
    assert [v.id for v in versions] == [back.id, second, first]

    facts = [r.event.part(ConfigFacts) for r in company.log.tail(50)]
    found = [f for f in facts if f is not None and f.kind == "semantics"]
    hashes = [(f.before_sha256, f.after_sha256) for f in found]
    one, two, three = (v.sha256 for v in reversed(versions))
    assert sorted(hashes, key=str) == sorted([(None, one), (one, two), (two, three)], key=str)


def test_what_cannot_be_recorded_is_not_confirmed(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_event: object) -> None:
        raise AuditError("The disk is full.")

    monkeypatch.setattr(company.log, "append", full)
    with pytest.raises(AuditError):
        confirm(company, "[phrases]\nsold = 'orders'")
    assert desk(company)._layers.of("shop").version is None


def test_a_file_of_the_operator_counts_until_a_version_is_confirmed(company: Company) -> None:
    (company.home / "shop.semantics.toml").write_text(PROPOSED.replace("false", "true"), "utf-8")
    assert company.ask("total turnover")[1].status == "answered"
    assert desk(company).view("shop", company.caller("adam")).from_file
    confirm(company, "[phrases]\nsold = 'orders'")
    assert company.ask("total turnover")[1].status == "refused"


def test_a_broken_file_is_said_and_takes_no_version_out_of_force(company: Company) -> None:
    file = company.home / "shop.semantics.toml"
    file.write_text("tables = [", encoding="utf-8")
    admin = company.caller("adam")
    view = desk(company).view("shop", admin)
    assert "is not valid TOML" in (view.problem or "")
    assert parse_semantics(chosen(company, KEYS), "test") == Semantics()
    made = confirm(company, "[phrases]\nsold = 'orders'")
    view = desk(company).view("shop", admin)
    assert "is not valid TOML" in (view.problem or "")
    assert (view.base, view.in_force.phrases) == (made, {"sold": "orders"})
    assert company.ask("how many orders are there?")[1].status == "answered"


def test_a_source_without_any_layer_is_proposed_one_from_its_names(company: Company) -> None:
    (company.home / "shop.semantics.toml").unlink()
    view = desk(company).view("shop", company.caller("adam"))
    assert "Table: customers" in {i.key for i in view.proposed}
    # Nobody has looked whether the values of a guessed key fit.
    assert not [i for i in view.proposed if i.kind == "Join"]
    said = "\n".join(i.says for i in view.proposed)
    assert SURNAME not in said
    assert EMAIL not in said


def test_a_model_is_told_only_what_the_person_sees(company: Company) -> None:
    layer = parse_semantics(
        "[metrics.pay]\nby = [{ table = 'salaries', of = 'salaries.amount' }]\n"
        "[metrics.turnover]\nby = [{ table = 'orders', of = 'orders.total' }]\n"
        "[metrics.mine]\nby = [{ table = 'customers', of = 'customers.id', "
        f"where = [{{ column = 'customers.last_name', is = ['{SURNAME}'] }}] }}]\n"
        f"[columns]\n'customers.email' = {{ synonyms = ['mail'], values = {{ x = '{EMAIL}' }} }}\n"
        "[tables]\nsalaries = { synonyms = ['pay slips'] }",
        "test",
    )
    catalog = company.parts.gate.view("shop", company.caller("ana")).catalog
    assert list(told(layer, catalog)) == ["turnover"]
    assert told_of(layer, catalog, "salaries") == {}
    assert told_of(layer, catalog, "customers") == {"customers.email": "also called mail"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[phrases]\nnot = 'orders'", "'not' always means the same"),
        ("[phrases]\n'at least' = 'under'", "'at least' always means the same"),
        ("[tables]\norders = { synonyms = ['not'] }", "'not' always means the same"),
        ("[columns]\n'orders.status' = { values = { without = 'paid' } }", "always means the same"),
        ("[phrases]\ncancelled = ''", "must hold a word each"),
        ("[phrases]\n'' = 'orders'", "must hold a word each"),
        ("[phrases]\n'!' = 'orders'", "must hold a word each"),
    ],
)
def test_no_layer_takes_the_words_that_questions_are_built_with(
    company: Company, text: str, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        confirm(company, text)
    with pytest.raises(SemanticsError, match=sentence):  # nor does an operator's file
        parse_semantics(text, "The file")


@pytest.mark.parametrize(
    "of",
    [
        "orders.total -- ",
        "orders.total /* 1",
        "orders.total) + (orders.id",
        "((orders.total)",
        "orders.total orders.id",
        "orders.total(1)",
        "orders.total ** 9",
        "orders.total // 2",
        "orders.total\\n",
        "(orders.total, orders.id)",
    ],
)
def test_a_number_is_one_expression_and_nothing_besides(company: Company, of: str) -> None:
    with pytest.raises(ConfigurationError, match="write arithmetic"):
        confirm(company, f'[metrics.turnover]\nby = [{{ table = "orders", of = "{of}" }}]')


def test_what_is_chosen_is_what_was_shown_whatever_is_proposed_by_now(company: Company) -> None:
    shown = desk(company).view("shop", company.caller("adam"))
    other = PROPOSED.replace("orders.total", "orders.id")
    (company.home / "shop.semantics.toml").write_text(other, encoding="utf-8")
    assert "orders.id" not in shown.chosen(KEYS)
    assert desk(company).view("shop", company.caller("adam")).stamp != shown.stamp


def test_the_docs_name_every_word_that_no_layer_takes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "meaning.md").read_text("utf-8")
    named = set(re.findall(r"\*([a-z ]+)\*|`([^`a-z]{1,2})`", page.replace("\n", " ")))
    words = {" ".join((italic or sign).split()) for italic, sign in named}
    settled = {" ".join(phrase) for phrase in PHRASES if is_settled(" ".join(phrase))}
    assert settled - words == set()
