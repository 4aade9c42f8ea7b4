"""A log that an earlier version wrote still verifies, and what it says is still written like that.

`old_log` holds an export of it: text of every kind, a group of events, a change of the key.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import audit.verify
from audit.chain import Frontier, genesis, leaf_hash
from audit.entry import prepare
from audit.record import Record, line_of

OLD = Path(__file__).with_name("old_log")


def old_lines() -> Iterator[str]:
    yield from (OLD / "records.jsonl").read_text(encoding="utf-8").splitlines()


def test_a_log_of_an_earlier_version_verifies():
    found = subprocess.run(
        [
            *(sys.executable, audit.verify.__file__, "--jsonl", OLD, "--vkey", OLD / "log.vkey"),
            *("--anchors", OLD / "anchors.jsonl", "--deep"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_events_of_an_earlier_version_are_written_byte_for_byte_as_they_were():
    prev = genesis("gatehouse/old-log")
    tree = Frontier()
    for seq, line in enumerate(old_lines(), 1):
        record = Record(seq=seq, line=line, hash="")
        stored = json.loads(line)
        text = prepare(record.event, stored["event"]["app"]).text
        assert line_of(text, stored["logged"], prev, seq) == line
        prev = leaf_hash(line.encode())
        tree.append(prev)
    _, size, root, *_ = (OLD / "checkpoint.txt").read_text(encoding="utf-8").split("\n")
    assert (tree.size, len(list(old_lines()))) == (int(size), int(size))
    assert root == base64.b64encode(tree.root()).decode()
