"""Refusals with their reasons: what is never answered, what was not understood, what to try."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from agent.planner.answers import NotUnderstood
from agent.planner.numbers import plural
from agent.planner.refs import Tied
from agent.planner.schema import spoken
from agent.planner.tagging import Tag
from agent.planner.vocabulary import Vocabulary
from agent.planner.words import MAX_CHARACTERS, Word, words_of

_CAUSES = {"why", "cause", "causes", "caused", "reason", "reasons", "because", "explain", "driver"}
_CAUSES |= {"drivers", "explains"}
_FUTURE = {"forecast", "predict", "prediction", "projection", "project", "tomorrow", "will"}
_FUTURE |= {"future", "expect", "expected", "estimate", "forecasts", "predicted", "projected"}
_FUTURE_UNITS = {"week", "month", "quarter", "year", "days", "weeks", "months", "quarters", "years"}
_CHURN = {"churn", "churned", "churning", "likely", "likelihood", "probability", "risk", "chance"}
_OPINION = {"should", "recommend", "recommendation", "advice", "advise", "suggest", "opinion"}
_OPINION |= {"think", "good", "bad", "worth", "better", "nice", "interesting", "ought"}
_REASONS = {
    "cause": "I can show numbers, but not why they are as they are: the data holds no causes.",
    "future": "I answer from what is recorded and make no forecasts.",
    "churn": "The data does not say what people will do, and I make no such guess.",
    "opinion": "I give numbers, not opinions or advice.",
    "long": f"That is longer than {MAX_CHARACTERS} characters. Ask one short question.",
    "empty": "I see no question here.",
}


def early(question: str, vocabulary: Vocabulary) -> NotUnderstood | None:
    """Returns the refusal of what no data can answer, or None."""
    if len(question) > MAX_CHARACTERS:
        return _refused("", (), _REASONS["long"], vocabulary)
    words = [w for w in words_of(question) if w.kind == "word"]
    if not words:
        return _refused("", (), _REASONS["empty"], vocabulary)
    kind, word = _topic(words)
    if kind is None or _known(word, vocabulary):
        return None
    return _refused("", (word,), _REASONS[kind], vocabulary)


def _topic(words: Sequence[Word]) -> tuple[str | None, str]:
    for at, word in enumerate(words):
        following = words[at + 1].norm if at + 1 < len(words) else ""
        if word.norm in _CAUSES or (word.norm == "how" and following == "come"):
            return "cause", word.text
        if word.norm in _CHURN:
            return "churn", word.text
        if word.norm in _FUTURE or (word.norm in {"next", "coming"} and following in _FUTURE_UNITS):
            return "future", word.text
        if word.norm in _OPINION and not (word.norm in {"better", "worth"} and at > 0):
            return "opinion", word.text
    return None, ""


def _known(word: str, vocabulary: Vocabulary) -> bool:
    """True when the source itself has the word: a table of forecasts may be asked for."""
    return bool(vocabulary.lexicon.at(tuple(w.stem for w in words_of(word)))[1])


def unknown_words(
    tags: Sequence[Tag], unknown: tuple[str, ...], vocabulary: Vocabulary
) -> NotUnderstood:
    """Returns the refusal of words that mean nothing here, with the closest that do."""
    if not unknown:
        return _refused("", (), _REASONS["empty"], vocabulary)
    words = ", ".join(f"“{w}”" for w in unknown)
    verb = "is not a word" if len(unknown) == 1 else "are not words"
    reason = f"{words} {verb} I know for this source."
    names = sorted(vocabulary.lexicon.names)
    close = [c for w in unknown for c in difflib.get_close_matches(w.casefold(), names, 2, 0.75)]
    refused = _refused(understood(tags), unknown, reason, vocabulary, tuple(close))
    named = any(t.entries or t.name or t.part_of or t.literal for t in tags)
    return replace(refused, off_topic=not named)


def unused(tags: Sequence[Tag], part: str, reason: str, vocabulary: Vocabulary) -> NotUnderstood:
    """Returns the refusal of a question with a part that has no place in the statement."""
    told = reason or (
        f"I could not use this part: “{part}”." if part else "I do not see what is asked for."
    )
    return _refused(understood(tags), (), told, vocabulary)


def tied(tags: Sequence[Tag], tie: Tied, vocabulary: Vocabulary) -> NotUnderstood:
    """Returns the refusal of a tie that cannot be asked back in words."""
    meanings = " or ".join(f"“{c.label}”" for c in tie.choices)
    return _refused(
        understood(tags), (), f"“{tie.text}” can mean {meanings}. Name one of them.", vocabulary
    )


def faulty(vocabulary: Vocabulary) -> NotUnderstood:
    """Returns the refusal of a question on which a rule failed."""
    return _refused("", (), "I could not read this question. Ask it in other words.", vocabulary)


def understood(tags: Sequence[Tag]) -> str:
    """Returns the words that were understood, nothing where none of them is about the data."""
    known = [t for t in tags if t.known]
    about = any(
        t.entries or t.period or t.name or t.number is not None or t.literal is not None
        for t in known
    )
    return " ".join(t.text for t in known) if about else ""


def _refused(
    said: str,
    unknown: tuple[str, ...],
    reason: str,
    vocabulary: Vocabulary,
    close: tuple[str, ...] = (),
) -> NotUnderstood:
    return NotUnderstood(
        understood=said,
        unknown=unknown,
        reason=reason,
        suggestions=(*close, *examples(vocabulary))[:4],
    )


def examples(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Returns questions that are sure to be answered."""
    names = [t.name for t in vocabulary.catalog.tables if t.primary_key]
    metrics = list(vocabulary.lexicon.metrics)[:1]
    counts = [f"How many {plural(spoken(n))} are there?" for n in names[:2]]
    return (*(f"{m} by month" for m in metrics), *counts)
