"""The score on the cases beside the project; the numbers are floors below what was reached."""

import pytest

from tests.redaction.scorer import cases_path, score

pytestmark = pytest.mark.skipif(
    not cases_path().is_file(),
    reason="no redaction cases: set GATEHOUSE_CASES to the folder that holds them",
)


@pytest.fixture(scope="module")
def tally():
    return score()[0]


@pytest.mark.parametrize(
    ("prefixes", "floor"),
    [
        (("pii", "text", "nested"), 0.99),
        (("pii.named",), 0.99),
        (("pii.neutral",), 0.98),
        (("text",), 0.98),
        (("nested",), 1.0),
        (("evade",), 0.98),
    ],
)
def test_recall_stays_above_its_floor(tally, prefixes, floor):
    assert tally.recall(*prefixes) >= floor


def test_harmless_cells_stay_as_they_are(tally):
    assert tally.false_positive_rate() <= 0.005


def test_what_must_stay_readable_inside_masked_cells_does(tally):
    assert tally.kept / tally.keep >= 0.96


@pytest.mark.parametrize("kind", ["SECRET", "CREDIT_CARD", "IBAN", "US_SSN"])
def test_cards_accounts_ids_and_secrets_hardly_ever_survive(tally, kind):
    assert tally.type_recall(kind) >= 0.995
