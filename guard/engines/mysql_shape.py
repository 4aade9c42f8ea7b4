"""Which changes of MySQL can be previewed exactly, by their text: one table, plain form.

The engine has no log of touched rows that a client may read. What a statement touches is known only
where the rows it picks can be picked by a SELECT of the same tail, or where it names their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from guard.errors import Refused, refuse
from guard.lexical import tokenize
from guard.statement import parse

_TAIL = {TokenType.WHERE, TokenType.ORDER_BY, TokenType.LIMIT}
_TABLE = {"this", "db", "alias"}
_UPDATE = {"this", "expressions", "where", "order", "limit"}
_DELETE = {"this", "where", "order", "limit"}
_INSERT = {"this", "expression"}

Verb = Literal["insert", "update", "delete"]
Value = str | None
"""A key's value as SQL, None where the server makes it."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A change of one table.

    `tail` is the text from WHERE, ORDER BY or LIMIT on, as it stands; `bounded` is true when it has
    a LIMIT. `assigned` are the columns an UPDATE sets. `columns` are those an INSERT names, None
    for all; `rows` the values of each of its rows.
    """

    verb: Verb
    table: str
    schema: str | None
    alias: str | None = None
    tail: str = ""
    bounded: bool = False
    assigned: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    rows: tuple[tuple[exp.Expr, ...], ...] = ()


def inexact(rule: str, why: str, part: str | None = None) -> Refused:
    """Returns the refusal of a change whose rows cannot all be known before it is approved."""
    return refuse(
        f"preview.{rule}",
        f"{why} So it cannot be previewed exactly, and cannot be approved.",
        part=part,
        alternative="On MySQL, change one table at a time: INSERT with VALUES, or UPDATE or DELETE "
        "with a WHERE, on a table with a primary key and without triggers or cascades.",
    )


def shape_of(sql: str) -> Shape:
    """Returns the shape of a change.

    Raises:
        Refused: it has none of the forms above (`preview.*`), or is no statement.
    """
    tree = parse(sql, "mysql").tree
    if isinstance(tree, exp.Update):
        _only(tree, _UPDATE)
        return _picked("update", tree, sql, _assigned(tree.expressions))
    if isinstance(tree, exp.Delete):
        _only(tree, _DELETE)
        return _picked("delete", tree, sql, ())
    if isinstance(tree, exp.Insert):
        return _inserted(tree)
    raise inexact("statement", "This is no INSERT, UPDATE or DELETE.")


def _only(tree: exp.Expr, known: Iterable[str]) -> None:
    extra = sorted(k for k, v in tree.args.items() if v and k not in known)
    named = {"tables": "multi_table", "using": "multi_table", "conflict": "upsert"}
    if extra:
        word = extra[0].strip("_").upper()
        raise inexact(
            named.get(extra[0], "form"), f"The statement has a part, {word}, that hides rows.", word
        )


def _table(node: object) -> exp.Table:
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        raise inexact("form", "The statement does not name its table plainly.")
    if {k for k, v in node.args.items() if v} - _TABLE:
        raise inexact("multi_table", "It changes or reads more than one table at once.", node.name)
    return node


def _assigned(pairs: Sequence[exp.Expr]) -> tuple[str, ...]:
    names = []
    for pair in pairs:
        if not isinstance(pair, exp.EQ) or not isinstance(pair.this, exp.Column):
            raise inexact("form", "The statement does not name the columns it sets plainly.")
        names.append(pair.this.name)
    return tuple(names)


def _picked(
    verb: Verb, tree: exp.Update | exp.Delete, sql: str, assigned: tuple[str, ...]
) -> Shape:
    table = _table(tree.this)
    return Shape(
        verb=verb,
        table=table.name,
        schema=table.db or None,
        alias=table.alias or None,
        tail=_tail(sql),
        bounded=tree.args.get("limit") is not None,
        assigned=assigned,
    )


def _tail(sql: str) -> str:
    depth = 0
    tokens = tokenize(sql, "mysql")
    for token in tokens:
        if token.token_type == TokenType.L_PAREN:
            depth += 1
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and token.token_type in _TAIL:
            return sql[token.start : tokens[-1].end + 1]
    return ""


def _inserted(tree: exp.Insert) -> Shape:
    source = tree.args.get("expression")
    if tree.args.get("conflict"):
        raise inexact("upsert", "It may change rows that are there already (ON DUPLICATE KEY).")
    if not isinstance(source, exp.Values):
        raise inexact("insert_select", "It inserts what a query gives.")
    _only(tree, _INSERT)
    _only(source, {"expressions"})
    target, columns = tree.this, None
    if isinstance(target, exp.Schema):
        columns = tuple(c.name for c in target.expressions)
        target = target.this
    table = _table(target)
    rows = []
    for row in source.expressions:
        if not isinstance(row, exp.Tuple):
            raise inexact("form", "The statement does not list its rows plainly.")
        rows.append(tuple(row.expressions))
    return Shape(
        verb="insert",
        table=table.name,
        schema=table.db or None,
        columns=columns or None,
        rows=tuple(rows),
    )
