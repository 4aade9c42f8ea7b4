"""The sentence under a result that says why cells are masked."""

from __future__ import annotations

from typing import Literal

from redaction.entities import Sink
from redaction.verdict import ColumnVerdict

Why = Literal["verdict", "name", "values"]


def sentence(
    verdict: ColumnVerdict, sink: Sink, label: str, cells: int, entities: tuple[str, ...], why: Why
) -> str:
    """Returns why `cells` of the column are masked; empty when there is nothing to be said."""
    if verdict.revealed_at(sink) and not cells:
        return f"{_source(verdict)} is tagged {verdict.tag}; it is shown because you may see it."
    if not cells:
        return ""
    noun = "cell" if cells == 1 else "cells"
    verb = "is" if cells == 1 else "are"
    where = label or "a column without a name"
    return f"{cells} {noun} in {where} {verb} masked: {_because(verdict, sink, entities, why)}."


def _because(verdict: ColumnVerdict, sink: Sink, entities: tuple[str, ...], why: Why) -> str:
    kinds = " and ".join(entities) if len(entities) < 3 else ", ".join(entities)
    if verdict.revealed_at(sink):
        return f"secrets in {_source(verdict)} are never shown"
    match verdict.basis:
        case "unknown":
            return "where the values come from could not be traced"
        case "implicit":
            return f"they tell something about {_source(verdict)}, which is personal data"
        case "lineage" if why == "verdict":
            tag = verdict.tag or "free text"
            return f"they are computed from {_source(verdict)}, which is tagged {tag}"
        case _ if why == "verdict" and verdict.tag is not None:
            return f"{_source(verdict)} is tagged {verdict.tag}"
    if verdict.is_prose:
        return f"{_source(verdict)} is free text that may hold personal data"
    if why == "name":
        return f"the name of the column says {kinds}{_from(verdict)}"
    return f"the values look like {kinds}{_from(verdict)}"


def _from(verdict: ColumnVerdict) -> str:
    return f", and they come from {verdict.source}" if verdict.source else ""


def _source(verdict: ColumnVerdict) -> str:
    return verdict.source or "the column"
