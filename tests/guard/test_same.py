"""What is kept by a thing is kept by that very thing."""

from __future__ import annotations

from guard.catalog import Column, Table
from guard.same import Same
from guard.scopes import table_outputs


def _table(*names: str) -> Table:
    return Table(name="t", columns=tuple(Column(name=n, type="") for n in names))


def test_equal_things_are_two_keys() -> None:
    one, other = _table("a"), _table("a")
    assert one == other
    assert Same(one) == Same(one)
    assert Same(one) != Same(other)
    assert Same(one) != one


def test_a_table_made_where_another_was_gets_its_own_columns() -> None:
    for number in range(5_000):
        # Freed at once, so that the next one may lie at the same address.
        outputs = table_outputs(_table(f"c{number}"))
        assert [o.name for o in outputs.columns] == [f"c{number}"]
