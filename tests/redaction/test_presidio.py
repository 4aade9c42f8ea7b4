import pyarrow as pa
import pytest
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NoOpNlpEngine
from presidio_anonymizer.entities import OperatorConfig

from redaction import (
    ColumnVerdict,
    RedactionError,
    SessionKey,
    configure,
    redact_table,
    redact_text,
)
from redaction.detect.guest import re2_superset
from redaction.detect.presidio import RULES, toolkit
from redaction.operators import OPERATORS, anonymizer, configs
from redaction.text import _CLEAN as kept_clean


@pytest.fixture
def extended():
    yield configure
    configure()


class _Words(EntityRecognizer):
    def __init__(self):
        super().__init__(supported_entities=["PROJECT"], supported_language="de")

    def load(self):
        pass

    def analyze(self, text, entities, nlp_artifacts):
        at = text.find("Bluebird")
        return [RecognizerResult("PROJECT", at, at + 8, 0.9)] if at >= 0 else []


class _Broken(_Words):
    def analyze(self, text, entities, nlp_artifacts):
        raise RuntimeError(f"cannot read {text}")


class _Slow(PatternRecognizer):
    def __init__(self):
        pattern = Pattern(name="slow", regex=r"(a|aa)+$(?<=b)", score=0.9)
        super().__init__(supported_entity="SLOW", patterns=[pattern])


def cells(values, key):
    table = pa.table({"x": values})
    return redact_table(table, [ColumnVerdict(name="x")], sink="screen", key=key)


def test_every_rule_of_ours_stands_in_presidios_registry():
    names = {r.name for r in toolkit().analyzer.registry.recognizers}
    assert {f"gatehouse_{rule.name}" for rule in RULES} <= names


def test_the_analyzer_has_an_engine_without_a_model_and_finds_what_we_find():
    analyzer = toolkit().analyzer
    assert isinstance(analyzer.nlp_engine, NoOpNlpEngine)
    found = analyzer.analyze("Customer Anna Schmidt, ann@example.org", language="en")
    assert {r.entity_type for r in found} == {"PERSON", "EMAIL_ADDRESS"}


def test_a_users_recognizer_of_any_language_works_in_cells_and_texts(extended, key):
    extended(recognizers=[_Words()])
    assert cells(["see Bluebird 7"], key).table.column(0).to_pylist() == ["see <PROJECT> 7"]
    assert redact_text("see Bluebird", sink="screen", key=key) == "see <PROJECT>"


def test_a_yaml_file_of_recognizers_works(extended, key, tmp_path):
    path = tmp_path / "recognizers.yaml"
    path.write_text(
        """
recognizers:
  - name: badge
    supported_language: en
    supported_entity: BADGE
    patterns:
      - {name: badge, regex: "\\\\bBDG-\\\\d{4}\\\\b", score: 0.8}
  - name: level
    supported_language: de
    supported_entity: LEVEL
    deny_list: [Gold, Platin]
  - name: weak
    supported_language: en
    supported_entity: SHELF
    patterns:
      - {name: shelf, regex: "S\\\\d{2}", score: 0.1}
    context: [shelf]
""",
        encoding="utf-8",
    )
    extended(recognizer_files=[path])
    shown = cells(["open BDG-1234 now", "tier Gold here", "box S12"], key).table.column(0)
    assert shown.to_pylist() == ["open <BADGE> now", "tier <LEVEL> here", "box S12"]
    table = pa.table({"shelf": ["box S12"]})
    lifted = redact_table(table, [ColumnVerdict(name="shelf")], sink="screen", key=key)
    assert lifted.table.column(0).to_pylist() == ["box <SHELF>"]


def test_a_broken_yaml_file_changes_nothing(extended, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("recognizers: [", encoding="utf-8")
    before = toolkit()
    with pytest.raises(RedactionError, match="could not be set up"):
        extended(recognizer_files=[path])
    assert toolkit() is before


def test_promise_08_a_failing_recognizer_shows_no_rows_and_quotes_nothing(extended, key):
    extended(recognizers=[_Broken()])
    with pytest.raises(RedactionError) as caught:
        cells(["top secret value"], key)
    assert "secret value" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(RedactionError):
        redact_text("top secret value", sink="log", key=key)


def test_a_pattern_that_runs_too_long_fails_instead_of_being_skipped(extended, key, monkeypatch):
    monkeypatch.setattr("redaction.detect.guest._TIMEOUT_SECONDS", 0.05)
    extended(recognizers=[_Slow()])
    with pytest.raises(RedactionError, match="_Slow failed"):
        cells(["a" * 64], key)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\bstraße\d+\b", "straße12"),
        (r"(?<!\w)[\w.-]+@(?!foo)\w+", "jörg@bar"),
        (r"[\d\s-]{4,}", "१२ ३"),
        (r"a|b(?:c|d)", "bd"),
    ],
)
def test_a_trigger_made_from_a_pattern_fires_wherever_the_pattern_does(pattern, text):
    superset = re2_superset(pattern)
    assert superset is not None
    import re2

    assert re2.search(f"(?ims:{superset})", text)


@pytest.mark.parametrize("pattern", [r"(a)\1", r"\W+", r"[\S]+", r"(?>a+)b"])
def test_a_pattern_re2_cannot_stand_in_for_gets_no_trigger(pattern):
    assert re2_superset(pattern) is None


def test_our_masks_are_operators_of_presidios_anonymizer(key):
    assert {o().operator_name() for o in OPERATORS} <= set(anonymizer().get_anonymizers())
    found = [
        RecognizerResult("PERSON", 0, 12, 0.9),
        RecognizerResult("PHONE_NUMBER", 16, 31, 0.9),
        RecognizerResult("NEW_KIND", 32, 35, 0.9),
    ]
    done = anonymizer().anonymize(
        "Anna Schmidt on +1 201-555-0142 abc",
        found,
        operators=configs(["PERSON", "PHONE_NUMBER"], "screen", key, "stored"),
    )
    person, rest = done.text.split(" on ")
    assert person.startswith("person_")
    assert rest == "••••0142 <NEW_KIND>"


def test_an_operator_without_a_key_refuses():
    config = {"DEFAULT": OperatorConfig("gatehouse_pseudonym", {})}
    found = [RecognizerResult("PERSON", 0, 4, 0.9)]
    with pytest.raises(ValueError, match="SessionKey"):
        anonymizer().anonymize("Anna", found, operators=config)


def test_keys_of_one_session_agree_across_operators_and_tables(key):
    stored = ColumnVerdict(name="x", basis="declared", entity="PERSON")
    table = redact_table(pa.table({"x": ["Anna"]}), [stored], sink="model", key=key).table
    done = anonymizer().anonymize(
        "Anna",
        [RecognizerResult("PERSON", 0, 4, 0.9)],
        operators=configs(["PERSON"], "model", key, "stored"),
    )
    assert done.text == table.column(0)[0].as_py()
    other = configs(["PERSON"], "model", SessionKey.new(), "stored")
    again = anonymizer().anonymize("Anna", [RecognizerResult("PERSON", 0, 4, 0.9)], operators=other)
    assert again.text != done.text


def test_promise_08_a_text_found_clean_is_looked_at_again_by_whatever_finds_more(extended, key):
    text = "SELECT a FROM Bluebird"
    assert redact_text(text, sink="log", key=key) == text
    assert redact_text(text, sink="log", key=key) == text
    extended(recognizers=[_Words()])
    assert "Bluebird" not in redact_text(text, sink="log", key=key)
    extended()
    assert redact_text(text, sink="log", key=key) == text


def test_promise_08_no_text_with_anything_personal_in_it_is_kept(key):
    redact_text("write to jane.doe@example.org", sink="log", key=key)
    redact_text("a plain question of somebody", sink="model", key=key)
    assert not [t for t in kept_clean if "jane" in t or "somebody" in t]
