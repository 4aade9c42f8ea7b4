"""The rows of a change as a table: what differs is marked, and nothing in it acts."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from guard.changes import RowView, TableView
from guard.diff import Cell
from ui import diff

_CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40))
_OURS = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "mark", "em", "p"}


def view(*rows: RowView, columns: tuple[str, ...] = ("id", "name", "city")) -> TableView:
    kinds = [row.kind for row in rows]
    return TableView(
        table="customers",
        columns=columns,
        masked=(),
        decided=(),
        inserted=kinds.count("inserted"),
        updated=kinds.count("updated"),
        deleted=kinds.count("deleted"),
        rows=rows,
    )


def updated(before: tuple[Cell, ...], after: tuple[Cell, ...]) -> RowView:
    changed = tuple(b != a for b, a in zip(before, after, strict=True))
    return RowView(kind="updated", before=before, after=after, changed=changed)


def test_only_the_characters_that_differ_are_marked() -> None:
    drawn = diff.table(view(updated((1, "20000", "Rome"), (1, "35000", "Rome"))))
    assert '<span class="gh-old"><mark>20</mark>000</span>' in drawn
    assert '<span class="gh-new"><mark>35</mark>000</span>' in drawn
    assert drawn.count("<mark>") == 2
    assert "<mark>Rome" not in drawn


def test_nothing_and_an_empty_text_look_different() -> None:
    drawn = diff.table(view(updated((1, None, ""), (1, "x", "y"))))
    assert '<span class="gh-old"><em>NULL</em></span>' in drawn
    assert '<span class="gh-new"><mark>x</mark></span>' in drawn
    gone = diff.table(
        view(RowView(kind="deleted", before=(1, None, ""), after=None, changed=(True,) * 3))
    )
    assert "<em>NULL</em>" in gone
    assert "<em>empty</em>" in gone


def test_each_kind_of_row_has_a_sign_and_a_word_for_it() -> None:
    drawn = diff.table(
        view(
            updated((1, "a", "b"), (1, "c", "b")),
            RowView(kind="inserted", before=None, after=(2, "n", "c"), changed=(True,) * 3),
            RowView(kind="deleted", before=(3, "o", "c"), after=None, changed=(True,) * 3),
        )
    )
    for sign, word in (("~", "changed"), ("+", "added"), ("-", "removed")):
        assert f'<span role="img" aria-label="{word}">{sign}</span>' in drawn
    assert 'role="region" tabindex="0" aria-label="Rows of customers"' in drawn


def test_columns_that_change_stand_after_the_first() -> None:
    columns = tuple(f"c{i}" for i in range(20))
    before = tuple(range(20))
    drawn = diff.table(view(updated(before, (*before[:-1], 99)), columns=columns))
    heads = re.findall(r'<th scope="col" class="gh-number">(\w+)</th>', drawn)
    assert heads[:3] == ["c0", "c19", "c1"]


def test_values_behind_one_mask_are_shown_as_changed_without_saying_how() -> None:
    row = RowView(
        kind="updated",
        before=(1, "<PERSON>", "x"),
        after=(1, "<PERSON>", "x"),
        changed=(False, True, False),
    )
    drawn = diff.table(replace(view(row), masked=("name",), decided=("city",)))
    assert drawn.count("&lt;PERSON&gt;") == 2
    assert "<mark>" not in drawn
    assert 'title="Masked by policy"' in drawn
    assert 'title="Decided when it runs"' in drawn


def test_a_table_out_of_reach_shows_that_and_nothing_else() -> None:
    hidden = replace(view(updated((1, "secret", "b"), (1, "c", "b"))), hidden=True)
    assert "secret" not in diff.table(hidden)
    assert "outside what you can read" in diff.table(hidden)


def test_rows_that_are_left_out_are_counted() -> None:
    row = updated((1, "a", "b"), (1, "c", "b"))
    many = replace(view(*[row] * 5), updated=212)
    assert "12 more rows are not shown" in diff.table(replace(many, rows=(row,) * 200), shown=200)
    assert "210 more rows are not shown" in diff.table(many, shown=2)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@given(
    st.lists(st.tuples(st.tuples(*[_CELLS] * 3), st.tuples(*[_CELLS] * 3)), max_size=4), st.text()
)
def test_no_value_becomes_a_tag_or_an_attribute(
    rows: list[tuple[tuple[Cell, ...], tuple[Cell, ...]]], name: str
) -> None:
    drawn = diff.table(view(*(updated(b, a) for b, a in rows), columns=(name, "b", "c")))
    parser = _Tags()
    parser.feed(drawn)
    assert parser.tags <= _OURS
    assert parser.attributes <= {
        "class",
        "role",
        "tabindex",
        "aria-label",
        "aria-hidden",
        "scope",
        "title",
    }


@given(st.text(max_size=60), st.text(max_size=60))
def test_old_and_new_can_be_read_in_full(old: str, new: str) -> None:
    drawn = diff.table(view(updated((1, old, "x"), (1, new, "x"))))
    found = re.findall(r'<span class="gh-(?:old|new)">(.*?)</span>', drawn, re.DOTALL)
    if old == new:
        return
    from ui.text import visible

    shown = [html.unescape(re.sub(r"</?(?:mark|em)>", "", piece)) for piece in found]
    assert shown == [visible(value) or "" for value in (old, new)]
