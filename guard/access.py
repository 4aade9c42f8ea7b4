"""The facts of a statement: what it touches and does. Built by `guard.classify` only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guard.errors import Refusal

Tier = Literal["read", "write", "ddl", "admin", "session", "unknown"]
Clause = Literal[
    "output",
    "compute",
    "where",
    "join",
    "group",
    "having",
    "order",
    "distinct",
    "setop",
    "set",
    "other",
]
"""Where a column stands. `compute` is an output too, under something whose rows, NULLs or failure
would tell about the value even where every cell is masked. `set` is a column that a change gives a
value, where the preview tells whether the value was there before."""


@dataclass(frozen=True, kw_only=True)
class ColumnUse:
    """A real column of a real table and where it stands.

    `lookup` is true for an equality or IN comparison with literals only
    (`email = 'a@b.example'`) that stands in a filter or join condition by itself or under AND and
    OR, and for `set`, which tells as much. Without a catalog `table` is what the text says, empty
    where it says nothing.
    """

    table: str
    column: str
    clause: Clause
    lookup: bool = False


@dataclass(frozen=True, kw_only=True)
class TokenUse:
    """A pseudonym that stands as a constant in a look-up, and the base column it is compared with.

    `table` and `column` are empty where it is compared with anything else than the stored values of
    one column.
    """

    token: str
    table: str = ""
    column: str = ""


@dataclass(frozen=True, kw_only=True)
class SchemaChange:
    """The tables that a change of the schema names; `created` is the new one, if there is one.

    `any_table` is true for an index that is dropped: its name does not tell whose it is. `columns`
    are those of known tables: `where` for one whose values are tried, else `output`. `renamed` is
    the column that gets another name.
    """

    tables: tuple[str, ...]
    created: str | None = None
    any_table: bool = False
    columns: tuple[ColumnUse, ...] = ()
    renamed: str | None = None


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a statement touches and does.

    `tier` is the worst effect anywhere in the tree; `verb` the leading one (`select`, `update`,
    `create`). `tables` are all base tables read or written, behind views and CTEs when a catalog
    was given; `named` those the text itself names (views included); `writes` those it changes.
    `tokens` has one entry
    for each pseudonym in a look-up. `functions` are lower-case. `problems` are reasons to refuse
    whatever the policy says: empty means every part is known.
    """

    tier: Tier
    verb: str
    tables: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    tokens: tuple[TokenUse, ...] = ()
    functions: tuple[str, ...] = ()
    problems: tuple[Refusal, ...] = ()
    schema: SchemaChange | None = None
    """What a change of the schema names, where it is one that may be proposed."""
