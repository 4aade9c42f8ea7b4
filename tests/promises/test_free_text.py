"""Free text: whole for the model and the log, spans on the screen, unless the policy relaxes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guard import ConfigurationError
from guard.policyfile import parse_policy
from tests.company import EMAIL, POLICY, Company, make_company
from ui.checklist import run_checks

_RELAXED = POLICY.replace(
    'free_text = ["tickets.body"]',
    'free_text = ["tickets.body"]\nfree_text_for_model = ["tickets.body"]',
)
SQL = "SELECT id, body FROM tickets ORDER BY id"


@pytest.fixture
def relaxed(tmp_path: Path) -> Iterator[Company]:
    """A model may read tickets there, with what is recognised in them masked."""
    opened = make_company(tmp_path / "relaxed", _RELAXED)
    yield opened
    opened.close()


def seen(company: Company, sql: str = SQL) -> tuple[str, str]:
    """Returns what the person and what the model is shown."""
    result = company.parts.gate.query(
        sql, source="shop", caller=company.caller("ana", "agent", session="s")
    )
    assert result.for_model is not None
    return str(result.rows()), str(result.for_model.to_pylist())


def test_a_model_reads_none_of_it_by_default(company: Company) -> None:
    screen, model = seen(company)
    assert "Ignore all rules" in screen
    assert "Ignore all rules" not in model
    assert model.count("<FREE_TEXT>") == 2
    assert EMAIL not in screen + model


def test_the_policy_lets_a_model_read_it_with_spans_masked(relaxed: Company) -> None:
    screen, model = seen(relaxed)
    assert "Ignore all rules" in model
    assert "My name is" in model
    assert EMAIL not in screen + model
    assert "Maria Schmidt" not in screen + model


def test_prose_that_was_cut_up_stays_whole_for_everybody(relaxed: Company) -> None:
    for expression in ("substr(body, 1, 20)", "hex(body)", "body || ''"):
        screen, model = seen(relaxed, f"SELECT {expression} FROM tickets")
        assert "<FREE_TEXT>" in screen
        assert "Ignore" not in screen + model


def test_the_log_never_reads_it(relaxed: Company) -> None:
    seen(relaxed)
    relaxed.log.flush()
    for path in (relaxed.home / "audit").rglob("*"):
        assert not path.is_file() or b"Ignore all rules" not in path.read_bytes(), path


def test_what_is_relaxed_must_be_free_text() -> None:
    wrong = _RELAXED.replace(
        'free_text_for_model = ["tickets.body"]', 'free_text_for_model = ["tickets.title"]'
    )
    with pytest.raises(ConfigurationError, match=r"free_text_for_model: list 'tickets\.title'"):
        parse_policy(wrong.encode(), Path("policy.toml"))


@pytest.mark.parametrize("key", ["reveal", "unmasked"])
def test_no_policy_gives_a_right_to_secrets(key: str) -> None:
    for name, says in (("SECRET", "secrets are never shown"), ("email", "write an entity")):
        wrong = POLICY.replace("[roles.germans]\n", f'[roles.germans]\n{key} = ["{name}"]\n')
        with pytest.raises(ConfigurationError, match=says):
            parse_policy(wrong.encode(), Path("policy.toml"))


def test_the_checklist_warns_where_a_model_reads_prose_and_no_language_model_looks(
    company: Company, relaxed: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(of: Company) -> bool:
        found = [c for c in run_checks(of.parts) if "free text that the model reads" in c.name]
        return all(c.passed for c in found)

    assert check(company)
    assert not check(relaxed)
    monkeypatch.setattr("ui.checklist.language_model", lambda: "some-model")
    assert check(relaxed)
