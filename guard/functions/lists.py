"""Loads the function lists. What is on no list is refused: unknown means no."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_FOLDER = Path(__file__).parent


class _Family(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    names: str
    tables: bool = False
    """Called after FROM, and nowhere else; without it, in expressions."""
    introspection: bool = False
    """Describes the database itself, beyond what one person may know of it."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed: dict[str, _Family]
    refused: dict[str, _Family]
    servers: dict[str, _Family] = {}


@dataclass(frozen=True, kw_only=True)
class FunctionList:
    """The functions of one engine, lower-case.

    `scalar` may be called in expressions, `tables` after FROM. `introspection` is the part of both
    that describes the database; it is refused where a catalog limits what a person sees. `refusals`
    gives the reason for names that were reviewed and left out. `servers` are names that a kind of
    server has built in though it lists them nowhere a login could look.
    """

    scalar: frozenset[str]
    tables: frozenset[str]
    introspection: frozenset[str]
    refusals: dict[str, str]
    servers: dict[str, frozenset[str]]


@cache
def functions_of(dialect: str) -> FunctionList:
    """Returns the list of a dialect (sqlglot's name for it).

    PostgreSQL calls the same functions in expressions and after FROM; every other engine has table
    functions of their own.
    """
    text = (_FOLDER / f"{dialect}.toml").read_text(encoding="utf-8")
    content = _File.model_validate(tomllib.loads(text))
    families = content.allowed.values()
    scalar = _names(f for f in families if not f.tables)
    tables = scalar if dialect == "postgres" else _names(f for f in families if f.tables)
    return FunctionList(
        scalar=scalar,
        tables=tables,
        introspection=_names(f for f in families if f.introspection),
        refusals={n: f.reason for f in content.refused.values() for n in f.names.split()},
        servers={name: _names([f]) for name, f in content.servers.items()},
    )


def _names(families: Iterable[_Family]) -> frozenset[str]:
    return frozenset(name for family in families for name in family.names.split())
