"""`gatehouse classify`: one JSON line in, one JSON line out, whatever comes in."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from guard.access import Access, Tier
from guard.classify import classify
from guard.errors import Refusal, Refused
from guard.lexical import DIALECTS
from guard.statement import parse

Effect = Literal["allow_read", "needs_approval", "deny"]


def judge(access: Access) -> Effect:
    """Returns what the effect alone allows, where every known table may be read."""
    if access.problems or access.tier not in ("read", "write"):
        return "deny"
    return "allow_read" if access.tier == "read" else "needs_approval"


def because(access: Access) -> tuple[str, str]:
    """Returns the rule that decided in `judge`, and why, as a sentence."""
    if access.problems:
        return access.problems[0].rule, access.problems[0].reason
    return _RULES[access.tier]


_RULES: dict[Tier, tuple[str, str]] = {
    "read": ("read.select", "Only reads."),
    "write": ("write.change", "Changes rows; a person must approve it."),
    "ddl": ("effect.ddl", "Changes the schema."),
    "admin": ("effect.admin", "Changes rights, settings, files or the server."),
    "session": ("effect.session", "Changes the session, or takes locks."),
    "unknown": ("statement.unknown", "The guard does not know what the statement does."),
}


class _Question(BaseModel):
    """One input line. Keys the command does not know are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: JsonValue = None
    dialect: str
    sql: str


def classify_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yields one answer for each line of `{"id","dialect","sql"}`, in order, without line ends.

    An answer is `{"id","decision","kind","tables","columns","functions","rule","reason","ms"}`;
    `kind` is the worst effect and `ms` the time of judging alone. A line that cannot be read is
    denied with the rule `line.unreadable`.
    """
    # What the imports made stays as long as the process; collecting it again and again would cost
    # more than the longest statement.
    gc.freeze()
    for line in lines:
        yield _dumped(_answer(line))


def _dumped(answer: dict[str, JsonValue]) -> str:
    try:
        return json.dumps(answer, allow_nan=False)
    except ValueError:
        return json.dumps(answer | {"id": None})


def _answer(line: str) -> dict[str, JsonValue]:
    try:
        question = _Question.model_validate_json(line)
    except ValidationError:
        refusal = Refusal(
            rule="line.unreadable",
            reason='Each line must be a JSON object with the texts "dialect" and "sql".',
        )
        return _line(_id_of(line), _refused(refusal), 0.0)
    if question.dialect in DIALECTS:
        _warm(question.dialect)
    started = time.perf_counter()
    access = _access(question)
    elapsed_ms = (time.perf_counter() - started) * 1000
    return _line(question.id, access, elapsed_ms)


@cache
def _warm(dialect: str) -> None:
    """Builds the tables of a dialect, so that its first statement is not timed with them."""
    classify(parse("SELECT lower('a')", dialect), None)


def _access(question: _Question) -> Access:
    try:
        return classify(parse(question.sql, question.dialect), None)
    except Refused as error:
        return _refused(error.refusal)


def _refused(refusal: Refusal) -> Access:
    return Access(tier="unknown", verb="", problems=(refusal,))


def _id_of(line: str) -> JsonValue:
    """Returns the id of a line that is an object but not a question; None where there is none."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    found = content.get("id") if isinstance(content, dict) else None
    return found if isinstance(found, str | int) else None


def _line(key: JsonValue, access: Access, elapsed_ms: float) -> dict[str, JsonValue]:
    rule, reason = because(access)
    columns = dict.fromkeys(f"{u.table}.{u.column}".lstrip(".").lower() for u in access.columns)
    return {
        "id": key,
        "decision": judge(access),
        "kind": access.tier,
        "tables": [t.lower() for t in access.tables],
        "columns": list(columns),
        "functions": list(access.functions),
        "rule": rule,
        "reason": reason,
        "ms": round(elapsed_ms, 4),
    }
