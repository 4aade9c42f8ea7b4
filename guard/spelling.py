r"""Engine spellings the parser does not read, put into others that mean the same to the engine.

Each rule replaces tokens by tokens that are valid in the same dialect, so the tree still says what
the engine will do and renders to text the engine accepts:

- PostgreSQL: an operator the parser has no sign for, `a ~= b`, becomes `a OPERATOR(~=) b`; a
  constant of a type it has no word for, `box '(0,0)'`, becomes `CAST('(0,0)' AS box)`, but for
  the PATH of a column in JSON_TABLE and XMLTABLE, which is no type;
  `log10(x)`, which would be written as one of another type, becomes `log(x)`;
  `COLLATION FOR (x)` becomes the call it stands for, `substring(a SIMILAR b ESCAPE c)` the same
  with commas, and ORDER BY x USING < or > is ascending or descending.
- MySQL: `MATCH a, b AGAINST ('x')` gets the optional brackets; `\N` becomes NULL; a statement
  `VALUES (1), (2)` becomes `SELECT 1 UNION ALL SELECT 2`; the INTERVAL of `INTERVAL(a, b)`, which
  compares numbers, becomes the name of a function.
- SQLite: `x IN name` becomes `x IN (SELECT * FROM name)`, so that the table is seen as one.

PostgreSQL reads the longest run of operator characters as one operator, and operators call
functions: a run that is no built-in operator is refused, because the parser may read it as several
known ones.
The rule of the trailing sign is from the PostgreSQL manual, section 4.1.3, Operators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlglot.tokenizer_core import Token, TokenType

from guard.errors import refuse
from guard.lexical import QUOTED, words

_RUN = re.compile(r"[-+*/<>=~!@#%^&|`?]+")
_UNUSUAL = re.compile(r"[-+*/<>=]{2}|[!@#^&|~?%`]")
_SIGNS = frozenset("+-*/<>=~!@#%^&|`?")
_SPECIAL = frozenset("~!@#%^&|`?")

# The parser's reading of these is PostgreSQL's. Single characters it reads otherwise are not here.
_READ = words(
    "+ - * / < > = # % & ^ | ~ ? => <= >= <> != -> ->> #> #>> #- << >> && || @> <@ @? @@ ?& ?| ^@ "
    "-|- <-> &< &> !~ !~* ~* ~~ ~~* !~~ !~~* |/ ||/"
)
BUILT_IN_OPERATORS = _READ | words(
    "## &<| *< *<= *<> *= *> *>= <<= <<| <^ >>= >^ ?# ?- ?-| ?|| |&> |>> ~<=~ ~<~ ~= ~>=~ ~>~ @@@"
)
"""Binary operators of `pg_operator` in `pg_catalog`, PostgreSQL 15."""
_TYPES = words(
    "box circle line lseg path polygon macaddr macaddr8 pg_lsn pg_snapshot txid_snapshot tsquery "
    "tsvector json jsonpath bit varbit cidr xid xid8 tid cid"
)
_TYPED_CONSTANT = re.compile(rf"\b(?:{'|'.join(sorted(_TYPES))})\s*'", re.IGNORECASE)

_COLUMN_LISTS = words("json_table xmltable")
"""In these PATH is no type: `id int PATH '$.id'` says where a column's value is."""

_OPERAND_ENDS = frozenset(
    (
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.STRING,
        TokenType.NUMBER,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
        TokenType.NULL,
        TokenType.TRUE,
        TokenType.FALSE,
        TokenType.END,
        TokenType.HEREDOC_STRING,
        TokenType.BYTE_STRING,
        TokenType.NAME,
        TokenType.TEXT,
        TokenType.DATE,
        TokenType.TIME,
        TokenType.POINT,
    )
)


def respell(found: list[Token], text: str, dialect: str) -> list[Token]:
    """Returns the tokens with every spelling above replaced; the same list where there is none.

    Raises:
        Refused: `statement.operator` for a PostgreSQL operator that is not built in, or one that
            the parser would misread.
    """
    if dialect == "postgres":
        return _postgres(found, text)
    if dialect == "mysql":
        return _mysql(found, text)
    if dialect == "sqlite" and _has_in_table(found):
        return list(_in_tables(found))
    return found


def _postgres(found: list[Token], text: str) -> list[Token]:
    if _UNUSUAL.search(text) and not _READ.issuperset(_RUN.findall(text)):
        found = list(_operators(found, text))
    folded = text.lower()
    if "interval" in folded and _INTERVAL.search(text):
        _check_intervals(found)
    for word, spelled, respelt in _POSTGRES:
        if word in folded and spelled.search(text):
            found = list(respelt(found))
    return found


def _mysql(found: list[Token], text: str) -> list[Token]:
    if "\\N" in text:
        found = list(_nulls(found))
    if found[0].token_type == TokenType.VALUES:
        found = list(_rows(found))
    if "interval" in text.lower() and _INTERVAL.search(text):
        found = list(_comparisons(found))
    if any(t.text.upper() == "MATCH" for t in found if t.token_type == TokenType.VAR):
        found = list(_match_against(found))
    return found


def _operators(found: Sequence[Token], text: str) -> Iterator[Token]:
    previous: Token | None = None
    index = 0
    while index < len(found):
        end = index
        while end < len(found) and _is_sign(found[end]) and _touches(found, index, end):
            end += 1
        if end == index:
            previous = found[index]
            yield previous
            index += 1
            continue
        run = found[index:end]
        yield from _operator(run, text[run[0].start : run[-1].end + 1], previous)
        previous = run[-1]
        index = end


def _is_sign(token: Token) -> bool:
    return bool(token.text) and token.token_type not in QUOTED and _SIGNS.issuperset(token.text)


def _touches(found: Sequence[Token], first: int, last: int) -> bool:
    return last == first or found[last - 1].end + 1 == found[last].start


def _operator(run: Sequence[Token], spelled: str, previous: Token | None) -> Iterator[Token]:
    name = _longest(spelled)
    signs = spelled[len(name) :]
    binary = previous is not None and previous.token_type in _OPERAND_ENDS
    if name in _READ or (name == "*" and not binary):
        yield from run
        return
    if name not in BUILT_IN_OPERATORS or not binary or signs:
        raise refuse(
            "statement.operator",
            "The operator is not a built-in one, or stands in a place the guard cannot read.",
            part=name,
        )
    at = run[0]
    yield _like(at, TokenType.OPERATOR, "OPERATOR")
    yield _like(at, TokenType.L_PAREN, "(")
    yield _like(at, TokenType.VAR, name)
    yield _like(at, TokenType.R_PAREN, ")")


def _longest(spelled: str) -> str:
    name = spelled
    while len(name) > 1 and name[-1] in "+-" and not _SPECIAL.intersection(name[:-1]):
        name = name[:-1]
    return name


def _like(at: Token, kind: TokenType, text: str) -> Token:
    return Token(kind, text, at.line, at.col, at.start, at.end)


def _constants(found: Sequence[Token]) -> Iterator[Token]:
    skip, listed, before = False, [False], ""
    for word, after in zip(found, [*found[1:], None], strict=True):
        if skip:
            skip = False
            continue
        name = "" if word.token_type in QUOTED else word.text.lower()
        if word.token_type == TokenType.L_PAREN:
            listed.append(listed[-1] or before in _COLUMN_LISTS)
        elif word.token_type == TokenType.R_PAREN and len(listed) > 1:
            listed.pop()
        before = name
        typed = name in _TYPES and not (name == "path" and listed[-1])
        if not typed or after is None or after.token_type != TokenType.STRING:
            yield word
            continue
        skip = True
        yield _like(word, TokenType.VAR, "CAST")
        yield _like(word, TokenType.L_PAREN, "(")
        yield after
        yield _like(word, TokenType.ALIAS, "AS")
        yield word
        yield _like(word, TokenType.R_PAREN, ")")


def _nulls(found: Sequence[Token]) -> Iterator[Token]:
    skip = False
    for token, after in zip(found, [*found[1:], None], strict=True):
        if skip:
            skip = False
            continue
        adjacent = after is not None and after.text == "N" and token.end + 1 == after.start
        skip = token.token_type == TokenType.BACKSLASH and adjacent
        yield _like(token, TokenType.NULL, "NULL") if skip else token


_INTERVAL = re.compile(r"\binterval\s*\(", re.IGNORECASE)
_ORDERS = {TokenType.LT: TokenType.ASC, TokenType.GT: TokenType.DESC}


def _check_intervals(found: Sequence[Token]) -> None:
    """`INTERVAL(3) '1.2345 s'` would be read as two intervals, the first of three seconds."""
    for word, opening, closing, after in zip(found, found[1:], found[3:], found[4:], strict=False):
        if (
            word.token_type == TokenType.INTERVAL
            and opening.token_type == TokenType.L_PAREN
            and closing.token_type == TokenType.R_PAREN
            and after.token_type == TokenType.STRING
        ):
            raise refuse(
                "statement.interval",
                "The guard cannot keep the precision of this interval.",
                part=word.text,
                alternative="Write it without a number in brackets.",
                fixable=True,
            )


def _collations(found: Sequence[Token]) -> Iterator[Token]:
    skip = False
    for word, after in zip(found, [*found[1:], None], strict=True):
        if skip:
            skip = False
            continue
        plain = word.token_type not in QUOTED and word.text.upper() == "COLLATION"
        skip = plain and after is not None and after.token_type == TokenType.FOR
        yield _like(word, TokenType.VAR, "pg_collation_for") if skip else word


def _similars(found: Sequence[Token]) -> Iterator[Token]:
    # https://www.postgresql.org/docs/18/functions-matching.html#FUNCTIONS-SIMILARTO-REGEXP
    inside: list[bool] = []
    before = ""
    for word, after in zip(found, [*found[1:], None], strict=True):
        name = "" if word.token_type in QUOTED else word.text.upper()
        if word.token_type == TokenType.L_PAREN:
            inside.append(before == "SUBSTRING")
        elif word.token_type == TokenType.R_PAREN and inside:
            inside.pop()
        elif inside and inside[-1] and (name == "ESCAPE" or _is_similar(name, after)):
            word = _like(word, TokenType.COMMA, ",")
        before = name
        yield word


def _is_similar(name: str, after: Token | None) -> bool:
    return name == "SIMILAR" and (after is None or after.text.upper() != "TO")


def _orders(found: Sequence[Token]) -> Iterator[Token]:
    skip = False
    for word, after in zip(found, [*found[1:], None], strict=True):
        if skip:
            skip = False
            continue
        kind = _ORDERS.get(after.token_type) if after is not None else None
        skip = word.token_type == TokenType.USING and kind is not None
        yield _like(word, kind, kind.name) if skip and kind is not None else word


def _comparisons(found: Sequence[Token]) -> Iterator[Token]:
    compares: set[int] = set()
    opened: list[int] = []
    for at, word in enumerate(found):
        if word.token_type == TokenType.L_PAREN:
            opened.append(at - 1)
        elif word.token_type == TokenType.R_PAREN and opened:
            opened.pop()
        elif word.token_type == TokenType.COMMA and opened:
            compares.add(opened[-1])
    for at, word in enumerate(found):
        named = word.token_type == TokenType.INTERVAL and at in compares
        yield _like(word, TokenType.VAR, word.text) if named else word


def _match_against(found: Sequence[Token]) -> Iterator[Token]:
    opened = False
    for token, after in zip(found, [*found[1:], None], strict=True):
        word = token.text.upper() if token.token_type == TokenType.VAR else ""
        if opened and word == "AGAINST":
            opened = False
            yield _like(token, TokenType.R_PAREN, ")")
        yield token
        if word == "MATCH" and after is not None and after.token_type != TokenType.L_PAREN:
            opened = True
            yield _like(token, TokenType.L_PAREN, "(")


def _rows(found: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for before, token in pairwise(found):
        opens, closes = token.token_type == TokenType.L_PAREN, token.token_type == TokenType.R_PAREN
        depth -= closes
        if depth == 0 and opens and before.token_type in (TokenType.VALUES, TokenType.COMMA, _ROW):
            yield _like(token, TokenType.SELECT, "SELECT")
        elif depth == 0 and token.token_type == TokenType.COMMA:
            yield _like(token, TokenType.UNION, "UNION")
            yield _like(token, TokenType.ALL, "ALL")
        elif depth or not (closes or token.token_type == _ROW):
            yield token
        depth += opens


_ROW = TokenType.ROW


def _has_in_table(found: Sequence[Token]) -> bool:
    inside, opening = TokenType.IN, TokenType.L_PAREN
    return any(a.token_type == inside and b.token_type != opening for a, b in pairwise(found))


def _in_tables(found: Sequence[Token]) -> Iterator[Token]:
    open_name = False
    for index, token in enumerate(found):
        before = found[index - 1] if index else token
        after = found[index + 1] if index + 1 < len(found) else None
        if open_name and before.token_type != TokenType.DOT and token.token_type != TokenType.DOT:
            open_name = False
            yield _like(before, TokenType.R_PAREN, ")")
        if _names_table(before, token) and (after is None or after.token_type != TokenType.L_PAREN):
            open_name = True
            yield _like(token, TokenType.L_PAREN, "(")
            yield _like(token, TokenType.SELECT, "SELECT")
            yield _like(token, TokenType.STAR, "*")
            yield _like(token, TokenType.FROM, "FROM")
        yield token
    if open_name:
        yield _like(found[-1], TokenType.R_PAREN, ")")


def _names_table(before: Token, token: Token) -> bool:
    if before.token_type != TokenType.IN:
        return False
    return token.token_type == TokenType.IDENTIFIER or (
        token.token_type not in QUOTED and token.text.isidentifier()
    )


def _logarithms(found: Sequence[Token]) -> Iterator[Token]:
    for word, after in zip(found, [*found[1:], None], strict=True):
        called = after is not None and after.token_type == TokenType.L_PAREN
        named = called and word.token_type == TokenType.VAR and word.text.lower() == "log10"
        yield _like(word, TokenType.VAR, "log") if named else word


_POSTGRES = (
    ("log10", re.compile(r"\blog10\s*\(", re.IGNORECASE), _logarithms),
    ("collation", re.compile(r"\bcollation\s+for\b", re.IGNORECASE), _collations),
    ("similar", re.compile(r"\bsimilar\b(?!\s+to\b)", re.IGNORECASE), _similars),
    ("using", re.compile(r"\busing\s*[<>]", re.IGNORECASE), _orders),
    ("'", _TYPED_CONSTANT, _constants),
)
"""What a text holds and looks like that may have one of these spellings, and what replaces it."""
