"""What a run ends with: how the question was read, and the answer the person sees."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage, ModelResponse

from agent.answer import Answer, AskBack, NotAnswerable, Refusal, receipt, turned_down
from agent.deps import Deps, Stopped
from agent.toolset import plan_of
from guard import SourceView

_NAMED = 8
"""Tables that are named to somebody who asks about something else."""

Output = str | AskBack | NotAnswerable


def halted(rule: str, reason: str) -> Answer:
    """Returns the answer of a run that used up what one question may take."""
    return turned_down(Refusal(rule=rule, reason=f"{reason} Ask something narrower."))


def _purpose(view: SourceView) -> str:
    """Returns what may be asked here, for a question about something else."""
    names = [t.name.replace("_", " ") for t in view.catalog.tables]
    more = f" and {len(names) - _NAMED} more tables" if len(names) > _NAMED else ""
    title = view.settings.title or view.name
    listed = ", ".join(names[:_NAMED])
    return f"This console answers questions about the data of {title}: {listed}{more}."


def reading(history: Sequence[ModelMessage]) -> str | None:
    """Returns how the question was read: the first line of the first plan."""
    answers = (m for m in history if isinstance(m, ModelResponse))
    plans = (plan for answer in answers if (plan := plan_of(answer)) is not None)
    first = next(plans, None)
    return first.partition("\n")[0] if first is not None else None


def cut_short(deps: Deps, reading: str | None) -> Answer:
    """Returns the answer of a run that ended with a final refusal or with a proposal.

    Raises:
        Stopped: it ended because the person stopped it.
    """
    refusal = deps.progress.final
    if refusal is not None:
        if refusal.rule == "stopped" and deps.cancel.is_set():
            raise Stopped
        return turned_down(refusal, reading)
    return Answer(
        status="proposed",
        text=receipt(deps.progress.change or 0, applied=deps.progress.applied),
        interpretation=reading,
        change=deps.progress.change,
    )


def concluded(output: Output, deps: Deps, reading: str | None) -> Answer:
    """Returns what the model gave at its end as the answer of the turn."""
    match output:
        case AskBack():
            return Answer(status="asked_back", text=output.question, options=output.options)
        case NotAnswerable():
            about = f" {_purpose(deps.view)}" if output.off_topic else ""
            text = f"{output.reason}{about}"
            return Answer(status="refused", text=text, suggestions=output.suggestions)
        case str():
            return Answer(
                status="answered",
                text=output,
                interpretation=reading,
                query=deps.progress.query,
                chart=deps.progress.chart,
            )
