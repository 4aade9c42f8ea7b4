"""What the server's planner expects of a statement, from `EXPLAIN FORMAT=JSON`.

A join reads each table once for every row of those before it, so a step reads the product.
https://mariadb.com/kb/en/explain-format-json/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from guard.engines.base import Estimate

_READS = ("rows_examined_per_scan", "rows")
_MOST = 1 << 62


def estimate(told: Sequence[tuple[str | None, ...]]) -> Estimate | None:
    """Returns the most rows a step of the plan reads; None where the plan says nothing of rows."""
    if not told or told[0][0] is None:
        return None
    plan = json.loads(told[0][0])
    rows = _most(plan)
    return None if rows is None else Estimate(rows=min(round(rows), _MOST), bytes=None)


def _most(node: object) -> float | None:
    """Returns the largest step under a node of the plan."""
    if isinstance(node, list):
        return max((m for m in map(_most, node) if m is not None), default=None)
    if not isinstance(node, dict):
        return None
    found = []
    if isinstance(node.get("nested_loop"), list):
        found.append(_joined(node["nested_loop"]))
    own = _rows(node)
    found.append(own)
    found.extend(_most(value) for key, value in node.items() if key != "nested_loop")
    found.append(_most(node.get("nested_loop")))
    return max((f for f in found if f is not None), default=None)


def _joined(steps: Sequence[object]) -> float | None:
    """Returns the most rows a step of one join reads."""
    before, most = 1.0, None
    for step in steps:
        read = _table(step)
        if read is None:
            continue
        rows, kept = read
        most = max(most or 0.0, before * rows)
        before *= rows * kept
    return most


def _table(step: object) -> tuple[float, float] | None:
    """Returns how many rows one step reads for each row before it, and the part it keeps."""
    if not isinstance(step, dict):
        return None
    rows = _rows(step)
    if rows is not None:
        filtered = step.get("filtered", 100)
        return rows, float(filtered) / 100
    for value in step.values():
        found = _table(value)
        if found is not None:
            return found
    return None


def _rows(node: Mapping[str, object]) -> float | None:
    for key in _READS:
        value = node.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None
