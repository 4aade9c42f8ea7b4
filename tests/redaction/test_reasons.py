"""Every reason for masking is a sentence that names the column of the table it is about."""

from __future__ import annotations

from typing import get_args

import pyarrow as pa
import pytest

from redaction import Basis, ColumnVerdict, SessionKey, redact_table
from redaction.reasons import Why, sentence
from redaction.verdict import ColumnReport

SOURCE = "people.secretive"
UNTRACED = ("unknown",)
"""Nothing is known of these, so no column can be named."""


def verdicts() -> list[ColumnVerdict]:
    return [
        ColumnVerdict(
            name="x",
            basis=basis,
            entity=entity,
            source=None if basis in UNTRACED else SOURCE,
            reveal=reveal,
            free_text=prose,
        )
        for basis in get_args(Basis)
        for entity in (None, "PERSON", "SECRET", "FREE_TEXT")
        for reveal in (False, True)
        for prose in (False, True)
    ]


@pytest.mark.parametrize("sink", ["screen", "model", "log"])
@pytest.mark.parametrize("why", get_args(Why))
def test_every_basis_has_its_sentence(sink: str, why: Why) -> None:
    for verdict in verdicts():
        said = sentence(verdict, sink, "x", 2, ("PERSON",), why)  # type: ignore[arg-type]
        assert said.startswith("2 cells in x are masked: "), verdict
        assert said.endswith("."), verdict
        because = said.partition(": ")[2]
        if verdict.basis in UNTRACED:
            assert because == "where the values come from could not be traced."
        else:
            assert SOURCE in because, (verdict, said)


def test_the_sentences_tell_the_reasons_apart() -> None:
    def said(why: Why = "verdict", **told: object) -> str:
        verdict = ColumnVerdict(name="x", source=SOURCE, **told)  # type: ignore[arg-type]
        return sentence(verdict, "screen", "x", 2, ("PERSON",), why)

    found = [
        said(basis="declared", entity="PERSON"),
        said(basis="lineage", entity="PERSON"),
        said(basis="lineage", free_text=True),
        said(basis="implicit", entity="PERSON"),
        said(basis="unknown"),
        said("name", basis="clean"),
        said("values", basis="clean"),
        said("values", basis="clean", free_text=True),
        said("values", basis="declared", entity="PERSON", reveal=True),
    ]
    assert len(set(found)) == len(found)


def masked(values: list[object], **told: object) -> ColumnReport:
    verdict = ColumnVerdict(name="x", source=SOURCE, **told)  # type: ignore[arg-type]
    table = pa.table({"x": values})
    [report] = redact_table(table, [verdict], sink="screen", key=SessionKey.new()).columns
    return report


@pytest.mark.parametrize("basis", get_args(Basis))
def test_whatever_masks_a_cell_says_why(basis: Basis) -> None:
    report = masked(["ana.lopez@mail.example", "call 4111 1111 1111 1111"], basis=basis)
    assert report.masked_cells == 2
    assert report.reason.startswith("2 cells in x are masked: ")
    assert masked(["green", "blue"], basis="clean").reason == ""
