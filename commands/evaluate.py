"""`gatehouse eval`: a set of questions with reference SQL, asked and scored."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.progress import MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from commands.shared import As, Json, caller, err, fail, out, parts, show_json

if TYPE_CHECKING:
    from agent import Answer
    from agent.evaluation import Report, Scored
    from guard import Caller
    from ui.parts import Parts

_TITLE = "Evaluation"
_MINUTE = "limit.calls_per_minute"


class _Line(BaseModel):
    """One question. Keys the command does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    question: str
    sql: str | None = None
    id: str = ""
    source: str | None = None
    db: str | None = None
    tag: str = "all"
    today: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A question with the source it goes to."""

    line: _Line
    source: str
    number: int

    @property
    def id(self) -> str:
        return self.line.id or str(self.number)


def evaluate(
    file: Annotated[Path, typer.Argument(help="JSON lines: question, sql or null, source, tag.")],
    as_: As,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="For lines without one: NAME, or DB=NAME by their db."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Instead of GATEHOUSE_MODEL; offline for none.")
    ] = None,
    json_: Json = False,
) -> None:
    """Asks each question of a file, compares the rows with its reference, and reports."""
    if model is not None:
        os.environ["GATEHOUSE_MODEL"] = model
    lines = _lines(file)
    scored: list[Scored] = []
    skipped: list[str] = []
    stopped = False
    with parts() as opened:
        who, label = caller(opened, as_), opened.runs.label
        cases = list(_cases(lines, source or [], opened, who, skipped))
        columns = (TextColumn("{task.description}"), MofNCompleteColumn())
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("Asking", total=len(cases))
            try:
                for case in cases:
                    scored.append(_scored(opened, who, case))
                    bar.update(task, advance=1, description=f"{case.id} {scored[-1].verdict}")
            except KeyboardInterrupt:
                stopped = True
    if json_:
        show_json(_facts(label, scored, skipped, stopped=stopped))
    else:
        _print(label, scored, skipped)
    if stopped:
        err.print(f"Stopped after {len(scored)} of {len(cases)} questions.", markup=False)
        raise typer.Exit(130)


def _lines(file: Path) -> list[_Line]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        fail(f"{file} cannot be read as UTF-8 text.")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_Line.model_validate_json(line))
        except ValidationError as error:
            what = error.errors()[0]
            key = ".".join(str(p) for p in what["loc"]) or "the line"
            fail(f"{file}, line {number}: {key}: {what['msg']}.")
    return found


def _cases(
    lines: Sequence[_Line], given: Sequence[str], opened: Parts, who: Caller, skipped: list[str]
) -> Iterator[_Case]:
    named = dict(one.split("=", 1) for one in given if "=" in one)
    plain = next((one for one in given if "=" not in one), None)
    usable = opened.gate.sources(who)
    for name in [*named.values(), *([plain] if plain else [])]:
        if name not in usable:
            fail(f"There is no source {name} for {who.principal.name}.")
    for number, line in enumerate(lines, 1):
        source = line.source or named.get(line.db or "") or plain
        if source is None or source not in usable:
            skipped.append(f"{line.id or number}: no source {line.source or line.db or 'given'}")
            continue
        today = opened.policy.sources[source].today
        if line.today is not None and str(today) != line.today:
            skipped.append(f"{line.id or number}: meant for {line.today}, not {today or 'today'}")
            continue
        yield _Case(line=line, source=source, number=number)


def _scored(opened: Parts, who: Caller, case: _Case) -> Scored:
    from agent.evaluation import Scored, same_rows, verdict_of

    conversation = _conversation(opened, who, case.source)
    turn, answer, elapsed_ms = _asked(opened, who, conversation, case.line.question)
    sql, rows, statements, repairs = _taken(opened, turn, answer)
    tokens, cost = _usage(opened, turn)
    same, said, status = False, answer.text, str(answer.status)
    if case.line.sql is not None and answer.status == "answered":
        reference = _reference(opened, who, conversation, case)
        if isinstance(reference, str):
            said, status = f"the reference did not run: {reference}", "failed"
        else:
            same = same_rows(reference, rows)
    answerable = case.line.sql is not None
    return Scored(
        id=case.id,
        question=case.line.question,
        tag=case.line.tag,
        verdict=verdict_of(status, answerable=answerable, same=same),
        answerable=answerable,
        elapsed_ms=elapsed_ms,
        statements=statements,
        repairs=repairs,
        tokens=tokens,
        cost_micros=cost,
        said=said,
        sql=sql,
    )


def _conversation(opened: Parts, who: Caller, source: str) -> str:
    """A conversation of its own for each question, so that none helps another."""
    from store import conversations

    with opened.store.write() as conn:
        return conversations.create(
            conn, owner=who.principal.id, source=source, title=_TITLE, now=opened.store.now()
        ).id


def _asked(
    opened: Parts, who: Caller, conversation: str, question: str
) -> tuple[str, Answer, float]:
    """Asks; where the person's rate is used up, waits for the next minute and asks once more."""
    for last in (False, True):
        started = time.perf_counter()
        turn, answer = opened.runs.run(question, conversation=conversation, caller=who)
        elapsed_ms = (time.perf_counter() - started) * 1_000
        if last or answer.refusal is None or answer.refusal.rule != _MINUTE:
            break
        _wait()
    return turn, answer, elapsed_ms


def _reference(
    opened: Parts, who: Caller, conversation: str, case: _Case
) -> Sequence[Sequence[object]] | str:
    """Returns the rows of the reference, which the guard judges too, or why there are none."""
    from dataclasses import replace

    from guard import GuardError, Refused

    # The same pseudonyms as in the answer; a task of its own, for limits of a task are not shared.
    one = replace(who, session=conversation, request=f"{who.request}-{case.number}")
    for last in (False, True):
        try:
            sql = case.line.sql or ""
            why = "Reference of an evaluation"
            return opened.gate.query(sql, source=case.source, caller=one, why=why).rows()
        except Refused as refused:
            if last or refused.refusal.rule != _MINUTE:
                return refused.refusal.reason
            _wait()
        except GuardError as error:
            return str(error)
    return "no rows"


def _wait() -> None:
    err.print("The rate of statements a minute is used up; waiting for the next.", style="dim")
    time.sleep(61 - time.time() % 60)


def _taken(
    opened: Parts, turn: str, answer: Answer
) -> tuple[str | None, Sequence[Sequence[object]], int, int]:
    """Returns the statement that answered, its rows, and how many were sent and mended."""
    from agent import unpack
    from guard import plain_rows
    from store import steps

    with opened.store.read() as conn:
        taken = steps.list_of(conn, turn)
        packed = steps.blob(conn, turn, answer.query) if answer.query else None
    queries = [s for s in taken if s.kind == "query"]
    args = next((s.args_json for s in queries if s.call_id == answer.query), "{}")
    repairs = sum('"fixable":true' in (s.result_json or "") for s in queries)
    rows = plain_rows(unpack(packed)) if packed else []
    return json.loads(args).get("sql"), rows, len(queries), repairs


def _usage(opened: Parts, turn: str) -> tuple[int, int | None]:
    """Returns tokens, and the cost in millionths where the model's answers said one."""
    from store import turns

    with opened.store.read() as conn:
        kept = turns.get(conn, turn).usage_json
    facts = json.loads(kept) if kept else {}
    usage = facts.get("usage") or {}
    tokens = int(usage.get("input_tokens") or 0) + int(usage.get("output_tokens") or 0)
    cost = usage.get("cost")
    if cost is None:
        return tokens, None if tokens else 0
    return tokens, round(float(cost) * 1_000_000)


def _facts(
    label: str, scored: Sequence[Scored], skipped: Sequence[str], *, stopped: bool
) -> dict[str, object]:
    from agent.evaluation import by_tag, report

    return {
        "model": label,
        "stopped": stopped,
        "report": asdict(report(scored)),
        "by_tag": {tag: asdict(one) for tag, one in by_tag(scored).items()},
        "questions": [asdict(one) for one in scored],
        "skipped": list(skipped),
    }


def _print(label: str, scored: Sequence[Scored], skipped: Sequence[str]) -> None:
    from agent.evaluation import by_tag, report

    heads = ("", "all", "right", "of answered", "refused", "back", "failed", "mended")
    table = Table(*heads, "p50/p95 ms", title=label, box=None)
    for tag, one in by_tag(scored).items():
        table.add_row(*_row(tag, one))
    whole = report(scored)
    table.add_section()
    table.add_row(*_row("all", whole))
    out.print(table)
    cost = "not known" if whole.cost_micros is None else f"{whole.cost_micros / 1_000_000:.4f}"
    out.print(
        f"{whole.statements} statements, {whole.tokens:,} tokens, cost {cost}. Rightly refused: "
        f"{whole.refused_rightly} of {whole.questions - whole.answerable}."
    )
    for miss in scored:
        if miss.verdict not in ("right", "refused_rightly"):
            line = (
                f"{miss.verdict}: {miss.id} {miss.question!r}: {' '.join(miss.said.split())[:200]}"
            )
            out.print(line, markup=False, highlight=False)
    if skipped:
        out.print(f"{len(skipped)} lines skipped. First: {skipped[0]}", markup=False)


def _row(tag: str, one: Report) -> tuple[str, ...]:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.0%}"

    times = "-" if one.p50_ms is None else f"{one.p50_ms:.0f}/{one.p95_ms or 0:.0f}"
    return (
        tag.replace("[", "\\["),
        str(one.questions),
        f"{one.right}/{one.answerable} {share(one.accuracy)}",
        share(one.precision),
        str(one.refused + one.refused_rightly),
        str(one.asked_back),
        str(one.failed),
        str(one.repairs),
        times,
    )
