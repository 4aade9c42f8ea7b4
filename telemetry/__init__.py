"""What the console did and how long it took, as OpenTelemetry spans. Off unless it is switched on.

A span carries numbers, ids and names that an admin has written (tools, sources, tables, rules),
never what people ask, what statements say or what sources hold. Nothing here can fail a run.
"""

from telemetry.export import Now, TelemetryError, close, configure_from, now
from telemetry.spans import ATTRIBUTES, CONTENT, Span, Value, guarded, note, span

__all__ = [
    "ATTRIBUTES",
    "CONTENT",
    "Now",
    "Span",
    "TelemetryError",
    "Value",
    "close",
    "configure_from",
    "guarded",
    "note",
    "now",
    "span",
]
