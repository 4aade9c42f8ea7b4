"""What running a change for its preview leaves behind, for each engine."""

from __future__ import annotations

from collections.abc import Mapping

LEFT_BEHIND: Mapping[str, str] = {
    "sqlite": "It ran on a copy of the file or was rolled back. Nothing is left behind; others who "
    "write to the file may have waited.",
    "duckdb": "It ran in a transaction that was rolled back. Nothing is left behind; nobody could "
    "read the file meanwhile.",
    "postgres": "It ran and was rolled back. Sequences may have moved on, row versions take "
    "space until the next vacuum, and the rows were locked meanwhile.",
    "mysql": "It ran and was rolled back. Auto-increment numbers may have moved on, and the rows "
    "were locked meanwhile.",
}
UNKNOWN = "What it leaves behind in this engine is not known."
