"""Query templates at work: arguments in, one statement out, which the gate judges as any other.

1. `Template.checked`: the arguments against a model made of the policy; what it does not name is
   refused.
2. `bound`: each value written as a literal of the dialect in the place of its `:name`. The result
   is parsed again and must be the template's own tree with literals in those places, so that no
   value can become anything else.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal, TypeGuard, assert_never
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    create_model,
)
from sqlglot import exp

from guard import lexical
from guard.access import Access
from guard.classify import classify
from guard.classifylines import because, judge
from guard.errors import Refused, refuse
from guard.limitpolicy import Limits
from guard.statement import parse
from guard.toolpolicy import (
    BUILT_IN,
    TODAY,
    Argument,
    DateArgument,
    DecimalArgument,
    EnumArgument,
    IntArgument,
    TemplatePolicy,
    TextArgument,
    ToolEffect,
    UuidArgument,
    whole,
)

Bindable = str | int | Decimal | dt.date | UUID
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_KEEPS_ROWS = frozenset({"INSERT", "UPDATE"})


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What sends a statement: a built-in tool, or a template with its own rate."""

    name: str
    calls_per_minute: int | None = None

    @property
    def template(self) -> str | None:
        """The template's name, None for a built-in tool."""
        return None if self.name in BUILT_IN else self.name

    def rate(self, limits: Limits) -> Limits:
        """Returns the limits with the smaller of both rates."""
        rates = [r for r in (self.calls_per_minute, limits.tool_calls_per_minute) if r is not None]
        return limits.model_copy(update={"tool_calls_per_minute": min(rates, default=None)})


RUN_QUERY = Tool(name="run_query")
PROPOSE_CHANGE = Tool(name="propose_change")


@dataclass(frozen=True, kw_only=True)
class Template:
    """A query template that a person may use."""

    name: str
    settings: TemplatePolicy

    @property
    def tool(self) -> Tool:
        """The template as what sends its statement."""
        return Tool(name=self.name, calls_per_minute=self.settings.calls_per_minute)

    @property
    def arguments(self) -> type[BaseModel]:
        """The model of its arguments; what it does not name is an error."""
        return _model(self.name, self.settings.model_dump_json())

    def schema(self) -> dict[str, JsonValue]:
        """Returns the JSON schema of the arguments."""
        return self.arguments.model_json_schema()

    def checked(self, arguments: Mapping[str, object]) -> dict[str, Bindable]:
        """Returns the arguments in their types, defaults included.

        Raises:
            Refused: `template.arguments`; the reason names the arguments and repeats no value.
        """
        try:
            found = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise refuse(
                "template.arguments",
                f"{self.name}: {_mistakes(error)}",
                part=", ".join(dict.fromkeys(_names(error))),
                alternative=f"It takes {takes(self.settings)}.",
                fixable=True,
            ) from None
        return {
            name: value
            for name in type(found).model_fields
            if _plain(value := getattr(found, name))
        }


def bound(
    settings: TemplatePolicy, dialect: str, values: Mapping[str, Bindable], today: dt.date
) -> str:
    """Returns the statement with the values in it; `values` must come from `Template.checked`.

    Raises:
        Refused: `template.binding`: a value would not be read as the value it is.
    """
    given = {**values, TODAY: today}
    parts, at = [], 0
    for slot in _slots(settings.sql, dialect):
        parts += [settings.sql[at : slot.start], _literal(given[slot.name]).sql(dialect)]
        at = slot.end
    text = "".join([*parts, settings.sql[at:]])
    expected = parse(settings.sql, dialect).tree.transform(
        lambda node: _literal(given[node.name]) if isinstance(node, exp.Placeholder) else node
    )
    if parse(text, dialect).tree != expected:
        raise refuse(
            "template.binding",
            "An argument would be read as something other than the value it is, so nothing was "
            "sent. Try another value, or tell an admin.",
        )
    return text


def check_template(settings: TemplatePolicy, dialect: str) -> None:
    """Holds a template to what can be known without its database.

    Raises:
        ValueError: with a sentence that names the key under the template.
    """
    try:
        names = [slot.name for slot in _slots(settings.sql, dialect)]
        placed = [n.name for n in parse(settings.sql, dialect).tree.find_all(exp.Placeholder)]
    except Refused as error:
        raise ValueError(f"sql: {_said(error)}") from None
    unknown = [n for n in names if n not in settings.arguments and n != TODAY]
    if unknown:
        raise ValueError(f"sql: :{unknown[0]} is not listed in arguments")
    unused = [n for n in settings.arguments if n not in names]
    if unused:
        raise ValueError(f"arguments.{unused[0]}: the sql does not use :{unused[0]}")
    if sorted(names) != sorted(placed):
        raise ValueError("sql: an argument stands where no value can stand")
    try:
        text = bound(settings, dialect, samples(settings), dt.date(2026, 1, 31))
        access = classify(parse(text, dialect), None)
    except Refused as error:
        raise ValueError(f"sql: {_said(error)}") from None
    if judge(access) == "deny":
        rule, reason = because(access)
        raise ValueError(f"sql: {reason.rstrip('.')} (rule {rule})")
    if settings.effect != _effect(access):
        raise ValueError(f"effect: the statement is {_effect(access)}, not {settings.effect}")


def touched(settings: TemplatePolicy, dialect: str) -> frozenset[str]:
    """Returns the tables in the statement of a template that was checked."""
    text = bound(settings, dialect, samples(settings), dt.date(2026, 1, 31))
    return frozenset(classify(parse(text, dialect), None).tables)


def samples(settings: TemplatePolicy) -> dict[str, Bindable]:
    """Returns a value for each argument, as a template is tried with."""
    return {name: _sample(argument) for name, argument in settings.arguments.items()}


def takes(settings: TemplatePolicy) -> str:
    """Returns what the arguments may be, in words: `customer_id (1 to 9), months (1 to 24)`."""
    said = [f"{name} ({allowed(argument)})" for name, argument in settings.arguments.items()]
    return ", ".join(said) or "no arguments"


def allowed(argument: Argument) -> str:
    """Returns which values an argument takes, in words."""
    match argument:
        case UuidArgument():
            return "a UUID"
        case IntArgument() | DecimalArgument():
            return f"{argument.min} to {argument.max}"
        case EnumArgument():
            return " or ".join(argument.values)
        case DateArgument():
            low = f" from {argument.min}" if argument.min else ""
            high = f" to {argument.max}" if argument.max else ""
            return f"a day as 2026-01-31{low}{high}"
        case TextArgument():
            return f"a text of up to {argument.max_length} characters"
    assert_never(argument)


@dataclass(frozen=True, kw_only=True)
class _Slot:
    """Where a `:name` stands in the text."""

    name: str
    start: int
    end: int


def _slots(sql: str, dialect: str) -> list[_Slot]:
    lexical.check_characters(sql)
    found = lexical.tokenize(sql, dialect)
    slots = []
    for colon, name in pairwise(found):
        adjacent = name.start == colon.end + 1
        if sql[colon.start : colon.end + 1] == ":" and adjacent and name.text.isidentifier():
            slots.append(_Slot(name=name.text, start=colon.start, end=name.end + 1))
    return slots


def _literal(value: Bindable) -> exp.Expression:
    match value:
        case int():
            return _number(str(abs(value)), negative=value < 0)
        case Decimal():
            return _number(format(abs(value), "f"), negative=value < 0)
        case dt.date():
            return exp.Literal.string(value.isoformat())
        case UUID() | str():
            return exp.Literal.string(str(value))
    assert_never(value)


def _number(digits: str, *, negative: bool) -> exp.Expression:
    # In brackets, so that a minus before it does not begin a comment.
    number = exp.Literal.number(digits)
    return exp.Paren(this=exp.Neg(this=number)) if negative else number


def _said(error: Refused) -> str:
    return error.refusal.reason.rstrip(".")


def _effect(access: Access) -> ToolEffect:
    if access.tier == "read":
        return "read"
    return "write" if access.verb.upper() in _KEEPS_ROWS else "destructive"


def _sample(argument: Argument) -> Bindable:
    match argument:
        case UuidArgument():
            return UUID(int=0)
        case IntArgument() | DecimalArgument():
            return argument.max
        case EnumArgument():
            return argument.values[0]
        case DateArgument():
            return argument.min or argument.max or dt.date(2026, 1, 31)
        case TextArgument():
            return "x"
    assert_never(argument)


@lru_cache(maxsize=256)
def _model(name: str, settings: str) -> type[BaseModel]:
    listed = TemplatePolicy.model_validate_json(settings).arguments
    fields = {key: (_type(argument), _field(argument)) for key, argument in listed.items()}
    made: type[BaseModel] = create_model(  # type: ignore[call-overload]  # the fields are data
        f"{name}_arguments",
        __config__=ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True),
        **fields,
    )
    return made


def _type(argument: Argument) -> object:
    match argument:
        case UuidArgument():
            return UUID
        case IntArgument():
            return Annotated[
                int, Field(ge=argument.min, le=argument.max), BeforeValidator(_no_truth)
            ]
        case DecimalArgument():
            return Annotated[
                Decimal,
                Field(ge=argument.min, le=argument.max, decimal_places=argument.places),
                BeforeValidator(_no_truth),
            ]
        case EnumArgument():
            return Literal[argument.values]
        case DateArgument():
            return Annotated[
                dt.date, Field(ge=argument.min, le=argument.max), BeforeValidator(_day)
            ]
        case TextArgument():
            pattern = whole(argument.pattern) if argument.pattern is not None else None
            return Annotated[
                str,
                StringConstraints(min_length=1, max_length=argument.max_length, pattern=pattern),
                AfterValidator(_printable),
            ]
    assert_never(argument)


def _field(argument: Argument) -> object:
    default = getattr(argument, "default", None)
    said = argument.description or None
    return Field(description=said) if default is None else Field(default, description=said)


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


def _day(value: object) -> object:
    """A day as text only: a number would be read as seconds since 1970."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str) or not _ISO_DAY.fullmatch(value):
        raise ValueError("write a day as 2026-01-31")
    return value


def _printable(value: str) -> str:
    try:
        lexical.check_characters(value)
    except Refused:
        raise ValueError("it holds characters that cannot be sent") from None
    return value


def _plain(value: object) -> TypeGuard[Bindable]:
    return isinstance(value, str | int | Decimal | dt.date | UUID)


def _names(error: ValidationError) -> list[str]:
    return [str(item["loc"][0]) if item["loc"] else "arguments" for item in error.errors()]


def _mistakes(error: ValidationError) -> str:
    pairs = zip(_names(error), error.errors(), strict=True)
    return " ".join(f"{name[:64]}: {item['msg']}." for name, item in pairs)[:1_000]
