"""The file of a whole diff is made in small pieces, which together are all of it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from guard.changes import RowView, TableView
from ui.reviewing import download

ROWS = 23


def _table() -> TableView:
    rows = tuple(
        RowView(kind="updated", before=(i, "a\nb, ä"), after=(i, "=x"), changed=(False, True))
        for i in range(ROWS)
    )
    return TableView(
        table="t", columns=("id", "v"), masked=(), decided=(), inserted=0, updated=ROWS, deleted=0,
        rows=rows,
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_no_piece_of_a_whole_diff_holds_more_than_some_rows(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_LINES", 4)
    pieces = list(download._encoded([_table(), _table()], suffix))
    assert len(pieces) > 2 * ROWS // 4
    text = b"".join(pieces).decode()
    if suffix == "jsonl":
        found = [json.loads(line)["after"]["id"] for line in text.splitlines()]
        assert found == [*range(ROWS)] * 2
    else:
        lines = list(csv.reader(io.StringIO(text)))
        assert len(lines) == 2 * (1 + 2 * ROWS)
        assert [line[3] for line in lines if line[2] == "after"] == [*map(str, range(ROWS))] * 2
