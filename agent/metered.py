"""Every request to a model passes here: reserved first, streamed, retried with care, then settled.

An answer goes on to the run only once it is complete, so a stream that breaks off never gives half
a tool call. Each attempt is reserved and settled by itself.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic_ai.exceptions import (
    CostNotFoundWarning,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    UnexpectedModelBehavior,
    UsageLimitUnavailableWarning,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    ModelResponsePartDelta,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

import telemetry
from agent.checkpoint import Checkpoints
from agent.deps import Stopped
from agent.models import AnyModel
from guard import Cancel, ModelRequest, ModelSpending
from store import StoreBusy

# The framework goes on without a limit where it knows no price or no usage; ours never may.
for _category in (CostNotFoundWarning, UsageLimitUnavailableWarning):
    warnings.filterwarnings("error", category=_category)

ATTEMPTS = 3
"""How often one request is sent while it fails in passing: busy, unreachable, broken off."""
MOST_WAIT_SECONDS = 20.0
"""A provider that asks for a longer wait is not waited for."""
SILENCE_SECONDS = 90
"""How long a provider may send nothing at all."""
MAX_ANSWER_BYTES = 1_000_000
"""An answer that is longer is broken off, whatever the provider says of its tokens."""
_FRAME_BYTES = 4_096
"""What a provider's own wording around the messages may come to."""
_POLL_SECONDS = 0.1
_SAY_SECONDS = 0.4
_MOST_SAID = 4_000
_T = TypeVar("_T")

Reserve = Callable[[ModelRequest], AbstractContextManager[ModelSpending]]


class TooLong(UnexpectedModelBehavior):
    """The answer was broken off because of its size; nothing of it is used."""


class _NoStream(Exception):
    """The provider was asked to stream and sent nothing that is a stream."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """What a run is told while a model answers. Each is called with plain text of our own or its.

    `saying` gets all the model has said in this answer so far, `again` why a request is sent once
    more.
    """

    saying: Callable[[str], None]
    again: Callable[[str], None]


class Saying:
    """Keeps what a model is saying for the page, as often as a page can show it."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._kept_at = float("-inf")

    def __call__(self, text: str) -> None:
        """Keeps the text, unless another was kept a moment ago."""
        now = time.monotonic()
        if now - self._kept_at < _SAY_SECONDS:
            return
        self._kept_at = now
        with suppress(StoreBusy):  # it is only for the screen, and there is more to come
            self._checkpoints.say(text[:_MOST_SAID])


class MeteredModel(WrapperModel):
    """A model of one run, whose requests are paid for, can be stopped, and stream."""

    def __init__(
        self,
        wrapped: AnyModel,
        *,
        reserve: Reserve,
        listener: Listener,
        cancel: Cancel,
        max_output_tokens: int,
        stream: bool,
    ) -> None:
        """`reserve` raises `guard.Refused` where the budget does not allow the request."""
        super().__init__(wrapped)
        self._reserve = reserve
        self._listener = listener
        self._cancel = cancel
        self._max_output_tokens = max_output_tokens
        self._stream = stream

    @property
    def streams(self) -> bool:
        """False once the provider has turned out to give whole answers only."""
        return self._stream

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Returns one complete answer.

        Raises:
            guard.Refused: a budget is used up; nothing was sent.
            Stopped: the person stopped the run, or its time was up.
            ModelAPIError: the provider does not answer, however often it is asked.
        """
        settings = ModelSettings(**(model_settings or {}))
        settings["max_tokens"] = self._max_output_tokens
        settings["max_retries"] = 0  # what the client repeats by itself nobody reserves
        settings["timeout"] = SILENCE_SECONDS
        worst = ModelRequest(
            model=self.wrapped.model_name,
            input_tokens=_most_tokens(messages, model_request_parameters),
            output_tokens=self._max_output_tokens,
        )
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._reserve(worst) as spending, self._measured(attempt) as span:
                    response = await self._sent(
                        messages, settings, model_request_parameters, spending
                    )
                    usage = response.usage
                    span.set(
                        {
                            "gen_ai.usage.input_tokens": usage.input_tokens,
                            "gen_ai.usage.output_tokens": usage.output_tokens,
                        }
                    )
                    return response
            except ModelAPIError as error:
                if attempt == ATTEMPTS or not _passes(error):
                    raise
                wait = error.retry_after if error.retry_after is not None else 0.25 * 4**attempt
                if wait > MOST_WAIT_SECONDS:
                    raise
                self._listener.again(why_failed(error))
                await self._unless_stopped(asyncio.sleep(max(0.0, wait)))
            except _NoStream:
                self._stream = False
                self._listener.again("it does not stream")
        raise UnexpectedModelBehavior("no attempt gave an answer")

    def _measured(self, attempt: int) -> telemetry.Span:
        name = self.wrapped.model_name
        return telemetry.span(
            f"chat {name}",
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": self.wrapped.system,
                "gen_ai.request.model": name,
                "gen_ai.request.max_tokens": self._max_output_tokens,
                "gatehouse.attempt": attempt,
            },
            kind="client",
        )

    async def _sent(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        spending: ModelSpending,
    ) -> ModelResponse:
        try:
            answering = (self._streamed if self._stream else self._whole)(
                messages, settings, parameters
            )
            response = await self._unless_stopped(answering)
        except ModelAPIError as error:
            if _did_no_work(error):
                spending.unsent()
            raise
        usage = response.usage
        if usage.input_tokens > 0 and usage.output_tokens > 0:
            spending.used(usage.input_tokens, usage.output_tokens)
        return response

    async def _whole(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
    ) -> ModelResponse:
        response = await self.wrapped.request(messages, settings, parameters)
        if sum(len(_text(p)) for p in response.parts) > MAX_ANSWER_BYTES:
            raise TooLong("the answer is too long")
        return response

    async def _streamed(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
    ) -> ModelResponse:
        try:
            return await self._events(messages, settings, parameters)
        except TooLong:
            raise
        except UnexpectedModelBehavior as error:
            # How the framework finds a stream without a single event in it.
            raise _NoStream from error

    async def _events(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
    ) -> ModelResponse:
        said, size = "", 0
        async with self.wrapped.request_stream(messages, settings, parameters) as stream:
            async for event in stream:
                text = ""
                if isinstance(event, PartStartEvent):
                    size += len(_text(event.part))
                    if isinstance(event.part, TextPart):
                        text = event.part.content
                elif isinstance(event, PartDeltaEvent):
                    delta = event.delta
                    if isinstance(delta, TextPartDelta):
                        text = delta.content_delta
                    size += len(_delta(delta))
                if size > MAX_ANSWER_BYTES:
                    raise TooLong("the answer is too long")
                if text:
                    said += text
                    self._listener.saying(said)
            return stream.get()

    async def _unless_stopped(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Returns what `work` gives, or ends it once the run is stopped."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                if self._cancel.is_set():
                    raise Stopped
                await asyncio.wait({task}, timeout=_POLL_SECONDS)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, ModelAPIError):
                    await task


def _most_tokens(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> int:
    """Returns how many tokens a request has at most: no tokenizer makes two of one byte."""
    tools = [*parameters.function_tools, *parameters.output_tools]
    described = sum(
        len(f"{t.name}{t.description or ''}{t.parameters_json_schema}".encode()) for t in tools
    )
    return len(ModelMessagesTypeAdapter.dump_json(list(messages))) + described + _FRAME_BYTES


def _text(part: object) -> str:
    if isinstance(part, TextPart):
        return part.content
    return f"{part.tool_name}{part.args}" if isinstance(part, ToolCallPart) else ""


def _delta(delta: ModelResponsePartDelta) -> str:
    if isinstance(delta, ToolCallPartDelta):
        return f"{delta.tool_name_delta or ''}{delta.args_delta or ''}"
    return getattr(delta, "content_delta", None) or ""


def _passes(error: ModelAPIError) -> bool:
    """True for what may be gone at the next try."""
    lasting = (ModelRequestRejectedError, ModelQuotaExceededError, ModelRequestTimeout)
    return not isinstance(error, lasting)


def _did_no_work(error: ModelAPIError) -> bool:
    """True where the provider has refused the request, or never got it."""
    if isinstance(error, ModelConnectionError):
        return error.phase in ("pool", "connect")
    return isinstance(error, ModelHTTPError) and not error.in_stream


def why_failed(error: ModelAPIError) -> str:
    """Returns why a request failed, in our own words: a provider's text is not ours to repeat."""
    if isinstance(error, ModelHTTPError):
        return f"status {error.status_code}"
    if isinstance(error, ModelConnectionError) and error.phase in ("pool", "connect"):
        return "no connection"
    return "the answer broke off"
