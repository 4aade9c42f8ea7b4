"""A result on its way out: every column redacted by its verdict, by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from redaction import masks, reasons
from redaction.arrow import Done, blank, redact_array
from redaction.cells import Context
from redaction.detect.person import read
from redaction.detect.presidio import toolkit
from redaction.entities import MASKED, Sink
from redaction.errors import RedactionError
from redaction.key import SessionKey
from redaction.labels import masked_label
from redaction.verdict import ColumnReport, ColumnVerdict


@dataclass(frozen=True, kw_only=True)
class Redacted:
    """A table that may be shown at the sink it was made for, and a report for each column."""

    table: pa.Table
    columns: tuple[ColumnReport, ...]


def redact_table(
    table: pa.Table, verdicts: Sequence[ColumnVerdict], *, sink: Sink, key: SessionKey
) -> Redacted:
    """Returns `table` as it may be shown at `sink`: same width and length, columns by position.

    A column in which something is masked becomes text (bytes stay bytes); the others keep their
    type. The input is not changed. Labels that hold personal data are masked too.

    Raises:
        RedactionError: Anything went wrong. The caller MUST show no rows.
    """
    if len(verdicts) != table.num_columns:
        raise RedactionError(
            f"{table.num_columns} columns came with {len(verdicts)} verdicts, so none is shown."
        )
    try:
        context = Context(tools=toolkit(), sink=sink, key=key)
        done = [_column(table.column(i), v, context) for i, v in enumerate(verdicts)]
        redacted = pa.Table.from_arrays([a for a, _ in done], names=[r.name for _, r in done])
    except RedactionError:
        raise
    except Exception as error:
        # Not chained: the message of a foreign error may quote a value.
        name = type(error).__name__
        raise RedactionError(f"The result could not be redacted ({name}).") from None
    if redacted.num_rows != table.num_rows:
        raise RedactionError("The redacted result lost or gained rows, so none is shown.")
    return Redacted(table=redacted, columns=tuple(report for _, report in done))


def _column(
    column: pa.ChunkedArray, verdict: ColumnVerdict, context: Context
) -> tuple[pa.Array, ColumnReport]:
    array = column.combine_chunks()
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    if verdict.basis in ("implicit", "unknown"):
        done = blank(array, MASKED)
    else:
        relaxed = verdict.is_prose and verdict.model_reads and context.sink == "model"
        done = redact_array(
            array, verdict, replace(context, spans_only=True) if relaxed else context
        )
    return done.array, _report(verdict, done, context)


def _report(verdict: ColumnVerdict, done: Done, context: Context) -> ColumnReport:
    label = _label(verdict, context)
    entities = tuple(sorted(done.entities.items()))
    kinds = tuple(entity for entity, _ in entities)
    return ColumnReport(
        name=label,
        masked_cells=done.masked_cells,
        entities=entities,
        reason=reasons.sentence(verdict, context.sink, label, done.masked_cells, kinds, done.why),
    )


def _label(verdict: ColumnVerdict, context: Context) -> str:
    """Returns the label to show. Where nothing was traced it may be a value, as after a pivot."""
    masked = masked_label(verdict.name, context)
    if masked is not None:
        return masked[0]
    if verdict.basis == "unknown" and read(verdict.name.replace("_", " ")).certain:
        return masks.token(MASKED)
    return verdict.name
