"""Tries the chosen model for real: whether it answers, streams and calls tools. Shows no key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pydantic_ai.exceptions import AgentRunError, ModelAPIError, UnexpectedModelBehavior
from pydantic_ai.messages import ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from agent.metered import Listener, MeteredModel, why_failed
from agent.models import AnyModel, ModelChoice, build
from audit import SYSTEM, AuditEvent, AuditLog, Outcome, shorten
from guard import Caller, Cancel, ConfigurationError, ModelBudget, Refused

_MAX_TOKENS = 256
_MOST_SECONDS = 45.0
_TOOL = "ready"
_ASKED = f"Call the tool {_TOOL} once, with ok set to true, and say one short word before you do."


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a try has shown. `problem` is a sentence, None where all is well.

    `first_ms` is the time to the first word, `total_ms` to the end.
    """

    label: str
    host: str
    answers: bool = False
    streams: bool = False
    calls_tools: bool = False
    first_ms: int | None = None
    total_ms: int | None = None
    problem: str | None = None


class ModelConnection:
    """The way to the chosen model. Safe to share between threads."""

    def __init__(
        self,
        *,
        choice: ModelChoice,
        environment: Mapping[str, str],
        budget: ModelBudget,
        log: AuditLog,
    ) -> None:
        """The key is read from `environment` at each try and kept nowhere."""
        self.choice = choice
        self._environment = environment
        self._budget = budget
        self._log = log

    def test(self, caller: Caller | None = None) -> Tried | None:
        """Returns what one small request shows; None where no model is asked at all.

        The request is paid from the budget of everybody, and recorded.

        Raises:
            audit.AuditError: it cannot be recorded, so nothing was sent.
            store.StoreError: it cannot be counted, so nothing was sent.
        """
        if self.choice.offline:
            return None
        self._record(caller, "Tries the model", "pending")
        tried = self._tried()
        how = "it works" if tried.problem is None else tried.problem
        self._record(caller, f"Tried the model: {how}", "failure" if tried.problem else "success")
        return tried

    def _tried(self) -> Tried:
        nothing = Tried(label=self.choice.label, host="")
        try:
            model = build(self.choice, self._environment)
        except ConfigurationError as error:
            return replace(nothing, problem=str(error))
        nothing = replace(nothing, host=urlsplit(model.base_url or "").hostname or "")
        try:
            return asyncio.run(asyncio.wait_for(self._asked(model, nothing), _MOST_SECONDS))
        except Refused as refused:
            return replace(nothing, problem=refused.refusal.reason)
        except TimeoutError:
            return replace(nothing, problem=f"It gave no answer in {_MOST_SECONDS:.0f} seconds.")
        except ModelAPIError as error:
            return replace(nothing, problem=f"It does not answer: {why_failed(error)}.")
        except (AgentRunError, UnexpectedModelBehavior):
            return replace(nothing, problem="It answers in a way that cannot be understood.")

    async def _asked(self, model: AnyModel, nothing: Tried) -> Tried:
        started = time.monotonic()
        heard: list[float] = []

        def ms(moment: float) -> int:
            return round((moment - started) * 1_000)

        metered = MeteredModel(
            model,
            reserve=self._budget.reserve,
            listener=Listener(
                saying=lambda _: heard.append(time.monotonic()), again=lambda _why: None
            ),
            cancel=Cancel(),
            max_output_tokens=min(_MAX_TOKENS, self._budget.settings.max_output_tokens),
            stream=True,
        )
        request = ModelRequest(parts=[UserPromptPart(_ASKED)])
        response = await metered.request([request], None, _parameters())
        ended = time.monotonic()
        calls = _calls(response)
        return replace(
            nothing,
            answers=True,
            streams=metered.streams,
            calls_tools=calls,
            first_ms=ms(heard[0] if heard else ended),
            total_ms=ms(ended),
            problem=None
            if calls
            else "It answers, but did not call the tool it was asked to call.",
        )

    def _record(self, caller: Caller | None, summary: str, outcome: Outcome) -> None:
        self._log.append(
            AuditEvent(
                type="agent.step",
                actor=caller.actor() if caller is not None else SYSTEM,
                outcome=outcome,
                summary=shorten(f"{summary} ({self.choice.label})"),
            )
        )


def _parameters() -> ModelRequestParameters:
    tool = ToolDefinition(
        name=_TOOL,
        description="Says that tools can be called.",
        parameters_json_schema={
            "type": "object",
            "properties": {"ok": {"type": "boolean"}},
            "required": ["ok"],
            "additionalProperties": False,
        },
    )
    return ModelRequestParameters(function_tools=[tool], allow_text_output=True)


def _calls(response: ModelResponse) -> bool:
    return any(isinstance(p, ToolCallPart) and p.tool_name == _TOOL for p in response.parts)
