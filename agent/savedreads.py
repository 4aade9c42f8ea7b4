"""What a statement reads, as facts that are equal as long as it means the same."""

from __future__ import annotations

import hashlib
import json
import re

from guard import Allow, Caller, Deny, Gate, Refusal, Refused

_WORDS = re.compile(
    r"/\*(?P<block>.*?)(?:\*/|\Z)|(?:--|#)(?P<rest>[^\n]*)"
    r"|'(?P<text>(?:[^']|'')*)'|\"(?P<name>(?:[^\"]|\"\")*)\"|`(?P<tick>(?:[^`]|``)*)`"
    r"|\[(?P<square>[^\]]*)\]|\$(?P<tag>\w*)\$(?P<dollar>.*?)(?:\$(?P=tag)\$|\Z)"
    r"|(?P<number>\d{7,})",
    re.DOTALL,
)
_JOINED = re.compile(r"\|\||\bconcat", re.IGNORECASE)


def reads_of(gate: Gate, source: str, sql: str, caller: Caller) -> str:
    """Returns the tables and columns that a statement reads, with types and tags, as JSON.

    Raises:
        Refused: it is no read that the guard lets this person run now.
        SourceUnavailable: the source cannot say what it holds.
    """
    judged = gate.judge(sql, source, caller)
    match judged.decision:
        case Allow():
            pass
        case Deny(refusal=refusal):
            raise Refused(refusal)
        case _:
            reason = "Only a statement that reads can be kept."
            raise Refused(Refusal(rule="saved.write", reason=reason))
    found: list[tuple[str, ...]] = []
    for name in {*judged.access.tables, *judged.access.named}:
        table = judged.catalog.table(name)
        view = (table.definition or "") if table is not None else ""
        found.append((name.casefold(), _hash(view) if view else ""))
    for name, own in {(use.table, use.column) for use in judged.access.columns}:
        table = judged.catalog.table(name)
        column = table.column(own) if table is not None else None
        facts = (column.type.casefold(), column.tag or "") if column is not None else ("", "")
        found.append((name.casefold(), own.casefold(), *facts))
    return json.dumps(sorted(found))


def looks_up(gate: Gate, source: str, sql: str, caller: Caller) -> bool:
    """Returns whether a statement compares a tagged column with a value that stands in it.

    Raises:
        Refused, SourceUnavailable: as for `reads_of`.
    """
    judged = gate.judge(sql, source, caller)
    for use in judged.access.columns:
        table = judged.catalog.table(use.table)
        column = table.column(use.column) if table is not None else None
        if use.lookup and column is not None and column.tag is not None:
            return True
    return False


def words_of(sql: str) -> tuple[str, ...]:
    """Returns what a statement says in words of its writer: texts, quoted names, comments, numbers.

    A text that is put together from several is among them whole.
    """
    found = [
        "".join(p for group, p in each.groupdict(default="").items() if group != "tag")
        for each in _WORDS.finditer(sql)
    ]
    whole = ["".join(found)] if _JOINED.search(sql) else []
    return tuple(w for w in (*found, *whole) if w.strip())


def difference(before: str, now: str) -> str:
    """Returns which columns two such facts differ in, as a sentence."""
    old, new = ({tuple(row) for row in json.loads(text)} for text in (before, now))
    names = sorted({".".join(row[:2]) for row in old ^ new if len(row) > 2})
    listed = ", ".join(names[:5]) or "its tables"
    return f"What it reads has changed since: {listed}."


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
