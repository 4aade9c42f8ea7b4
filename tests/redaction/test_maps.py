"""Keys of maps are values: where the values of a column are masked, so are its keys."""

from __future__ import annotations

import json

import duckdb
import pyarrow as pa
import pytest

from redaction import ColumnVerdict, SessionKey, Sink, redact_table

CANARY = "Vrbkjtcanary"
MAPS = (
    f"map {{'{CANARY}': 'x', 'second': 'y'}}",
    f"[map {{'{CANARY}': 1}}]",
    f"{{'inner': map {{'{CANARY}': 1}}}}",
    f"map {{1: map {{'{CANARY}': 1}}}}",
)


def redacted(expression: str, sink: Sink, **verdict: object) -> str:
    table = duckdb.sql(f"SELECT {expression} AS m UNION ALL SELECT NULL").to_arrow_table()
    told = ColumnVerdict(name="m", source="t.m", **verdict)  # type: ignore[arg-type]
    done = redact_table(table, [told], sink=sink, key=SessionKey.new()).table
    assert done.num_rows == 2
    return json.dumps(done.to_pylist(), default=str)


@pytest.mark.parametrize("expression", MAPS)
@pytest.mark.parametrize("sink", ["screen", "model", "log"])
@pytest.mark.parametrize("basis", ["declared", "lineage"])
def test_keys_of_a_tagged_map_are_masked(expression: str, sink: Sink, basis: str) -> None:
    assert CANARY not in redacted(expression, sink, basis=basis, entity="PERSON")


def test_equal_keys_and_values_get_one_pseudonym_and_two_keys_stay_two() -> None:
    both = f"map {{'{CANARY}': '{CANARY}', 'b': 'c'}}"
    shown = redacted(both, "screen", basis="declared", entity="PERSON")
    [cell] = [row["m"] for row in json.loads(shown) if row["m"]]
    pairs = list(json.loads(cell).items())
    assert pairs[0][0] == pairs[0][1]
    assert len(pairs) == 2


@pytest.mark.parametrize("sink", ["model", "log"])
def test_keys_of_free_text_are_masked_where_free_text_is(sink: Sink) -> None:
    prose = {"basis": "clean", "free_text": True}
    assert CANARY not in redacted(f"map {{'{CANARY}': 'he called'}}", sink, **prose)
    assert CANARY not in redacted(f'\'{{"{CANARY}": "he called"}}\'', sink, **prose)


def test_names_of_struct_fields_belong_to_the_schema() -> None:
    shown = redacted(f"{{'surname': '{CANARY}'}}", "screen", basis="declared", entity="PERSON")
    assert CANARY not in shown
    assert "surname" in shown


def test_keys_of_a_clean_map_stay_unless_they_look_personal() -> None:
    shown = redacted("map {'status': 1, 'ana@mail.example': 2}", "screen", basis="clean")
    assert "status" in shown
    assert "ana@mail.example" not in shown


def test_a_map_is_not_changed() -> None:
    table = pa.table({"m": pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string()))})
    before = table.to_pylist()
    told = ColumnVerdict(name="m", basis="declared", entity="PERSON", source="t.m")
    redact_table(table, [told], sink="screen", key=SessionKey.new())
    assert table.to_pylist() == before
