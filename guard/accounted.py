"""Names of the text that are no names in the tree: what the parser drops or takes for a keyword.

The parser makes a unit of `date_bin(step, at, origin)`, so that the column `origin` would be read
and seen by nobody, and drops arguments that a function of another engine does not have. Every
identifier it keeps remembers where it stood; a word that spells a column, an alias or a table and
that no identifier stood at is refused, unless its neighbours say that it is a word of the grammar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp, parser
from sqlglot.tokenizer_core import Token, TokenType

from guard.catalog import Catalog
from guard.errors import Refusal
from guard.lexical import words
from guard.statement import Statement

_NAMES = frozenset(parser.Parser.ID_VAR_TOKENS) | {TokenType.VAR, TokenType.IDENTIFIER}
"""Tokens that some engine takes for the name of a column."""
_TYPED = {TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.HEREDOC_STRING}

# A word and those that must stand before or after it for it to be one of the grammar.
_BEFORE = {
    **dict.fromkeys(words("first last"), words("nulls")),
    **dict.fromkeys(words("ties others"), words("exclude no")),
    **dict.fromkeys(words("nulls"), words("ignore respect")),
    **dict.fromkeys(words("preceding following"), words("unbounded")),
    "mode": words("boolean language"),
    "name": words("by"),
    "offset": words("with"),
    "ordinality": words("with"),
    "row": words("current"),
    "sample": words("using"),
    "zone": words("time"),
}
_AFTER = {
    **dict.fromkeys(words("rows range groups"), words("between unbounded current")),
    "at": words("time local"),
    "current": words("row"),
    "exclude": words("ties current group no"),
    "groups": words("between unbounded current"),
    "ignore": words("nulls"),
    "no": words("others"),
    "nulls": words("first last"),
    "respect": words("nulls"),
    "set": words("local"),
    "time": words("zone"),
    "unbounded": words("preceding following"),
    "within": words("group"),
    "without": words("time ordinality"),
}
_AFTER_ANY = words(":: collate using @ @@")
"""What follows one of these is a type, a collation, a character set or a variable."""
_KEYED = words(": := =>")
"""What stands before one of these is the key of a struct, or the name of an argument."""
_UNITS = words("extract timestampadd timestampdiff get_format")
"""Calls whose first argument is a word of the grammar in every engine that has them."""


def unaccounted(
    statement: Statement, catalog: Catalog, names: Sequence[exp.Identifier] | None = None
) -> Iterator[Refusal]:
    """Yields one problem for a word that spells a name and that the tree does not have.

    `names` are all identifiers of the tree, where somebody has looked for them before.
    """
    kept = list(statement.tree.find_all(exp.Identifier)) if names is None else names
    starts = {node._meta["start"] for node in kept if node._meta}  # noqa: SLF001 - see calls.py
    lost = [
        place
        for place, token in enumerate(statement.tokens)
        if token.start not in starts and token.token_type in _NAMES
    ]
    if not lost:
        return
    known = _known(catalog) | {node.name.casefold() for node in kept}
    for place in lost:
        token = statement.tokens[place]
        if token.text.casefold() in known and not _of_grammar(place, statement.tokens):
            yield Refusal(
                rule="column.unread",
                reason=f"The guard cannot tell whether {token.text} is a column or a keyword here.",
                part=token.text,
                alternative="Put the name of a column in brackets, (name), and leave out arguments "
                "that the function does not have.",
                fixable=True,
            )
            return


def _known(catalog: Catalog) -> frozenset[str]:
    hidden = {c.name.casefold() for t in catalog.tables for c in t.hidden}
    return catalog.words | hidden


def _of_grammar(place: int, tokens: Sequence[Token]) -> bool:
    token = tokens[place]
    word = token.text.lower()
    before, after = _at(tokens, place - 1), _at(tokens, place + 1)
    if token.token_type == TokenType.IDENTIFIER:
        return after in _KEYED or before in _AFTER_ANY or _is_cast(place, tokens)
    return (
        after == "("  # every word before a bracket is judged by `calls`
        or after in _KEYED
        or before in _AFTER_ANY
        or before in _BEFORE.get(word, ())
        or after in _AFTER.get(word, ())
        or (before == "(" and _at(tokens, place - 2) in _UNITS)
        or (place + 1 < len(tokens) and tokens[place + 1].token_type in _TYPED)
        or _is_cast(place, tokens)
        or _is_unit(place, tokens)
        or token.token_type in _KEYWORDS
    )


_KEYWORDS = frozenset(parser.Parser.RESERVED_TOKENS) | {
    TokenType.ALL,
    TokenType.ASC,
    TokenType.DESC,
    TokenType.DISTINCT,
    TokenType.EXISTS,
    TokenType.FALSE,
    TokenType.NULL,
    TokenType.TRUE,
}
"""Reserved in every engine: no column is named so without quotes."""


def _at(tokens: Sequence[Token], place: int) -> str:
    return tokens[place].text.lower() if 0 <= place < len(tokens) else ""


def _is_cast(place: int, tokens: Sequence[Token]) -> bool:
    """True for a word of the type in `CAST(x AS type)` or `x::type`."""
    while place > 0 and tokens[place].token_type in _NAMES:
        place -= 1
    return tokens[place].token_type in (TokenType.ALIAS, TokenType.DCOLON)


def _is_unit(place: int, tokens: Sequence[Token]) -> bool:
    """True for a word that `INTERVAL`, and an amount, stand before."""
    depth = 0
    for token in reversed(tokens[:place]):
        depth += (token.token_type == TokenType.R_PAREN) - (token.token_type == TokenType.L_PAREN)
        if depth < 0 or (depth == 0 and token.token_type == TokenType.COMMA):
            return False
        if depth == 0 and token.token_type == TokenType.INTERVAL:
            return True
    return False
