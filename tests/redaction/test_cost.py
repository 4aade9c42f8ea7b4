import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from redaction import ColumnVerdict, redact_table
from redaction.detect import presidio

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ("a.", "1.", "1 ", "4 ", "+1 (", "a@", "eyJ", "-eyJ", "Aa ", "-----BEGIN ",
         "12 Oak ", "&#64;", "%40", "::", "0-", "token=", "https://a:", "日本 ", "김", "ａ",
         "\u200b1", "[", '{"a":')  # fmt: skip


def seconds(cell, key):
    table = pa.table({"x": [cell]})
    verdicts = [ColumnVerdict(name="x")]
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        redact_table(table, verdicts, sink="screen", key=key)
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize("seed", SEEDS)
def test_the_time_for_a_hostile_cell_grows_no_faster_than_its_length(seed, key):
    short, long = (seconds(seed * (n // len(seed)), key) for n in (4_000, 16_000))
    # Four times the length: a linear scan takes four times as long, a quadratic one sixteen.
    assert long < 9 * short + 0.05


def test_importing_the_package_does_not_import_the_heavy_libraries():
    code = (
        "import sys, redaction; heavy = {'presidio_analyzer', 'presidio_anonymizer', 'spacy', "
        "'phonenumbers', 'pandas', 'faker'} & set(sys.modules); sys.exit(', '.join(heavy) or 0)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_threads_share_one_toolkit(monkeypatch):
    built = []
    build = presidio.build
    monkeypatch.setattr(presidio, "_current", None)
    monkeypatch.setattr(presidio, "build", lambda: built.append(1) or build())
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(presidio.toolkit())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len({id(tools) for tools in seen}) == 1
