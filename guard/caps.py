"""Caps on one statement: what it may return, read and take, before and after it ran."""

from __future__ import annotations

from dataclasses import replace

from guard.engines.base import Estimate, Rows
from guard.errors import GuardError, Interrupted, Refused, refuse
from guard.limitpolicy import Limits
from guard.limitrules import Price, seconds


def expected(
    estimate: Estimate | None, limits: Limits, price: Price, source: str
) -> Refused | None:
    """Returns the refusal of a statement that the source expects to be too large, else None."""
    needed = [
        (limits.max_estimated_rows, estimate.rows if estimate else None, "rows"),
        (limits.max_estimated_bytes, estimate.bytes if estimate else None, "bytes"),
        (1 if price.per_gb else None, estimate.bytes if estimate else None, "price"),
    ]
    for cap, number, what in needed:
        if cap is None:
            continue
        if number is None:
            if limits.without_estimate == "refuse":
                return _no_estimate(what, source)
        elif what != "price" and number > cap:
            return _too_large(number, cap, what)
    return None


def _too_large(number: int, cap: int, what: str) -> Refused:
    does = "return" if what == "rows" else "read"
    return refuse(
        f"limit.max_estimated_{what}",
        f"The database expects this to {does} about {number:,} {what}; {cap:,} are allowed.",
        alternative="Filter by a date or a key, or aggregate a smaller part of the table.",
    )


def _no_estimate(what: str, source: str) -> Refused:
    key = {"rows": "max_estimated_rows", "bytes": "max_estimated_bytes", "price": "cost_per_gb"}
    return refuse(
        "limit.without_estimate",
        f"The policy needs to know first what this would read, and {source} gives no estimate of "
        f"its {'bytes' if what == 'price' else what}.",
        part=key[what],
        alternative='An admin can set without_estimate = "run" in the limits of this source.',
    )


def returned(rows: Rows, limits: Limits) -> Rows | Refused:
    """Returns the rows to show, cut at the display cap, or the refusal of too many."""
    if limits.max_rows is not None and rows.truncated:
        return refuse(
            "limit.max_rows",
            f"This returns more than {limits.max_rows:,} rows, the most a statement may return, so "
            "none are shown.",
            alternative=f"Aggregate, filter, or end the statement with LIMIT {limits.shown_rows}.",
        )
    if rows.table.num_rows <= limits.shown_rows:
        return rows
    return replace(rows, table=rows.table.slice(0, limits.shown_rows), truncated=True)


def stopped(error: GuardError, limits: Limits) -> GuardError:
    """Returns the refusal where a cap of the policy stopped the statement, else the error."""
    if not isinstance(error, Interrupted):
        return error
    if error.cause == "timeout":
        return refuse(
            "limit.timeout_seconds",
            f"It was stopped on the server after {seconds(round(limits.timeout_seconds * 1_000))}, "
            "the longest a statement may run.",
            alternative="Narrow the question, or aggregate more coarsely.",
        )
    if error.cause == "bytes":
        return refuse(
            "limit.max_bytes",
            f"The result is larger than {limits.max_bytes:,} bytes, the most a statement may "
            "return, so nothing is shown.",
            alternative="Ask for fewer rows or columns.",
        )
    return error
