"""Where spans go: an OTLP collector over HTTP, as the standard `OTEL_*` variables say.

Switched on by `GATEHOUSE_TELEMETRY=on` together with an endpoint in `OTEL_EXPORTER_OTLP_ENDPOINT`
or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none`
switch it off. `GATEHOUSE_TELEMETRY_CONTENT=on` sends content too, redacted. The provider is our
own and not the process-wide one, so that no library sends spans of its own through it: those of the
model framework, its content switched off, still name tools that a model made up and describe
every tool there is.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from telemetry import spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SWITCH = "GATEHOUSE_TELEMETRY"
CONTENT_SWITCH = "GATEHOUSE_TELEMETRY_CONTENT"
_NAME = "gatehouse"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ON = frozenset({"on", "true", "1", "yes"})
_OFF = frozenset({"", "off", "false", "0", "no"})
_FLUSH_SECONDS = 5.0
"""How long a shutdown waits for a collector at most."""

_lock = threading.Lock()
_provider: TracerProvider | None = None
_sent = ("", False)
"""The collector's host, and whether content goes there too."""


class TelemetryError(Exception):
    """Telemetry is switched on and cannot be set up; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Now:
    """Where spans go at this moment.

    `host` is the collector's, None while nothing is sent; `content` is true where redacted content
    goes with them; `installed` says whether the packages of the `otel` extra are there.
    """

    host: str | None
    content: bool
    installed: bool


def now() -> Now:
    """Returns where spans go at this moment, for whoever checks a set-up."""
    with _lock:
        on, (host, content) = _provider is not None, _sent
    return Now(host=host if on else None, content=on and content, installed=_installed())


def _installed() -> bool:
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401  # whether it is there
    except ImportError:
        return False
    return True


def configure_from(environment: Mapping[str, str], redact: Callable[[str], str]) -> None:
    """Has spans go where the variables say, in place of where they went before.

    `redact` is what content passes before it leaves.

    Raises:
        TelemetryError: a variable cannot be used, or the packages are not installed.
    """
    global _provider, _sent
    content = _switched(environment, CONTENT_SWITCH)
    endpoint = _endpoint(environment) if _wanted(environment) else None
    close()
    if endpoint is None:
        return
    provider = _made(endpoint, environment)
    with _lock:
        _provider, _sent = provider, (urlsplit(endpoint).hostname or "", content)
    spans.send(spans.Sending(tracer=provider.get_tracer(_NAME), redact=redact if content else None))


def close() -> None:
    """Sends what is left, for a few seconds at most, and nothing from then on."""
    global _provider
    spans.send(None)
    with _lock:
        provider, _provider = _provider, None
    if provider is None:
        return
    # A collector that does not answer is not waited for: the thread dies with the process.
    ending = threading.Thread(target=provider.shutdown, name="telemetry-end", daemon=True)
    ending.start()
    ending.join(_FLUSH_SECONDS)


def _wanted(environment: Mapping[str, str]) -> bool:
    if not _switched(environment, SWITCH):
        return False
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().casefold() == "true"
    return not disabled and environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "none"


def _switched(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").strip().casefold()
    if value not in _ON | _OFF:
        raise TelemetryError(f"{name} is neither on nor off.")
    return value in _ON


def _endpoint(environment: Mapping[str, str]) -> str:
    protocol = next((p for n in _PROTOCOLS if (p := environment.get(n, "").strip())), None)
    if protocol not in (None, "http/protobuf"):
        raise TelemetryError("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is spoken.")
    base = environment.get(_ENDPOINT, "").strip()
    url = environment.get(_TRACES, "").strip() or (base and f"{base.rstrip('/')}/v1/traces")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TelemetryError(
            f"{SWITCH} is on and {_ENDPOINT} is no http or https address of a collector. Set it, "
            f"or {SWITCH}=off."
        )
    return url


def _made(endpoint: str, environment: Mapping[str, str]) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TelemetryError(
            f"{SWITCH} is on and its packages are not installed. Run: pip install 'gatehouse[otel]'"
        ) from error
    # A collector that is away is no reason to fill the console's own log.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    named = environment.get("OTEL_SERVICE_NAME", "").strip() or _NAME
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: named}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider
