"""Typed query templates: the part of the policy file under `templates`, and the tools there are.

A template is one statement with named parameters (`:months`) that an admin has written. A model or
a person gives the arguments, never SQL; `guard.templates` checks and binds them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError, SchemaValidator, core_schema

ToolEffect = Literal["read", "write", "destructive"]
"""What a tool may bring about. A write is only ever proposed; destructive ones take rows away."""

BUILT_IN: Mapping[str, ToolEffect] = {
    "list_tables": "read",
    "describe_table": "read",
    "run_query": "read",
    "make_chart": "read",
    "propose_change": "destructive",
}
"""The tools that need no template. `propose_change` brings about a request, never a change; it may
ask for rows to be deleted, so it counts as destructive."""

TODAY = "today"
"""A parameter that every template has: the source's day, as the guard knows it."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LONGEST_TEXT = 1_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Argument(_Part):
    description: str = ""


class UuidArgument(_Argument):
    """A UUID, bound in its canonical form, in small letters."""

    type: Literal["uuid"]


class IntArgument(_Argument):
    """A whole number from `min` to `max`."""

    type: Literal["int"]
    min: int
    max: int
    default: int | None = None

    @model_validator(mode="after")
    def _in_order(self) -> IntArgument:
        _ordered(self.min, self.max, self.default)
        return self


class DecimalArgument(_Argument):
    """A number from `min` to `max` with at most `places` digits after the point."""

    type: Literal["decimal"]
    min: Decimal
    max: Decimal
    places: Annotated[int, Field(ge=0, le=10)] = 2

    @model_validator(mode="after")
    def _in_order(self) -> DecimalArgument:
        _ordered(self.min, self.max, None)
        return self


class EnumArgument(_Argument):
    """One of `values`."""

    type: Literal["enum"]
    values: Annotated[tuple[str, ...], Field(min_length=1, max_length=200)]
    default: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> EnumArgument:
        if len(set(self.values)) < len(self.values):
            raise ValueError("values: each may be listed once")
        if self.default is not None and self.default not in self.values:
            raise ValueError(f"default: {self.default!r} is not one of values")
        return self


class DateArgument(_Argument):
    """A day, from `min` to `max` where they are set."""

    type: Literal["date"]
    min: dt.date | None = None
    max: dt.date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> DateArgument:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is greater than max")
        return self


class TextArgument(_Argument):
    """A text of 1 to `max_length` characters that `pattern`, where there is one, matches whole."""

    type: Literal["text"]
    max_length: Annotated[int, Field(ge=1, le=_LONGEST_TEXT)]
    pattern: str | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                SchemaValidator(core_schema.str_schema(pattern=whole(value)))
            except Exception as error:
                raise ValueError(f"{value!r} is not a pattern that can be used") from error
        return value


Argument = Annotated[
    UuidArgument | IntArgument | DecimalArgument | EnumArgument | DateArgument | TextArgument,
    Field(discriminator="type"),
]


class TemplatePolicy(_Part):
    """One statement that an admin has written, for models and people to run with arguments."""

    source: str
    description: Annotated[str, Field(min_length=1, max_length=1_000)]
    """What it answers; people and models read it."""
    sql: Annotated[str, Field(min_length=1)]
    """One statement; `:name` stands for an argument, `:today` for the source's day."""
    arguments: dict[str, Argument] = {}
    roles: Annotated[tuple[str, ...], Field(min_length=1)]
    """Data roles whose members may use it, under their own rights on the tables."""
    effect: ToolEffect = "read"
    """`write` and `destructive` ones only propose a change."""
    calls_per_minute: Annotated[int, Field(gt=0)] | None = None
    """Calls of one person in a minute."""

    @field_validator("arguments")
    @classmethod
    def _plain_names(cls, value: dict[str, Argument]) -> dict[str, Argument]:
        for name in value:
            if not _NAME.fullmatch(name) or name == TODAY:
                raise ValueError(
                    f"{name!r} cannot name an argument; use small letters, digits and _, and not "
                    f"{TODAY}"
                )
        return value


def check_names(names: Mapping[str, object]) -> None:
    """Raises `ValueError` for a template that cannot be called what it is called."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"templates.{name}: use small letters, digits and _")
        if name in BUILT_IN or name.startswith("final_result"):
            raise ValueError(f"templates.{name}: there is a tool of that name already")


def whole(pattern: str) -> str:
    """Returns the pattern so that it must match the whole text."""
    return rf"\A(?:{pattern})\z"


def _ordered(low: int | Decimal, high: int | Decimal, default: int | None) -> None:
    if low > high:
        raise PydanticCustomError("range", "min is greater than max")
    if default is not None and not low <= default <= high:
        raise PydanticCustomError("range", "default is not between min and max")
