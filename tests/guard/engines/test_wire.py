"""What comes from a worker is not trusted: broken frames end it, broken results reach nobody."""

from __future__ import annotations

import io
import json
import pickle
import socket
import struct
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest

from guard.engines import worker
from guard.engines.child import wire
from guard.errors import GuardError, SourceUnavailable
from tests.guard.engines.support import make, opened, rows


def test_a_frame_arrives_whole_however_it_is_cut() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        out = io.BytesIO()
        header, payload = {"n": 7, "t": "ünï"}, bytes(range(256)) * 300
        text = json.dumps(header).encode()
        out.write(struct.pack("!IQ", len(text), len(payload)) + text + payload)
        reader = wire.FrameReader(max_header=1000, max_payload=100_000)
        complete = []
        for start in range(0, out.tell(), 1_000):
            theirs.sendall(out.getvalue()[start : start + 1_000])
            complete.append(reader.read(ours))
            while not complete[-1] and select_now(ours):
                complete.append(reader.read(ours))
        assert complete[-1]
        assert not any(complete[:-1])
        assert json.loads(reader.header) == header
        assert reader.payload == payload


def select_now(sock: socket.socket) -> bool:
    """True when bytes wait to be read."""
    import select

    return bool(select.select([sock], [], [], 0)[0])


@pytest.mark.parametrize("lengths", [(1_001, 0), (10, 50_001), (2**32 - 1, 2**64 - 1)])
def test_lengths_over_the_limit_are_refused_before_anything_is_kept(
    lengths: tuple[int, int],
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack("!IQ", *lengths) + b"{}" * 5)
        with pytest.raises(wire.BrokenFrame):
            wire.receive(ours, max_header=1_000, max_payload=50_000)


def test_a_closed_line_is_a_broken_frame() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        with pytest.raises(wire.BrokenFrame):
            wire.receive(ours, max_header=10, max_payload=10)


def _arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _overlong() -> bytes:
    """A stream whose text column points beyond its own bytes."""
    stream = bytearray(_arrow(pa.table({"x": ["abcd"]})))
    at = stream.rindex(struct.pack("<ii", 0, 4))
    stream[at + 4 : at + 8] = struct.pack("<i", 2**30)
    return bytes(stream)


def _not_utf_8() -> bytes:
    return _arrow(pa.table({"x": ["abcd"]})).replace(b"abcd", b"\xff\xfe\xfd\xfc")


_LIES = {
    "no JSON": (b"not json", b""),
    "another statement's answer": (b'{"n": 99}', b""),
    "a field that is not agreed": (b'{"n": 1, "shell": "x"}', b""),
    "a fault that is not agreed": (b'{"n": 1, "fault": "no such table: secrets"}', b""),
    "text in place of a name": (b'{"n": 1, "fault": "engine", "kind": "word: secret"}', b""),
    "a number as text": (b'{"n": "1"}', b""),
    "no Arrow": (b'{"n": 1}', b"garbage"),
    "nothing": (b'{"n": 1}', b""),
    "a pickle": (b'{"n": 1}', pickle.dumps({"x": 1})),
    "text that is not text": (b'{"n": 1}', _not_utf_8()),
    "offsets out of bounds": (b'{"n": 1}', _overlong()),
    "half a stream": (b'{"n": 1}', _arrow(pa.table({"x": [1]}))[:-40]),
}


@pytest.mark.parametrize("lie", _LIES)
def test_a_worker_that_lies_is_believed_in_nothing(
    lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, payload = _LIES[lie]
    script = tmp_path / "liar.py"
    script.write_text(
        textwrap.dedent(f"""
        import socket, struct, sys
        sock = socket.socket(fileno=int(sys.argv[1]))
        def read():
            header, _ = struct.unpack("!IQ", sock.recv(12, socket.MSG_WAITALL))
            return sock.recv(header, socket.MSG_WAITALL)
        def write(header, payload):
            sock.sendall(struct.pack("!IQ", len(header), len(payload)) + header + payload)
        read()
        write(b'{{"n": 0}}', b"")
        read()
        write({header!r}, {payload!r})
        sock.recv(1)
        """),
        encoding="utf-8",
    )
    monkeypatch.setattr(worker.entry, "__file__", str(script))
    with opened("sqlite", make("sqlite", tmp_path / "shop.sqlite")) as adapter:
        with pytest.raises(SourceUnavailable) as caught:
            rows(adapter, "SELECT 1")
        assert "secret" not in str(caught.value)
        monkeypatch.undo()
        adapter.close()
        assert rows(adapter, "SELECT 1") == [(1,)]


def test_a_worker_that_cannot_start_is_a_source_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(3)", encoding="utf-8")
    monkeypatch.setattr(worker.entry, "__file__", str(script))
    path = make("sqlite", tmp_path / "shop.sqlite")
    with opened("sqlite", path) as adapter, pytest.raises(GuardError):
        rows(adapter, "SELECT 1")
