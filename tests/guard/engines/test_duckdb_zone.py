"""Both roles of a DuckDB file see moments in UTC, wherever the machine is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

_OLD = "TIMESTAMPTZ '1800-01-01 00:00:00+00'"
"""Local time was then some minutes and seconds apart, which a text does not tell."""
_ROLES = {
    "read": "from guard.engines.child.duckdb_reader import SETTINGS, _open; "
    "found = _open(path, SETTINGS)",
    "write": "from guard.engines.child.duckdb_writer import DuckdbWriter; "
    "found = DuckdbWriter(path, memory=1 << 28, threads=1)._open(read_only=False)",
    "copy": "from guard.engines.child.duckdb_writer import DuckdbWriter; "
    "found = DuckdbWriter(path, memory=1 << 28, threads=1)._copied()",
}


@pytest.mark.parametrize("role", _ROLES)
def test_promise_06_a_moment_is_the_text_that_it_is_read_from(tmp_path: Path, role: str) -> None:
    path = tmp_path / "t.duckdb"
    duckdb.connect(str(path)).close()
    script = (
        f"from pathlib import Path; path = Path({str(path)!r}); {_ROLES[role]}; "
        f'print(found.execute("SELECT CAST({_OLD} AS VARCHAR)").fetchall()[0][0])'
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TZ": "Europe/Berlin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "1800-01-01 00:00:00+00"
