"""A DuckDB file made anew for each change, its write role, and all rows of a table as texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from guard.address import FileAddress
from guard.diff import Diff
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Captured, Change, ChangeCaps, ChangeEngine

CAPS = ChangeCaps(max_rows=100_000, shown_rows=1_000, timeout_ms=60_000, lock_timeout_ms=500)
Texts = tuple[str | None, ...]


@dataclass
class Shop:
    """Where the file is and what makes it. `table` is the one that is changed and looked at."""

    path: Path
    script: str
    table: str = "t"
    engine: ChangeEngine | None = None

    def _engine(self) -> ChangeEngine:
        assert self.engine is not None
        return self.engine

    def dump(self) -> Counter[Texts]:
        """Returns every row of the table as the engine's own texts."""
        with duckdb.connect(str(self.path)) as connection:
            found = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {self.table}").fetchall()
        return Counter(found)

    def shown(self, sql: str) -> Diff:
        """Returns the preview."""
        change = Change(source="s", sql=sql, targets=(self.table,))
        return self._engine().preview(change, CAPS, Cancel())

    def applied(self, sql: str) -> tuple[Diff, Captured, Counter[Texts]]:
        """Returns the preview, what was applied, and the rows then; both have one fingerprint."""
        shown = self.shown(sql)
        decided = tuple((t.table, t.decided) for t in shown.tables)
        change = Change(source="s", sql=sql, targets=(self.table,), decided=decided)
        done = self._engine().apply(change, CAPS, lambda _: None, Cancel())
        sha = "0" * 64
        assert done.diff.fingerprint(sha) == shown.fingerprint(sha)
        return shown, done, self.dump()

    def undone(self, done: Captured) -> None:
        """Takes it back."""
        change = Change(source="s", sql=None, undo_image=done.undo_image)
        self._engine().apply(change, CAPS, lambda _: None, Cancel())


@contextmanager
def opened_shop(shop: Shop) -> Iterator[tuple[Shop, Counter[Texts]]]:
    """Makes the file anew and gives its rows."""
    shop.path.unlink(missing_ok=True)
    with duckdb.connect(str(shop.path)) as connection:
        connection.execute(shop.script)
    address = FileAddress(path=shop.path)
    reader = open_engine("duckdb", address, source="s")
    shop.engine = open_change_engine("duckdb", address, source="s", reader=reader)
    try:
        yield shop, shop.dump()
    finally:
        shop.engine.close()
        reader.close()
        shop.engine = None
