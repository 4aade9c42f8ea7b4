"""A language model for names in prose, if the user installed one. None is ever downloaded.

Named by the user, or else the best spaCy pipeline there is. A folder on this machine may hold a
spaCy pipeline, a token classifier of transformers, or a GLiNER model; each runs through Presidio's
own engine or recognizer for it. Only PERSON is used: to a model every city is a location, and here
a city is not personal data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from redaction.detect.rule import Span
from redaction.entities import PERSON
from redaction.errors import RedactionError

if TYPE_CHECKING:
    from presidio_analyzer import LocalRecognizer
    from presidio_analyzer.nlp_engine import NlpArtifacts

Kind = Literal["spacy", "transformers", "gliner"]
Find = Callable[[str], Iterable[Span]]

_BY_QUALITY: Final = ("_trf", "_lg", "_md", "_sm")
_TELLING_FILES: Final[tuple[tuple[str, Kind], ...]] = (
    ("gliner_config.json", "gliner"),
    ("meta.json", "spacy"),
    ("config.json", "transformers"),
)
_GLINER_LABELS: Final = {"person": PERSON, "name": PERSON}


def installed_model() -> str | None:
    """Returns the best spaCy pipeline on this machine, such as `en_core_web_sm`, or None."""
    from spacy.util import get_installed_models

    found = sorted(get_installed_models(), key=_rank)
    return found[0] if found else None


def _rank(name: str) -> tuple[int, str]:
    ends = (i for i, suffix in enumerate(_BY_QUALITY) if name.endswith(suffix))
    return next(ends, len(_BY_QUALITY)), name


def kind_of(name: str) -> Kind:
    """Returns what `name`, an installed spaCy pipeline or the path of a folder, is.

    Raises:
        RedactionError: There is no such pipeline or folder, or the folder holds none of the three.
    """
    folder = Path(name)
    if folder.is_dir():
        for file, kind in _TELLING_FILES:
            if (folder / file).is_file():
                return kind
        raise RedactionError(
            f"The folder {name} holds no language model: neither meta.json of spaCy, config.json "
            "of transformers nor gliner_config.json is in it."
        )
    from spacy.util import get_installed_models

    if name in get_installed_models():
        return "spacy"
    raise RedactionError(
        f"The language model {name} is not on this machine. Install the spaCy pipeline, or name "
        "the folder of a model; none is downloaded."
    )


def finder(name: str) -> Find:
    """Returns a search for people with the model `name`.

    Raises:
        RedactionError: The model, or the package it needs, cannot be loaded.
    """
    # Whatever a library would fetch, a folder named by the user is all it gets.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    kind = kind_of(name)
    try:
        match kind:
            case "spacy":
                return _spacy(name)
            case "transformers":
                return _recognizer(_transformers(name))
            case "gliner":
                return _recognizer(_gliner(name))
    except ImportError as error:
        raise RedactionError(
            f"The language model {name} needs the package {kind}, which is not installed."
        ) from error
    except Exception as error:
        raise RedactionError(f"The language model {name} cannot be loaded.") from error


def _spacy(name: str) -> Find:
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    language = Path(name).name[:2]
    engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": name}])
    engine.load()
    recognizer = SpacyRecognizer(supported_language=language, supported_entities=[PERSON])

    def find(text: str) -> Iterator[Span]:
        return _spans(recognizer, text, engine.process_text(text, language))

    return find


def _transformers(name: str) -> LocalRecognizer:
    import transformers  # noqa: F401 - Presidio says only at its first use that it is missing
    from presidio_analyzer.predefined_recognizers.ner import HuggingFaceNerRecognizer

    labels = HuggingFaceNerRecognizer.DEFAULT_LABEL_MAPPING.items()
    people = {label: entity for label, entity in labels if entity == PERSON}
    return HuggingFaceNerRecognizer(model_name=name, label_mapping=people)


def _gliner(name: str) -> LocalRecognizer:
    import gliner  # noqa: F401 - as above
    from presidio_analyzer.predefined_recognizers.ner import GLiNERRecognizer

    return GLiNERRecognizer(model_name=name, entity_mapping=_GLINER_LABELS, local_files_only=True)


def _recognizer(recognizer: LocalRecognizer) -> Find:
    recognizer.load()

    def find(text: str) -> Iterator[Span]:
        return _spans(recognizer, text, None)

    return find


def _spans(
    recognizer: LocalRecognizer, text: str, artifacts: NlpArtifacts | None
) -> Iterator[Span]:
    for result in recognizer.analyze(text, [PERSON], artifacts):  # type: ignore[arg-type]
        yield Span(result.start, result.end, PERSON, result.score)
