"""Words -> tags: what each run of words may mean. Longest match wins; ties keep both meanings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from agent.planner.lexicon import (
    MAX_VALUE_WORDS,
    ColumnEntry,
    DateVerb,
    Entry,
    FlagEntry,
    MetricEntry,
    MetricVerb,
    RoleVerb,
    RowsVerb,
    TableEntry,
    ValueEntry,
)
from agent.planner.operators import PHRASES, Op
from agent.planner.schema import Field
from agent.planner.timegrammar import Period, find_period
from agent.planner.vocabulary import Vocabulary
from agent.planner.wording import reworded
from agent.planner.words import Word, words_of

E = TypeVar("E", bound=Entry)
_LONGEST_OPERATOR = max(len(p) for p in PHRASES)
_NOT_A_YEAR_AFTER = {"cmp", "between", "top", "latest", "earliest", "ormore", "to"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A run of words from `start` to `end` (characters of the question) and all it may mean."""

    text: str
    start: int
    end: int
    op: Op | None = None
    argument: str = ""
    entries: tuple[Entry, ...] = ()
    number: Decimal | None = None
    period: Period | None = None
    literal: str | None = None
    name: tuple[str, str] | None = None
    part_of: Field | None = None
    """The column of names that end in this word."""
    plural: bool = False

    def of(self, kind: type[E]) -> tuple[E, ...]:
        """Returns the entries of one kind."""
        return tuple(e for e in self.entries if isinstance(e, kind))

    @property
    def tables(self) -> tuple[TableEntry, ...]:
        """The tables it may name."""
        return self.of(TableEntry)

    @property
    def columns(self) -> tuple[ColumnEntry, ...]:
        """The columns it may name."""
        return self.of(ColumnEntry)

    @property
    def values(self) -> tuple[ValueEntry, ...]:
        """The stored values it may be."""
        return self.of(ValueEntry)

    @property
    def flags(self) -> tuple[FlagEntry, ...]:
        """The boolean columns it may be about."""
        return self.of(FlagEntry)

    @property
    def metrics(self) -> tuple[MetricEntry, ...]:
        """The metrics it may name."""
        return self.of(MetricEntry)

    @property
    def verbs(self) -> tuple[RowsVerb | DateVerb | MetricVerb | RoleVerb, ...]:
        """What it may mean as a verb."""
        kinds = (RowsVerb, DateVerb, MetricVerb, RoleVerb)
        return tuple(e for e in self.entries if isinstance(e, kinds))

    @property
    def grain_only(self) -> bool:
        """True for a calendar unit that names nothing of the source."""
        return self.op == "grain" and not self.entries

    @property
    def known(self) -> bool:
        """True when it means anything at all."""
        meant = self.op or self.entries or self.period or self.name or self.part_of
        return bool(meant) or self.number is not None or self.literal is not None


def tags_of(question: str, vocabulary: Vocabulary) -> tuple[Tag, ...]:
    """Returns the tags of a question in order; what is not known has no meaning at all."""
    said = reworded(words_of(question), vocabulary.lexicon, vocabulary.today)
    words = _replaced(said, vocabulary)
    tags: list[Tag] = []
    at = 0
    while at < len(words):
        tag, length = _next(words, at, tags, vocabulary)
        tags.append(tag)
        at += length
    return arranged(tuple(tags))


_BEFORE_A_NOUN: set[Op] = {"count", "by", "avg", "sum", "share", "running", "growth", "most"}


def arranged(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """Returns the tags in the order that the rules read."""
    return _period_behind(_count_first(_not_again(tags)))


def _period_behind(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """`by 2025 revenue`, `how many of last year's orders`: the period goes behind its noun."""
    for at, tag in enumerate(tags):
        before = _spoken_before(tags, at)
        if tag.period is None or before is None or before.op not in _BEFORE_A_NOUN:
            continue
        noun = at + 1
        while noun < len(tags) and (
            tags[noun].values or tags[noun].flags or tags[noun].op == "noise"
        ):
            noun += 1
        if noun < len(tags) and (tags[noun].tables or tags[noun].metrics or tags[noun].columns):
            return (*tags[:at], *tags[at + 1 : noun + 1], tag, *tags[noun + 1 :])
    return tags


def _spoken_before(tags: Sequence[Tag], at: int) -> Tag | None:
    """The tag before, articles and the like left out."""
    while at > 0 and tags[at - 1].op == "noise" and not tags[at - 1].entries:
        at -= 1
    return tags[at - 1] if at else None


def _count_first(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """`ticket count by status`, `monthly order volume`: the count goes before its noun."""
    for at, tag in enumerate(tags):
        noun = tags[at - 1] if at else None
        if tag.op != "count" or tag.entries or tag.text.casefold() not in _COUNTS or noun is None:
            continue
        after = tags[at + 1] if at + 1 < len(tags) else None
        if not noun.tables or noun.op or (after is not None and (after.tables or after.columns)):
            continue
        first = at - 1
        while first and (tags[first - 1].values or tags[first - 1].flags):
            first -= 1
        return (*tags[:first], tag, *tags[first:at], *tags[at + 1 :])
    return tags


_COUNTS = {"count", "counts", "volume", "volumes"}


def _not_again(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """`ordered in 2024 but not in 2025`: the verb, or the noun, is meant again."""
    for at in range(2, len(tags) - 1):
        tag, later = tags[at], tags[at + 1]
        if tag.op not in {"not", "no"} or later.period is None or tag.entries:
            continue
        back = at - 1
        joined = False
        while back > 0 and tags[back].op in {"and", "noise"}:
            joined |= tags[back].op == "and"
            back -= 1
        said = tags[back - 1]
        if tags[back].period is None or not (joined or tag.text.casefold().startswith("but")):
            continue
        if tag.op == "not" and said.of(RowsVerb):
            again = replace(said, start=tag.start, end=tag.end)
            joint = _tag_like(tag, "and")
            return (*tags[: back + 1], joint, _tag_like(tag, "not"), again, *tags[at + 1 :])
        if tag.op == "no" and said.tables:
            again = replace(said, start=tag.start, end=tag.end)
            without = _tag_like(tag, "without")
            return (*tags[: back + 1], _tag_like(tag, "and"), without, again, *tags[at + 1 :])
    return tags


def _tag_like(tag: Tag, op: Op) -> Tag:
    return Tag(text=tag.text, start=tag.start, end=tag.end, op=op)


def _replaced(words: tuple[Word, ...], vocabulary: Vocabulary) -> tuple[Word, ...]:
    """Replaces the phrases of the trade; the new words keep the place of the old ones."""
    for phrase, replacement in vocabulary.lexicon.phrases:
        at = 0
        while at + len(phrase) <= len(words):
            stems = tuple(w.stem for w in words[at : at + MAX_VALUE_WORDS])
            longer = vocabulary.lexicon.at(stems)[1] > len(phrase)
            if stems[: len(phrase)] != phrase or longer:
                at += 1
                continue
            first, last = words[at], words[at + len(phrase) - 1]
            new = tuple(
                Word(w.text, w.norm, w.stem, first.start, last.end, w.kind, w.number)
                for w in words_of(replacement)
            )
            words = (*words[:at], *new, *words[at + len(phrase) :])
            at += len(new)
    return words


def _next(
    words: Sequence[Word], at: int, before: Sequence[Tag], vocabulary: Vocabulary
) -> tuple[Tag, int]:
    word = words[at]
    if word.kind == "text":
        return _quoted(word, vocabulary), 1
    period = _period(words, at, before, vocabulary)
    entries, length = vocabulary.lexicon.at(tuple(w.stem for w in words[at:]))
    entries = _meant(entries, words[at : at + length], at, before)
    length = length if entries else 0
    if period is not None and period[1] >= length:
        return _tag(words[at : at + period[1]], period=period[0]), period[1]
    op, argument, op_length = _operator(words, at)
    if op == "sort" and before and before[-1].op in {"each", "by", "count", "prep"}:
        op, op_length = None, 0
    if op == "lead":
        op, op_length = ("noise", op_length) if _at_start(before) else (None, 0)
    if max(length, op_length) > 0:
        return _longer(words, at, (entries, length), (op, argument, op_length))
    if word.number is not None:
        return _tag(words[at : at + 1], number=word.number), 1
    return _name(words, at, vocabulary)


def _at_start(before: Sequence[Tag]) -> bool:
    """True while nothing but polite words has been said."""
    return all(t.op in {"noise", "which", "be", "and"} and not t.entries for t in before)


def _longer(
    words: Sequence[Word],
    at: int,
    lexical: tuple[tuple[Entry, ...], int],
    operator: tuple[Op | None, str, int],
) -> tuple[Tag, int]:
    entries, length = lexical
    op, argument, op_length = operator
    longest = max(length, op_length)
    run = words[at : at + longest]
    number = run[0].number if longest == 1 else None
    tag = _tag(
        run,
        op=op if op_length == longest else None,
        argument=argument if op_length == longest else "",
        entries=entries if length == longest else (),
        number=number,
    )
    return tag, longest


def _tag(
    run: Sequence[Word],
    *,
    op: Op | None = None,
    argument: str = "",
    entries: tuple[Entry, ...] = (),
    number: Decimal | None = None,
    period: Period | None = None,
    literal: str | None = None,
    name: tuple[str, str] | None = None,
) -> Tag:
    last = run[-1]
    return Tag(
        text=" ".join(w.text for w in run),
        start=run[0].start,
        end=last.end,
        op=op,
        argument=argument,
        entries=entries,
        number=number,
        period=period,
        literal=literal,
        name=name,
        plural=last.norm != last.stem or last.norm in {"people", "series", "staff"},
    )


def _quoted(word: Word, vocabulary: Vocabulary) -> Tag:
    values = vocabulary.lexicon.exactly(tuple(w.stem for w in words_of(word.text)))
    entries = tuple(e for e in values if isinstance(e, ValueEntry))
    return _tag([word], literal=word.text, entries=entries)


def _operator(words: Sequence[Word], at: int) -> tuple[Op | None, str, int]:
    for length in range(min(_LONGEST_OPERATOR, len(words) - at), 0, -1):
        found = PHRASES.get(tuple(w.norm for w in words[at : at + length]))
        if found is not None:
            return found[0], found[1], length
    return None, "", 0


def _period(
    words: Sequence[Word], at: int, before: Sequence[Tag], vocabulary: Vocabulary
) -> tuple[Period, int] | None:
    found = find_period(words, at, vocabulary.today)
    if found is None:
        return None
    year_at = at + found.length - 1
    bare = found.period.grain == "year" and words[year_at].number is not None
    if bare and not _may_be_year(words, at, year_at, before):
        return None
    return found.period, found.length


def _may_be_year(words: Sequence[Word], at: int, year_at: int, before: Sequence[Tag]) -> bool:
    """False where a four-digit number is an amount or a key: "over 2000", "customer 2024"."""
    if any(w.norm in {"over", "at"} for w in words[at:year_at]):
        return False
    previous = before[-1] if before and at == year_at else None
    if previous is None:
        return True
    if previous.op in _NOT_A_YEAR_AFTER or previous.number is not None:
        return False
    return not (previous.tables and not previous.plural and previous.op is None)


def _meant(
    entries: tuple[Entry, ...], run: Sequence[Word], at: int, before: Sequence[Tag]
) -> tuple[Entry, ...]:
    """Leaves out titles and other rare values that the words do not clearly mean."""
    if len(run) == 1 and (run[0].norm,) in PHRASES:
        written = run[0].text
        entries = tuple(e for e in entries if not isinstance(e, ValueEntry) or e.value == written)
    if not any(isinstance(e, ValueEntry) and e.rare for e in entries):
        return entries
    common = tuple(e for e in entries if not (isinstance(e, ValueEntry) and e.rare))
    if common:
        return common
    return entries if _clear(run, at, before) else ()


def _clear(run: Sequence[Word], at: int, before: Sequence[Tag]) -> bool:
    capital = run[0].capital or run[0].text[:1].isdigit()
    if tuple(w.norm for w in run) in PHRASES or (len(run) == 1 and run[0].number is not None):
        return False
    if before and (before[-1].text.casefold() in {"by", "artist"} or before[-1].tables):
        return True
    return capital and (at > 0 or len(run) > 1)


def _name(words: Sequence[Word], at: int, vocabulary: Vocabulary) -> tuple[Tag, int]:
    """A person's name where look-ups by name are allowed, a part of a name, or an unknown word."""
    pair = words[at : at + 2]
    both = len(pair) == 2 and all(w.kind == "word" and w.capital for w in pair)
    if both and vocabulary.people and _operator(words, at + 1)[0] is None:
        return _tag(pair, name=(pair[0].text, pair[1].text)), 2
    tag = _tag(words[at : at + 1])
    columns = vocabulary.lexicon.last_words.get(words[at].stem, set())
    return (replace(tag, part_of=next(iter(columns))) if len(columns) == 1 else tag), 1
