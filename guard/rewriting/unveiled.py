"""The text an engine gets where a look-up names a pseudonym: the value in its place, once.

Everything else that is said of the statement, on the page, in the log and to a model, keeps the
pseudonym.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from guard.errors import Refused, refuse
from guard.rewriting.spelling import as_faithful, faithful, meaning, render
from guard.statement import Statement, parse

Values = Mapping[str, tuple[str, ...]]


def unveiled(final: Statement, values: Values) -> str:
    """Returns the text of `final` with the values in place of their pseudonyms.

    Nothing but these constants changes: the text, parsed again, gives the same tree.

    Raises:
        Refused: `masked.token`: it cannot be written so. The reason names no value.
    """
    try:
        tree = faithful(final.tree.copy(), final.dialect)
        for node in list(tree.find_all(exp.Literal)):
            if node.is_string and node.name in values:
                _put(node, values[node.name])
        meant = meaning(tree)
        text = render(tree, final.dialect)
        again = parse(text, final.dialect).tree
        same = meaning(as_faithful(again, final.dialect)) == meant
        if same or _rendered(again, final.dialect) == text:
            return text
    except Exception:
        # Not chained: what failed holds the values.
        raise _cannot() from None
    raise _cannot()


def _rendered(tree: exp.Expression, dialect: str) -> str:
    return render(faithful(tree.copy(), dialect), dialect)


def _put(node: exp.Literal, values: tuple[str, ...]) -> None:
    literals = [exp.Literal.string(v) for v in values]
    compared = node.parent
    if isinstance(compared, exp.In):
        others = [e for e in compared.expressions if e is not node]
        compared.set("expressions", [*others, *literals])
    elif isinstance(compared, exp.EQ) and len(literals) == 1:
        node.replace(literals[0])
    elif isinstance(compared, exp.EQ):
        column = compared.expression if compared.this is node else compared.this
        compared.replace(exp.In(this=column.copy(), expressions=literals))
    else:
        raise _cannot()


def _cannot() -> Refused:
    return refuse(
        "masked.token",
        "What the mask stands for cannot be put into this statement.",
        alternative="Use the row's id instead.",
    )
