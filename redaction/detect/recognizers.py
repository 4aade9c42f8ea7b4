"""Our rules and name search as Presidio recognizers. Importing this module imports Presidio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presidio_analyzer import LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult

from redaction.detect.prose import find_people
from redaction.detect.rule import Rule, Span
from redaction.entities import PERSON

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts


class RuleRecognizer(PatternRecognizer):
    """One of our rules: `rule` is for the column engine, `analyze` gives the same to Presidio."""

    def __init__(self, rule: Rule) -> None:
        """Wraps `rule`."""
        self.rule = rule
        super().__init__(
            supported_entity=rule.entity,
            name=f"gatehouse_{rule.name}",
            patterns=[Pattern(name=rule.name, regex=rule.pattern.pattern, score=rule.score)],
            context=list(rule.context),
            global_regex_flags=0,
        )

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Returns the matches that count in a running text."""
        return [_result(self, span) for span in self.rule.find_in_prose(text)]


class PeopleRecognizer(LocalRecognizer):
    """Names of people by lists and by the words that announce them, without a language model."""

    def __init__(self) -> None:
        """Knows one entity, PERSON, in every language the lists hold."""
        super().__init__(supported_entities=[PERSON], name="gatehouse_people")

    def load(self) -> None:
        """Does nothing: the lists are read at the first search."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Returns the names found in `text`."""
        return [_result(self, span) for span in find_people(text)]


def _result(recognizer: RuleRecognizer | PeopleRecognizer, span: Span) -> RecognizerResult:
    return RecognizerResult(
        entity_type=span.entity,
        start=span.start,
        end=span.end,
        score=span.score,
        recognition_metadata={
            RecognizerResult.RECOGNIZER_NAME_KEY: type(recognizer).__name__,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
        },
    )
