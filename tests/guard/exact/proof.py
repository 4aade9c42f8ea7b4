"""One statement through preview, apply and undo, checked against the rows as they really are."""

from __future__ import annotations

from collections import Counter

from guard.diff import Diff
from guard.engines.base import Cancel, Change, ChangeCaps
from guard.errors import Refused
from tests.guard.exact.grounds import Duck, Dump, Inside, Lite, Post

CAPS = ChangeCaps(max_rows=10_000, shown_rows=10_000, timeout_ms=20_000, lock_timeout_ms=2_000)
Outcome = str
"""`exact`, `no rows`, or the rule that refused the preview.

`exact, not proven before`: a large SQLite file is previewed in place, where the way back is tried
under the references row by row; what that refuses is told as unproven, and is exact all the same.
"""


def proven(ground: Lite | Duck | Post, sql: str, target: str) -> Outcome:
    """Returns how the statement went; fails where anything is not exact."""
    before, whole = ground.dump(), ground.whole()
    sha = "0" * 64
    try:
        diff = ground.engine.preview(Change(source="s", sql=sql, targets=(target,)), CAPS, Cancel())
    except Refused as refused:
        assert ground.whole() == whole, "a refused preview left something behind"
        return refused.refusal.rule
    assert ground.whole() == whole, "a preview left something behind"
    decided = tuple((t.table, t.decided) for t in diff.tables)
    change = Change(source="s", sql=sql, targets=(target,), decided=decided)
    done = ground.engine.apply(change, CAPS, lambda _: None, Cancel())
    after = ground.dump()
    assert done.diff.fingerprint(sha) == diff.fingerprint(sha), "apply is not what was previewed"
    _explains(ground, diff, before, after, leaving_out=dict(decided))
    _explains(ground, done.diff, before, after, leaving_out={})
    if diff.total == 0:
        assert after == before, "the diff is empty and something changed"
        return "no rows"
    assert ground.engine.find(done.undo_image) == "after", "it is not found to be applied"
    doubted = (
        isinstance(ground, Lite) and isinstance(ground.engine, Inside) and not diff.undo_verified
    )
    assert doubted or diff.undo_verified, f"the way back was not proven: {diff.undo_notes}"
    undo = Change(source="s", sql=None, undo_image=done.undo_image)
    back = ground.engine.preview(undo, CAPS, Cancel())
    assert ground.dump() == after, "the preview of an undo left something behind"
    undone = ground.engine.apply(undo, CAPS, lambda _: None, Cancel())
    assert undone.diff.fingerprint(sha) == back.fingerprint(sha), "undo is not what it showed"
    assert ground.whole() == whole, "undo did not restore everything"
    return "exact, not proven before" if doubted else "exact"


def _explains(
    ground: Lite | Duck | Post,
    diff: Diff,
    before: Dump,
    after: Dump,
    *,
    leaving_out: dict[str, tuple[str, ...]],
) -> None:
    """The rows before, less and plus those of the diff, are the rows after: on every table."""
    shown = {t.table: t for t in diff.tables}
    assert shown.keys() <= before.keys(), "the diff names a table that is not there"
    for name, old in before.items():
        if name not in shown:
            assert old == after[name], f"{name} changed and is not in the diff"
            continue
        table = shown[name]
        columns = ground.columns(name)
        assert list(table.columns) == columns, f"{name}: other columns"
        kinds = Counter(r.kind for r in table.rows)
        assert (kinds["inserted"], kinds["updated"], kinds["deleted"]) == (
            table.inserted,
            table.updated,
            table.deleted,
        ), f"{name}: other counts than rows"
        gone = Counter(_row(ground, r.before) for r in table.rows if r.before is not None)
        new = Counter(_row(ground, r.after) for r in table.rows if r.after is not None)
        assert gone <= old, f"{name}: a row of the diff was never there"
        kept = [i for i, c in enumerate(columns) if c not in leaving_out.get(name, ())]
        assert _some(old - gone, kept) + _some(new, kept) == _some(after[name], kept), name


def _row(ground: Lite | Duck | Post, cells: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(ground.told(c) for c in cells)  # type: ignore[arg-type]


def _some(rows: Counter[tuple[str, ...]], places: list[int]) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for row, times in rows.items():
        found[tuple(row[i] for i in places)] += times
    return found
