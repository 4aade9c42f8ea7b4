"""Records for other systems, as JSON lines: OCSF for security tools, OTLP for telemetry.

Each line carries the record as it was hashed, so the lines can be turned back into what the
verifier reads: `raw_data` of OCSF, the body of OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, get_args

from audit import ocsf, otel
from audit.encoding import canonical
from audit.fields import flatten

Format = Literal["ocsf", "otel"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def translated(lines: Iterable[str], format_: Format, origin: str) -> Iterator[str]:
    """Returns each record of `lines`, the texts that were hashed, in that format, in their order.

    `origin` is the name of the log. A record names the one before it by id where that one was
    among the lines just before; by its hash always.

    Raises:
        Tampered: a line is not one this log wrote.
    """
    before: tuple[str, str, int] | None = None
    for line in lines:
        flat = flatten(line)
        if format_ == "otel":
            yield canonical(otel.logs_data(flat, origin))
            continue
        known = before[1:] if before is not None and before[0] == flat.prev else None
        made = ocsf.event(flat, known, origin)
        kind = ocsf.class_of(flat.type, _kind(flat.values.get("action.kind")))
        before = (flat.hash, flat.id, kind.type_uid)
        yield canonical(made)


def _kind(value: object) -> str | None:
    return value if isinstance(value, str) else None
