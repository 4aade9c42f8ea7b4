"""Spans: made where work begins, ended where it ends, filled with what is on the lists below only.

Names are those of the OpenTelemetry semantic conventions for generative AI (in development there)
and for databases where there is one, and `gatehouse.*` where not.

https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-agent-spans.md
https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-spans.md
https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/database/database-spans.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from opentelemetry import context, trace

Value = str | int | float | bool | tuple[str, ...]
Kind = Literal["internal", "client"]

ATTRIBUTES: Final = frozenset(
    {
        "db.namespace",
        "db.response.returned_rows",
        "db.system.name",
        "error.type",
        "gatehouse.attempt",
        "gatehouse.channel",
        "gatehouse.decision",
        "gatehouse.flags",
        "gatehouse.replayed",
        "gatehouse.resumes",
        "gatehouse.rule",
        "gatehouse.source_us",
        "gatehouse.status",
        "gatehouse.tables",
        "gatehouse.turn",
        "gen_ai.agent.name",
        "gen_ai.conversation.id",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.max_tokens",
        "gen_ai.request.model",
        "gen_ai.tool.call.id",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    }
)
"""What a span may carry. Callers MUST give ids, numbers and names no person or model chose."""
CONTENT: Final = frozenset(
    {
        "db.query.text",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.tool.call.arguments",
    }
)
"""What a span may carry besides, redacted, where content is switched on."""
_LONGEST = 2_000
_KINDS: Final[Mapping[Kind, trace.SpanKind]] = {
    "internal": trace.SpanKind.INTERNAL,
    "client": trace.SpanKind.CLIENT,
}


@dataclass(frozen=True, kw_only=True)
class Sending:
    """Where spans go. `redact` is None where content stays here."""

    tracer: trace.Tracer
    redact: Callable[[str], str] | None


_sending: Sending | None = None
_guarded: ContextVar[Span | None] = ContextVar("guarded", default=None)


def send(sending: Sending | None) -> None:
    """Has spans go there from now on, or nowhere."""
    global _sending
    _sending = sending


class Span:
    """One stretch of work, used in `with`. Harmless where telemetry is off; it never raises."""

    def __init__(self, name: str, kind: Kind, attributes: Mapping[str, Value]) -> None:
        self._name = name
        self._kind = kind
        self._given = attributes
        self._sending = _sending
        self._span: trace.Span | None = None
        self._token: Token[context.Context] | None = None

    def set(self, attributes: Mapping[str, Value | None]) -> None:
        """Adds attributes; those without a value, and those that are on no list, are left out."""
        if self._span is None:
            return
        with suppress(Exception):
            for key, value in attributes.items():
                if value is not None and key in ATTRIBUTES:
                    self._span.set_attribute(key, value)

    def content(self, key: str, text: Callable[[], str]) -> None:
        """Adds what was said, redacted and cut, where content is switched on.

        What cannot be redacted is left out. `text` is only called where it is needed.
        """
        sending = self._sending
        if self._span is None or sending is None or sending.redact is None or key not in CONTENT:
            return
        with suppress(Exception):
            self._span.set_attribute(key, sending.redact(text())[:_LONGEST])

    def failed(self, why: str) -> None:
        """Marks the work as failed; `why` is a class of errors or a rule, never a message."""
        if self._span is None:
            return
        with suppress(Exception):
            self._span.set_attribute("error.type", why)
            self._span.set_status(trace.StatusCode.ERROR)

    def __enter__(self) -> Self:
        if self._sending is not None:
            with suppress(Exception):
                self._span = self._sending.tracer.start_span(self._name, kind=_KINDS[self._kind])
                self._token = context.attach(trace.set_span_in_context(self._span))
                self.set(self._given)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._span is None:
            return
        if kind is not None:
            self.failed(kind.__name__)
        with suppress(Exception):
            if self._token is not None:
                context.detach(self._token)
            self._span.end()


class _Guarded(Span):
    """A call on the gate: the decisions inside it are noted on it."""

    _outer: Token[Span | None] | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        self._outer = _guarded.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._outer is not None:
            _guarded.reset(self._outer)
        super().__exit__(kind, error, traceback)


def span(name: str, attributes: Mapping[str, Value], *, kind: Kind = "internal") -> Span:
    """Returns a span to be entered; spans that are begun inside it are its children."""
    return Span(name, kind, attributes)


def guarded(name: str, attributes: Mapping[str, Value]) -> Span:
    """Returns a span of one call on the gate, on which `note` writes."""
    return _Guarded(name, "internal", attributes)


def note(attributes: Mapping[str, Value | None], text: Callable[[], str] | None = None) -> None:
    """Adds attributes to the call on the gate that is under way, and the statement as content."""
    current = _guarded.get()
    if current is not None:
        current.set(attributes)
        if text is not None:
            current.content("db.query.text", text)
