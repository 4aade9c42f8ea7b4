import pytest

from redaction import RedactionError, mask_tokens, redact_text
from redaction.detect import presidio

PROMPT = (
    "What did ann@example.org (Anna Schmidt) order? Call +1 201-555-0142, card 4111111111111111."
)


@pytest.mark.parametrize("sink", ["screen", "model", "log"])
def test_nothing_personal_of_a_prompt_leaves(sink, key):
    shown = redact_text(PROMPT, sink=sink, key=key)
    for piece in ("ann@", "Anna", "Schmidt", "555-0142", "41111111"):
        assert piece not in shown
    assert shown.startswith("What did e_")
    assert "order?" in shown


def test_what_replaces_a_person_can_be_recognised_again(key):
    tokens = mask_tokens(redact_text(PROMPT, sink="model", key=key))
    assert [t.split("_")[0].strip("<") for t in tokens] == ["e", "person", "PHONE", "CREDIT"]


def test_equal_values_get_equal_pseudonyms_in_one_conversation(key):
    first = redact_text("mail ann@example.org", sink="model", key=key)
    assert first == redact_text("mail ANN@example.org", sink="model", key=key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Top 5 customers by revenue in Germany last month",
        "How many orders of Kasa Headphones were shipped to Berlin in 2025?",
        "SELECT country, COUNT(*) FROM orders WHERE status = 'paid' GROUP BY country LIMIT 10",
        'near "FORM": syntax error; line 1, column 17',
    ],
)
def test_texts_without_people_come_back_unchanged(text, key):
    assert redact_text(text, sink="model", key=key) == text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("invalid input syntax for type integer: 'ann@example.org'", "ann@"),
        ("duplicate key value (email)=(ann@example.org) exists", "ann@"),
        ("run YW5uLm9AZXhhbXBsZS5vcmc= please", "YW5u"),
        ("ａｎｎ．ｏ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ａｎｎ"),
        ("a n n @ e x a m p l e . o r g", "a n n @"),
        ("connect postgres://app:s3cr3t99@db/x", "s3cr3t99"),
        ("my password is hunter2!", "hunter2"),
    ],
)
def test_errors_and_disguises_are_seen_through(text, hidden, key):
    assert hidden not in redact_text(text, sink="log", key=key)


def test_a_very_long_text_is_masked_as_a_whole_when_it_holds_anything(key):
    assert redact_text("word " * 9000, sink="log", key=key) == "word " * 9000
    assert redact_text("word " * 9000 + "ann@example.org", sink="log", key=key) == "<MASKED>"


def test_a_text_that_cannot_be_looked_at_does_not_leave(key, monkeypatch):
    def fail():
        raise RuntimeError("ann@example.org")

    monkeypatch.setattr("redaction.text.toolkit", fail)
    with pytest.raises(RedactionError) as caught:
        redact_text("ann@example.org", sink="log", key=key)
    assert "ann@" not in str(caught.value)
    assert presidio.toolkit() is not None
