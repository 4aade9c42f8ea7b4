"""Language models: the one the user named, never a download; without one, the lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy

from redaction import RedactionError, configure, configure_from, language_model
from redaction.detect import model
from redaction.detect.presidio import toolkit


@pytest.fixture
def as_before() -> Iterator[None]:
    """What a test configures ends with it."""
    yield
    configure()


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A spaCy pipeline on disk that takes the word Zorblax for a person."""
    made = spacy.blank("en")
    ruler = made.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Zorblax"}])
    folder = tmp_path / "en_invented"
    made.to_disk(folder)
    return folder


def test_without_a_model_the_lists_search_alone() -> None:
    assert language_model() is None
    assert not any(s.entity == "PERSON" for s in toolkit().find("we met zorblax"))


@pytest.mark.usefixtures("as_before")
def test_a_model_in_a_folder_finds_what_the_lists_do_not(pipeline: Path) -> None:
    configure_from({"GATEHOUSE_LANGUAGE_MODEL": str(pipeline)})
    assert language_model() == str(pipeline)
    found = [s for s in toolkit().find("then Zorblax came") if s.entity == "PERSON"]
    assert [(s.start, s.end) for s in found] == [(5, 12)]


def test_a_model_that_is_not_there_is_said_and_nothing_is_downloaded() -> None:
    with pytest.raises(RedactionError, match="not on this machine"):
        configure_from({"GATEHOUSE_LANGUAGE_MODEL": "xx_no_such_model"})
    assert language_model() is None


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(RedactionError, match="holds no language model"):
        model.kind_of(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "kind"),
    [("meta.json", "spacy"), ("config.json", "transformers"), ("gliner_config.json", "gliner")],
)
def test_the_files_of_a_folder_tell_its_kind(tmp_path: Path, file: str, kind: str) -> None:
    (tmp_path / file).write_text("{}")
    assert model.kind_of(str(tmp_path)) == kind


@pytest.mark.parametrize("file", ["config.json", "gliner_config.json"])
def test_a_model_whose_package_is_missing_is_refused_with_its_name(
    tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_text("{}")
    package = "gliner" if "gliner" in file else "transformers"
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RedactionError, match=f"needs the package {package}"):
        model.finder(str(tmp_path))


def test_a_token_classifier_of_transformers_is_run(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="NOT TESTED: transformers is absent")
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=8, id2label={0: "O", 1: "B-PER"}, label2id={"O": 0, "B-PER": 1},
    )  # fmt: skip
    network = transformers.BertForTokenClassification(config)
    network.classifier.weight.data.zero_()
    network.classifier.bias.data[1] = 9.0
    network.save_pretrained(tmp_path)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "anna", "came", "home"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    found = list(model.finder(str(tmp_path))("anna came home"))
    assert [(s.start, s.end, s.entity) for s in found] == [
        (0, 4, "PERSON"), (5, 9, "PERSON"), (10, 14, "PERSON")
    ]  # fmt: skip


@pytest.mark.usefixtures("as_before")
def test_a_recognizer_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(
        "recognizers:\n  - name: Badge\n    supported_language: en\n"
        "    supported_entity: BADGE\n    patterns:\n"
        "      - {name: badge, regex: 'BDG-[0-9]{5}', score: 0.9}\n"
    )
    configure_from({"GATEHOUSE_RECOGNIZERS": str(file)})
    assert any(s.entity == "BADGE" for s in toolkit().find("my badge is BDG-12345"))
