"""Ways to say one part of a question: worth, value of, in stock, over the phone."""

from __future__ import annotations

from dataclasses import replace

from agent.planner.lexicon import (
    ColumnEntry,
    Lexicon,
    MetricEntry,
    MetricVerb,
    RowsVerb,
    TableEntry,
    ValueEntry,
)
from agent.planner.runs import Words, as_words, first_asked, names, norms_of, table_near
from agent.planner.words import Word

_ARTICLES = {"the", "our", "all", "these", "a", "an"}
_COMPARING = {"more", "over", "above", "less", "under", "below", "at", "between", "exactly", "up"}
_COMPARING |= {"fewer", "exceeding", "upwards", ">", "<", ">=", "<="}
_ENDS = {"most", "fewest", "least", "highest", "lowest", "largest", "biggest", "greatest"}
_ENDS |= {"smallest", "more", "fewer", "best", "worst"}
_SAW = {"saw", "see", "sees", "seen", "drew", "recorded", "registered", "experienced", "posted"}
_SAW |= {"witnessed", "enjoyed", "attracted", "achieved", "reached", "hit", "showed"}
_WORTH = {"worth", "totalling", "totaling", "valued", "amounting"}
_HAD = {"had", "has", "got", "with", "did", "do", "we", "get", "have", "receive", "the"}
_WHAT = {"what", "whats", "is", "was", "the", "show", "me", "give", "how", "much", "s"}
_BOUNDS = {"than", "over", "under", "above", "below", "least", "most", "exactly", "to", "<", ">"}
_BOUNDS |= {"<=", ">=", "=", "with", "only", "have", "has"}
_PIECES = {"units", "items", "pieces"}
_LINKS = {"do", "we", "have", "still", "got", "are", "there", "left", "remaining", "currently"}


def _single(words: Words, lexicon: Lexicon) -> Words:
    """`which single day`, `the single largest order`: there is only one anyway."""
    for at in range(1, len(words) - 1):
        before = words[at - 1].norm
        none = before == "a" and bool({"without", "not", "never"} & {w.norm for w in words[:at]})
        if words[at].norm == "single" and (none or before in {"which", "what", "the", "our"}):
            return (*words[:at], *words[at + 1 :])
    return words


def _saw(words: Words, lexicon: Lexicon) -> Words:
    """`which date saw the most orders`: a day that had them."""
    for at in range(1, len(words) - 1):
        after = at + 2 if words[at + 1].norm == "the" else at + 1
        if words[at].norm in _SAW and after < len(words) and words[after].norm in _ENDS:
            words = (*words[:at], *as_words("had", words[at]), *words[at + 1 :])
    norms = norms_of(words)
    for at in range(1, len(words) - 2):
        behind = at + 1
        while behind < len(words) and norms[behind] in _HAD:
            behind += 1
        had = behind > at + 1 and behind < len(words) and norms[behind] in _ENDS
        if norms[at] == "date" and norms[at - 1] in {"which", "what"} and had:
            return (*words[:at], *as_words("day", words[at]), *words[at + 1 :])
    return words


def _worth(words: Words, lexicon: Lexicon) -> Words:
    """`orders worth more than 500`: the comparison says it. Elsewhere it is not left out."""
    kept: list[Word] = []
    at = 0
    while at < len(words):
        length = 0
        begin = at + 2 if norms_of(words[at : at + 2])[1:] == ["a"] else at + 1
        if words[at].norm in {"with", "having"} and norms_of(words[begin : begin + 1]) == ["value"]:
            length = begin + 1 - at + (norms_of(words[begin + 1 : begin + 2]) == ["of"])
        if words[at].norm in _WORTH and kept:
            length = 2 if norms_of(words[at + 1 : at + 2]) in (["at"], ["to"]) else 1
            if words[at].norm == "amounting" and length == 1:
                length = 0
            if norms_of(words[at : at + 3])[1:] == ["at", "least"]:
                length = 1
            if norms_of(words[at : at + 3])[1:] == ["at", "most"]:
                length = 1
        following = words[at + length : at + length + 1]
        compared = bool(following) and (
            following[0].norm in _COMPARING or following[0].number is not None
        )
        if length and compared:
            at += length
            continue
        kept.append(words[at])
        at += 1
    return tuple(kept)


def _value_of(words: Words, lexicon: Lexicon) -> Words:
    """`value of cancelled orders` adds their amounts up; `values of the status` are the column."""
    for at in range(len(words) - 2):
        if words[at].norm not in {"value", "values", "worth"} or words[at + 1].norm != "of":
            continue
        begin = at + 2
        while begin < len(words) and words[begin].norm in _ARTICLES:
            begin += 1
        for length in (1, 2):
            noun = words[begin : begin + length]
            named = (*(w.stem for w in noun), "value")
            average = bool(at) and words[at - 1].norm in {"average", "avg", "mean"}
            said = ("average", *named) if average else named
            if any(isinstance(e, MetricEntry) for e in lexicon.exactly(said)):
                value = as_words("value", words[at])
                head = words[: at - 1] if average else words[:at]
                mean = as_words("average", words[at]) if average else ()
                return (*head, *mean, *noun, *value, *words[begin + length :])
        said_table = table_near(words[begin:], lexicon)
        if said_table is None:
            column = names(words[begin:], lexicon, ColumnEntry)
            if column or names(words[begin:], lexicon, MetricEntry):
                return (*words[:at], *words[begin:])
            continue
        if not any(isinstance(e, ColumnEntry) for e in lexicon.exactly((said_table.stem, "value"))):
            continue
        alone = said_table.norm != said_table.stem and {w.norm for w in words[:at]} <= _WHAT
        name = as_words(f"{'total ' if alone else ''}{said_table.stem} value", words[at])
        return (*words[:at], *name, *words[at + 1 :])
    return words


def _took_longer(words: Words, lexicon: Lexicon) -> Words:
    """`took longer than 5 days to resolve`: more than 5 days."""
    for at in range(1, len(words) - 1):
        taking = words[at - 1].norm in {"took", "take", "takes", "taken", "taking"}
        if taking and words[at].norm in {"longer", "shorter"} and words[at + 1].norm == "than":
            said = "more" if words[at].norm == "longer" else "less"
            return (*words[:at], *as_words(said, words[at]), *words[at + 1 :])
    return words


def _priced(words: Words, lexicon: Lexicon) -> Words:
    """`products priced between 50 and 100`: their price is."""
    for at in range(1, len(words) - 1):
        if words[at].norm in {"priced", "costing"} and words[at + 1].norm in {"between", "from"}:
            between = as_words("with price between", words[at])
            return (*words[:at], *between, *words[at + 2 :])
    return words


def _took_in(words: Words, lexicon: Lexicon) -> Words:
    """`what did we take in shipping fees`: their total."""
    at, norms = first_asked(words), norms_of(words)
    asked = 2 if norms[at : at + 2] == ["how", "much"] else int(norms[at : at + 1] == ["what"])
    verb = at + asked + 2
    if not asked or norms[at + asked : verb] != ["did", "we"] or len(words) < verb + 3:
        return words
    if norms[verb] not in {"take", "earn", "make", "collect", "charge", "receive", "get", "lose"}:
        return words
    number = verb + 2 if norms[verb + 1] in {"in", "from"} else verb + 1
    column = names(words[number:], lexicon, ColumnEntry)
    if not (column or names(words[number:], lexicon, MetricEntry)) or number == verb + 1:
        return words
    return (*as_words("total", words[at]), *words[number:])


def _total_spent(words: Words, lexicon: Lexicon) -> Words:
    """`total spent by customer 11`: the number that the verb stands for."""
    for at in range(len(words) - 1):
        if words[at].norm != "total":
            continue
        found, length = lexicon.at((words[at + 1].stem,))
        verbs = [e.name for e in found if isinstance(e, MetricVerb)]
        if length and len(verbs) == 1 and len(found) == 1:
            name = as_words(verbs[0], words[at + 1])
            return (*words[: at + 1], *name, *words[at + 2 :])
    return words


def _only_once(words: Words, lexicon: Lexicon) -> Words:
    """`have only ordered once`: ordered only once."""
    for at in range(1, len(words) - 2):
        only, verb, number = words[at : at + 3]
        if only.norm not in {"only", "just"} or number.number is None:
            continue
        if names([verb], lexicon, RowsVerb):
            first = as_words("only", only)
            return (*words[:at], verb, *first, *words[at + 2 :])
    return words


def _since_start(words: Words, lexicon: Lexicon) -> Words:
    """`since the start of the year`: this year."""
    norms = norms_of(words)
    for at in range(len(words) - 5):
        begins = norms[at + 1] == "the" and norms[at + 2] in {"start", "beginning"}
        of_this = norms[at + 3] == "of" and norms[at + 4] in {"the", "this"}
        unit = norms[at + 5] in {"year", "quarter", "month", "week"}
        if norms[at] in {"since", "from"} and begins and of_this and unit:
            return (*words[:at], *as_words("this", words[at]), *words[at + 5 :])
    return words


def _running(words: Words, lexicon: Lexicon) -> Words:
    """`running order count`: a running number of them."""
    norms = norms_of(words)
    for at in range(len(words) - 2):
        if norms[at] == "running" and {"count", "counts"} & set(norms[at + 2 : at + 4]):
            return (*words[:at], *as_words("cumulative", words[at]), *words[at + 1 :])
    return words


def _over_the(words: Words, lexicon: Lexicon) -> Words:
    """`over the phone`, `on the web`: no comparison, there is no number."""
    for at in range(len(words) - 2):
        if words[at].norm != "over" or words[at + 1].norm not in {"the", "our"}:
            continue
        if names(words[at + 2 :], lexicon, ValueEntry):
            return (*words[:at], *as_words("via", words[at]), *words[at + 2 :])
    return words


def _in_stock(words: Words, lexicon: Lexicon) -> Words:
    """`how many Acme Blenders do we have in stock`: a quantity of things, not a count of rows.

    "In stock", or any such ending, has this meaning where a column is called "units in stock".
    """
    norms = norms_of(words)
    if set(norms) & {"sold", "ordered", "bought", "purchased", "sell"}:
        return words
    end = next((n for n in range(1, len(words) - 1) if _units(words[n : n + 2], lexicon)), None)
    if end is None:
        return words
    words = _pieces(words, lexicon)
    if len(words) > len(norms):
        return words
    begin = next((n for n in range(end) if norms[n] in _PIECES and norms[n + 1] == "of"), None)
    start = begin
    if begin is None:
        start = begin = _counted_name(words[:end], lexicon)
    else:
        begin += 2
    if start is None or begin is None:
        return words
    for asked in (["how", "many"], ["number", "of"]):
        if norms[max(start - 2, 0) : start] == asked:
            start -= 2
    last = end
    while last > begin and norms[last - 1] in _LINKS:
        last -= 1
    if last == begin:
        return words
    head = as_words("total units", words[start])
    between = as_words("of", words[start])
    return (
        *words[:start],
        *head,
        *words[end : end + 2],
        *between,
        *words[begin:last],
        *words[end + 2 :],
    )


def _pieces(words: Words, lexicon: Lexicon) -> Words:
    """`fewer than 5 left in stock`: 5 units in stock."""
    for at in range(1, len(words) - 2):
        begin = at + 1
        while begin < len(words) and words[begin].norm in {"left", "remaining"}:
            begin += 1
        bound = words[at].number is not None and words[at - 1].norm in _BOUNDS
        noun = names(words[begin + 2 :], lexicon, TableEntry)
        if bound and _units(words[begin : begin + 2], lexicon) and not noun:
            return (*words[: at + 1], *as_words("units", words[at]), *words[begin:])
    return words


def _units(ending: Words, lexicon: Lexicon) -> bool:
    found = lexicon.exactly(("unit", *(w.stem for w in ending)))
    return any(isinstance(e, ColumnEntry) for e in found)


def _counted_name(words: Words, lexicon: Lexicon) -> int | None:
    """Where `how many` is followed by the name of one row, and no noun."""
    at, norms = first_asked(words), norms_of(words)
    if norms[at : at + 2] != ["how", "many"]:
        return None
    begin = at + 2
    while begin < len(words) and norms[begin] in _ARTICLES:
        begin += 1
    found, length = lexicon.at(tuple(w.stem for w in words[begin:]))
    values = {e.field for e in found if isinstance(e, ValueEntry)}
    labels = lexicon.label_entries({f.table for f in values})
    if not values or not values <= {e.field for e in labels}:
        return None
    return begin if set(norms[begin + length :]) <= _LINKS else None


def _spoken_price(words: Words, lexicon: Lexicon) -> Words:
    """`how much does X cost` asks for the price of X."""
    if not words or words[-1].norm != "cost":
        return words
    if not any(w.norm in {"does", "do", "did"} for w in words):
        return words
    return (*words[:-1], replace(words[-1], text=words[-1].text, norm="price", stem="price"))


_TERMS = (
    _total_spent,
    _only_once,
    _since_start,
    _took_longer,
    _priced,
    _took_in,
    _single,
    _saw,
    _worth,
    _value_of,
    _running,
    _over_the,
    _in_stock,
    _spoken_price,
)


def reworded(words: Words, lexicon: Lexicon) -> Words:
    """Returns the words of a question with these parts said as the rules read them."""
    for rule in _TERMS:
        words = rule(words, lexicon)
    return words
