"""Other ways to ask the same: words put into the order and the form that the rules read.

Each rule knows one place in a sentence. It moves words or gives a synonym, and leaves out only a
verb or a noun whose meaning the words around it say already. Elsewhere the same word stays as it
is, and is refused where nothing else knows it.
"""

from __future__ import annotations

import datetime as dt

from agent.planner import wording_growth, wording_terms
from agent.planner.lexicon import ColumnEntry, Lexicon, MetricEntry, MetricVerb, TableEntry
from agent.planner.operators import PHRASES
from agent.planner.runs import POLITE, Words, as_words, first_asked, names, norms_of, table_near

_ASKING = {"show", "list", "give", "display", "tell", "find", "how", "what", "which", "who"}
_ASKING |= {"average", "avg", "total", "number", "count", "whats", "rank", "compare", "break"}
_LEADS = {"show", "list", "give", "display", "tell", "find", "rank", "break"}
_OPENING = {"for", "in", "within", "among", "amongst", "across", "of", "during", "from"}
_ARTICLES = {"the", "our", "all", "these", "a", "an"}
_BE = {"be", "is", "are", "was", "were"}
_TAILS: tuple[list[str], ...] = ([], ["were", "there"], ["are", "there"], ["in", "total"])


def reworded(words: Words, lexicon: Lexicon, today: dt.date) -> Words:
    """Returns the words of a question in the order and the form that the rules read."""
    for rule in _SENTENCE:
        words = rule(words, lexicon)
    return wording_terms.reworded(wording_growth.grown(words, today), lexicon)


def _only_counting(words: Words, lexicon: Lexicon) -> Words:
    """`..., counting only customers who have ordered`: a condition like any other."""
    norms = norms_of(words)
    for at in range(1, len(words) - 2):
        pair = set(norms[at : at + 2])
        verb = pair & {"counting", "considering", "including", "looking", "restricted", "limited"}
        if not verb or not ("only" in pair or norms[at + 1] == "to"):
            continue
        start = at + 2
        if norms[start] in {"at", "to"}:
            start += 1
        if table_near(words[start:], lexicon) is None:
            continue
        before = words[: at - 1] if norms[at - 1] == "," else words[:at]
        return (*before, *as_words("for", words[at]), *words[start:])
    return words


def _leading_clause(words: Words, lexicon: Lexicon) -> Words:
    """`For delivery tickets, show the average ...`: the clause goes to the end."""
    at, norms = first_asked(words), norms_of(words)
    if at >= len(words) or norms[at] not in _OPENING or "," not in norms[at:]:
        return words
    commas = [n for n in range(at + 2, len(words) - 1) if norms[n] == ","]
    for comma in commas:
        begin = comma + 1
        while begin < len(words) - 1 and norms[begin] in POLITE | _ARTICLES:
            begin += 1
        if norms[begin] not in _ASKING:
            continue
        leads = norms[begin] in _LEADS
        tables = any(names(words[n:], lexicon, TableEntry) for n in range(at + 1, comma))
        if not (tables or leads):
            return words
        clause, rest = words[at:comma], words[begin:]
        if [w.norm for w in rest[:2]] == ["how", "many"]:
            behind = rest[2].norm if len(rest) > 2 else ""
            if behind in _BE or behind in {"have", "has", "had"}:
                return (*rest[:2], *clause[1:], *rest[2:])
        return (*rest, *as_words("for", clause[0]), *clause[1:])
    return words


def _broken_down(words: Words, lexicon: Lexicon) -> Words:
    """`break revenue down by category`, `slice orders by channel`."""
    at, norms = first_asked(words), norms_of(words)
    if at >= len(words) or norms[at] not in {"break", "slice", "split", "segment"}:
        return words
    by = next((n for n in range(at + 1, len(words)) if norms[n] in {"by", "into", "per"}), None)
    if by is None or by == at + 1:
        return words
    first = at + 2 if norms[at + 1] in {"down", "up"} else at + 1
    end = by - 1 if norms[by - 1] in {"down", "up", "out"} and by - 1 > first else by
    if end <= first:
        return words
    link = words[by] if norms[by] == "per" else as_words("by", words[by])[0]
    return (*words[first:end], link, *words[by + 1 :])


def _one_with_most(words: Words, lexicon: Lexicon) -> Words:
    """`what was the month with the most orders`: which month had the most."""
    at, norms = first_asked(words), norms_of(words)
    if norms[at : at + 1] in (["what"], ["which"]) and set(norms[at + 1 : at + 2]) & _BE:
        at += 2
    while at < len(words) and norms[at] in {"the", "show", "me", "our", "find", "name"}:
        at += 1
    grain = bool(norms[at:]) and (norms[at],) in PHRASES and PHRASES[norms[at],][0] == "grain"
    noun = 1 if grain else names(words[at:], lexicon, ColumnEntry)
    if not noun or not _most_of(norms[at + noun :]):
        return words
    which, had = as_words("which", words[at]), as_words("had", words[at])
    return (*which, *words[at : at + noun], *had, *words[at + noun + 1 :])


def _most_of(norms: list[str]) -> bool:
    after = norms[2:3] if norms[1:2] == ["the"] else norms[1:2]
    return norms[:1] == ["with"] and bool(set(after) & {"most", "fewest", "highest", "lowest"})


def _typical_row(words: Words, lexicon: Lexicon) -> Words:
    """`how many items does an order have on average`: the average number of items per order."""
    at, norms = first_asked(words), norms_of(words)
    if norms[at : at + 2] != ["how", "many"]:
        return words
    do = next((n for n in range(at + 3, len(words)) if norms[n] in {"does", "do", "did"}), None)
    if do is None or do + 2 >= len(words):
        return words
    said = norms[do + 1 :]
    unit, mean = do + 2, norms[do] == "does" and said[0] in {"a", "an"}
    if said[0] not in {"a", "an", "each", "one", "every", "the"}:
        return words
    if norms[unit] in {"average", "typical", "single"}:
        mean, unit = norms[unit] != "single", unit + 1
    length = names(words[unit:], lexicon, TableEntry)
    if not length or words[unit + length - 1].norm != words[unit + length - 1].stem:
        return words
    verb = unit + length
    verbs = {"have", "contain", "hold", "include", "place", "get", "make", "raise", "open", "file"}
    if verb >= len(words) or norms[verb] not in verbs:
        return words
    rest = words[verb + 1 :]
    if [w.norm for w in rest[:2]] == ["on", "average"]:
        mean, rest = True, rest[2:]
    if not mean:
        return words
    head = as_words("average number of", words[at])
    return (*head, *words[at + 2 : do], *as_words("per", words[do]), *words[unit:verb], *rest)


def _typical_sum(words: Words, lexicon: Lexicon) -> Words:
    """`how much do enterprise customers spend on average`: the average spend per customer."""
    at, norms = first_asked(words), norms_of(words)
    end = next((n for n in range(len(words) - 1) if norms[n : n + 2] == ["on", "average"]), 0)
    if norms[at : at + 2] != ["how", "much"] or norms[at + 2 : at + 3] not in (["do"], ["does"]):
        return words
    found, _ = lexicon.at((words[end - 1].stem,))
    verbs = [e.name for e in found if isinstance(e, MetricVerb)]
    begin = at + 3
    while begin < end and norms[begin] in _ARTICLES:
        begin += 1
    table = table_near(words[begin : end - 1], lexicon)
    if len(verbs) != 1 or table is None or words[end - 2] != table:
        return words
    head = as_words(f"average {verbs[0]} per {table.stem} for", words[at])
    whose = as_words(f"{table.stem}s", table)
    return (*head, *words[begin : end - 2], *whose, *words[end + 2 :])


def _average_of_one(words: Words, lexicon: Lexicon) -> Words:
    """`average number of line items in an order`: per order."""
    norms = norms_of(words)
    if not {"average", "avg", "mean"} & set(norms):
        return words
    for at in range(1, len(words) - 2):
        row = words[at + 2 :]
        one = norms[at] in {"in", "for", "by", "of"} and norms[at + 1] in {"a", "an", "one"}
        length = names(row, lexicon, TableEntry) if one else 0
        singular = length and row[length - 1].norm == row[length - 1].stem
        numbered = row[length : length + 1] and row[length].number is not None
        number = {"number", "count"} & set(norms[:at])
        if singular and number and not numbered:
            return (*words[:at], *as_words("per", words[at]), *row)
    return words


def _trailing_number(words: Words, lexicon: Lexicon) -> Words:
    """`captured payments, total amount, May 2026`: the number asked for goes first."""
    norms = norms_of(words)
    commas = [n for n, w in enumerate(norms) if w == ","]
    if not commas or not any(names(words[n:], lexicon, TableEntry) for n in range(commas[0])):
        return words
    if set(norms[: commas[0]]) & (_ASKING | _OPENING - {"from", "in", "of"}):
        return words
    for comma, end in zip(commas, [*commas[1:], len(words)], strict=True):
        part = words[comma + 1 : end]
        while part and part[0].norm in {"the", "and", "please"}:
            part = part[1:]
        number = _number_of(part, lexicon)
        if number:
            rest = words[end + 1 :]
            return (*number, *as_words("of", part[0]), *words[:comma], *rest)
    return words


def _number_of(part: Words, lexicon: Lexicon) -> Words:
    """A part that is a number and nothing else: `how many were there`, `total amount`."""
    norms = norms_of(part)
    if norms[:2] == ["how", "many"] and norms[2:] in _TAILS:
        return as_words("number", part[0])
    if norms in (["count"], ["number"], ["total", "number"]):
        return as_words("number", part[0])
    if norms[:1] and norms[0] in {"total", "average", "avg", "sum", "mean", "highest", "lowest"}:
        rest = part[2:] if norms[1:2] == ["of"] else part[1:]
        length = names(rest, lexicon, ColumnEntry) or names(rest, lexicon, MetricEntry)
        return part if length and length == len(rest) else ()
    return ()


_SENTENCE = (
    _only_counting,
    _leading_clause,
    _broken_down,
    _one_with_most,
    _typical_row,
    _typical_sum,
    _average_of_one,
    _trailing_number,
)
