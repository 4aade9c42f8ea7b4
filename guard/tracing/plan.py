"""What the walk learns on its way that a rewrite of the same tree needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp


@dataclass
class Plan:
    """Findings about nodes of one tree, by the `id` of the node; the tree must stay alive.

    `stars`: what a `*` stands for, None where it may stay as it is. `prefixes`: how many leading
    names of a dotted column only repeat the table's schema. `naturals`: the columns that a NATURAL
    join joins on. `whole_rows`: some table is used as one value. `doubts`: what could not be
    followed well enough to be written anew.
    """

    stars: dict[int, list[exp.Expr] | None] = field(default_factory=dict)
    prefixes: dict[int, int] = field(default_factory=dict)
    naturals: dict[int, list[exp.Identifier]] = field(default_factory=dict)
    whole_rows: bool = False
    doubts: list[str] = field(default_factory=list)
