#!/usr/bin/env python3
"""Checks a Gatehouse audit log with nothing but the Python standard library (3.9 or newer).

This is one file, long as it is, on purpose: it shares no code with the program that wrote the log,
and a copy lies in every export. It recomputes every hash from the stored text and believes nothing
else.

    python verify.py --db audit.sqlite --vkey log.vkey --anchors anchors.jsonl
    python verify.py --jsonl export/   --vkey log.vkey --anchors anchors.jsonl

Use a public key and anchors that you were given earlier, not those that came with the log.

Exit status: 0 verified and anchored; 1 tampered; 2 nothing wrong found, but less was shown than
asked (no key, no anchors, not all anchored); 3 cannot verify (unknown version, unreadable input).

Formats: c2sp.org/signed-note, c2sp.org/tlog-checkpoint, RFC 6962, RFC 8032, RFC 8785.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import sqlite3
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, NamedTuple

try:  # OpenSSL checks many signatures faster; without it the code below does
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None  # type: ignore[assignment,misc]  # the fallback is chosen by this

OK, TAMPERED, WEAK, CANNOT = 0, 1, 2, 3
FORMAT = 1
MAX_FINDINGS = 100
PROGRESS_EVERY = 4096

MEANINGS = {
    "HASH_MISMATCH": "The text of this record is not the text that was hashed when written.",
    "CHAIN_BREAK": "This record does not continue the one before it: one of the two was changed,"
    " or records between them were removed, inserted or moved.",
    "SEQ_GAP": "One or more records before this one are missing.",
    "SEQ_MISMATCH": "This record carries another record's number: it was moved or copied.",
    "PROJECTION": "A column used for searching differs from the record it was taken from.",
    "CLOCK_BACK": "This record claims to be older than the one it follows, which never happens.",
    "DUP_ID": "This event is in the log already: it was replayed.",
    "NOT_CANONICAL": "This record is not spelled the one way the log spells records.",
    "ROOT_MISMATCH": "The records up to here are not the ones that were signed.",
    "BAD_SIGNATURE": "This checkpoint is not signed with this log's key, or is another log's.",
    "TRUNCATED": "A signed checkpoint covers more records than there are: the end was cut off,"
    " an older copy was put back, or the log was started anew.",
    "UNSIGNED_TAIL": "The log signs at every write, but no checkpoint covers these last records:"
    " something else added them.",
    "EQUIVOCATION": "Checkpoints signed with this log's key contradict each other: whoever holds"
    " the key rewrote the past, or two copies of the log went on separately.",
    "NOT_INCLUDED": "The proof does not show that this record is in the signed log.",
    "UNREADABLE": "The stored log is damaged here and cannot be read further.",
    "BAD_ROTATION": "This change of the signing key is not signed by both keys, or is not the one"
    " that was recorded.",
    "NOT_SEALED": "The records up to here are missing, and the log does not say that they were"
    " sealed.",
    "UNKNOWN_VERSION": "This verifier does not know the format of this record. Use a newer one.",
}


class Finding(NamedTuple):
    """One thing that is wrong: at record `seq` (0: no record in particular)."""

    code: str
    seq: int
    expected: str = ""
    found: str = ""

    @property
    def meaning(self) -> str:
        """One sentence on what the finding means."""
        return MEANINGS[self.code]


class VerifierKey(NamedTuple):
    """A public key, as text `name+id+key`."""

    name: str
    key_id: bytes
    public: bytes


class Note(NamedTuple):
    """A checkpoint, not yet believed."""

    size: int
    root: bytes
    origin: str
    body: bytes
    signatures: tuple[tuple[str, bytes], ...]


class Report(NamedTuple):
    """What was checked and what came of it. A number 0 stands for none.

    `last` is the size of the log, `since` where an earlier verification ended. `proven_through` and
    `anchored_through` are the records before the first bad one that are signed, and anchored.
    `sealed_through`: records up to there were sealed and are not here; their root is signed.
    `checkpoints` and `anchors` count those that agree, and all. `intents`, after a deep check,
    counts those with an outcome, with an unknown one, and open. `state` lets the next check go on
    from here.
    """

    status: int
    origin: str
    keys: tuple[str, ...]
    first: int
    last: int
    records: int
    since: int
    sealed_through: int
    proven_through: int
    anchored_through: int
    checkpoints: tuple[int, int]
    anchors: tuple[int, int]
    intents: tuple[int, int, int] | None
    filtered: bool
    findings: tuple[Finding, ...]
    weaknesses: tuple[str, ...]
    state: State | None
    seconds: float

    @property
    def first_bad(self) -> Finding | None:
        """The finding with the lowest record number, or None when nothing is wrong."""
        return min(self.findings, key=lambda f: f.seq or sys.maxsize, default=None)

    def as_json(self) -> str:
        """Returns the report for machines."""
        plain = self._asdict()
        plain["findings"] = [{**f._asdict(), "meaning": f.meaning} for f in self.findings]
        plain["state"] = self.state and json.loads(self.state.dump())
        return json.dumps(plain)

    def as_text(self) -> str:
        """Returns the report for people."""
        return "\n".join(_render(self))


Row = tuple[Any, ...]
"""Number as stored (0 for none), line, leaf hash as stored (None for none), then the columns beside
the record where they were asked for."""
Progress = Callable[[int, int], None]
"""Called with how many records are done and how many there are."""

# --- Ed25519 (RFC 8032, section 5.1.7), for where no library is installed ---

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(p: _Point, q: _Point) -> _Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(scalar: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _decode(raw: bytes) -> _Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * _SQRT_M1 % _P
    if v * x * x % _P != u or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return (x, y, 1, x * y % _P)


_BASE = _decode((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def ed25519_verify(public: bytes, signature: bytes, text: bytes) -> bool:
    """True when `signature` over `text` was made with the key whose public half is `public`."""
    a, r = _decode(public), _decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or _BASE is None or s >= _L or len(signature) != 64:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % _L
    left, right = _times(s, _BASE), _add(r, _times(h, a))
    return all((left[i] * right[2] - right[i] * left[2]) % _P == 0 for i in (0, 1))


def _verify(public: bytes, signature: bytes, text: bytes) -> bool:
    if Ed25519PublicKey is None:
        return ed25519_verify(public, signature, text)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


# --- Keys, notes, trees ---


def parse_vkey(text: str) -> VerifierKey:
    """Returns the public key in `text`.

    Raises:
        ValueError: the text is not an Ed25519 key of this form.
    """
    name, key_id, encoded = text.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if len(raw) != 33 or raw[0] != 1 or bytes.fromhex(key_id) != expected:
        raise ValueError("not an Ed25519 verifier key")
    return VerifierKey(name, expected, raw[1:])


def parse_note(text: str) -> Note | None:
    """Returns the checkpoint in `text`, its signatures unchecked, or None when it is none."""
    body, separator, tail = text.rpartition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) != 3 or not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
        return None
    try:
        *signed, end = tail.split("\n")
        signatures = tuple(map(_signature, signed))
        root = _unbase64(lines[2])
    except ValueError:
        return None
    if end:
        return None
    return Note(int(lines[1]), root, lines[0], f"{body}\n".encode(), signatures)


def _signature(line: str) -> tuple[str, bytes]:
    dash, name, encoded = line.split(" ")
    if dash != "\u2014":
        raise ValueError("not a signature line")
    return name, _unbase64(encoded)


def _unbase64(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("another spelling of the same bytes")
    return raw


def signed_by(note: Note, keys: Iterable[VerifierKey]) -> bool:
    """True when one of `keys`, named like the note's origin, signed it and none of them failed."""
    checked = [
        _verify(key.public, raw[4:], note.body)
        for key in keys
        for name, raw in note.signatures
        if name == key.name == note.origin and raw[:4] == key.key_id
    ]
    return bool(checked) and all(checked)


class SigningRange(NamedTuple):
    """A key and the sizes of the log for which it signs, both ends included."""

    key: VerifierKey
    first: int
    last: int


def follow_rotations(
    keys: Iterable[VerifierKey], records: Iterable[bytes]
) -> tuple[tuple[SigningRange, ...], tuple[int, ...]]:
    """Returns which key signs for which sizes, and the numbers of changes that do not hold.

    `records` are those that say that the key was changed. Each change is signed by the old and the
    new key, so it does not matter where it was found. Only keys that hang together with one of
    `keys` by such changes are returned, and `keys` themselves.
    """
    keys, chain, bad = tuple(keys), list[SigningRange](), []
    for seq, line in sorted({_seq_of(line): line for line in records}.items()):
        change = _rotation(line)
        if change is None or (chain and chain[-1].key != change[0]):
            bad.append(seq)
            continue
        old, new = change
        begun = chain.pop().first if chain else 0
        chain += [SigningRange(old, begun, seq), SigningRange(new, seq, sys.maxsize)]
    linked = {signing.key for signing in chain}
    others = [SigningRange(key, 0, sys.maxsize) for key in keys if key not in linked]
    return tuple(others + (chain if linked & set(keys) else [])), tuple(bad)


def rotation_text(old: str, new: str) -> bytes:
    """Returns what both keys sign when the key `old` is replaced by `new`, given as text."""
    return f"gatehouse key rotation\n{old}\n{new}\n".encode()


def _rotation(line: bytes) -> tuple[VerifierKey, VerifierKey] | None:
    try:
        event = json.loads(line)["event"]
        if event["type"] != "key.rotated":
            return None
        facts = event["key"]
        old, new = parse_vkey(facts["old"]), parse_vkey(facts["new"])
        text = rotation_text(facts["old"], facts["new"])
        by_old, by_new = (_unbase64(facts[f"{which}_signature"]) for which in ("old", "new"))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    signed = _verify(old.public, by_old, text) and _verify(new.public, by_new, text)
    return (old, new) if signed and old.name == new.name else None


def _logged_of(line: bytes) -> str:
    match = _TAIL.search(line)
    return match[1].decode(errors="replace") if match else ""


def _seq_of(line: bytes) -> int:
    match = _TAIL.search(line)
    return int(match[3]) if match else 0


def tree_root(frontier: Iterable[bytes]) -> bytes:
    """Returns the RFC 6962 root of the full subtrees in `frontier`, largest first."""
    nodes = list(frontier)
    if not nodes:
        return hashlib.sha256().digest()
    root = nodes.pop()
    while nodes:
        root = hashlib.sha256(b"\x01" + nodes.pop() + root).digest()
    return root


def root_from_proof(leaf: bytes, index: int, size: int, proof: Iterable[bytes]) -> bytes | None:
    """Returns the root that `proof` leads to (RFC 9162, 2.1.3.2), None if it has a wrong length."""
    node, last = leaf, size - 1
    if not 0 <= index <= last:
        return None
    for sibling in proof:
        if last == 0:
            return None
        if index & 1 or index == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


class State(NamedTuple):
    """Where a verification ended, so that the next can go on. `note` proves `frontier`.

    Going on looks at the record it ended with and at all after it; earlier ones are not read.
    `anchors_from` is the byte where the newest anchor begins in its file: what is before it was
    compared by then.
    """

    size: int
    frontier: tuple[bytes, ...]
    prev: bytes
    logged: bytes
    note: str
    anchors_from: int

    def dump(self) -> str:
        """Returns the state as text."""
        nodes, prev = [n.hex() for n in self.frontier], self.prev.hex()
        plain = {"frontier": nodes, "prev": prev, "logged": self.logged.decode()}
        return json.dumps({**plain, "note": self.note, "anchors_from": self.anchors_from})

    @classmethod
    def load(cls, text: str, keys: Iterable[VerifierKey], rotations: Iterable[bytes] = ()) -> State:
        """Returns the state in `text`. `rotations` are records that say that the key was changed.

        Raises:
            ValueError, KeyError, TypeError: it is no state, or not signed with one of `keys`.
        """
        keys = [signing.key for signing in follow_rotations(keys, rotations)[0]]
        raw = json.loads(text)
        note = parse_note(raw["note"])
        frontier = tuple(bytes.fromhex(n) for n in raw["frontier"])
        if note is None or not signed_by(note, keys) or note.size == 0:
            raise ValueError("the saved state is not signed by this log")
        if len(frontier) != bin(note.size).count("1") or tree_root(frontier) != note.root:
            raise ValueError("the saved state does not match its checkpoint")
        prev, logged = bytes.fromhex(raw["prev"]), raw["logged"].encode()
        return cls(note.size, frontier, prev, logged, raw["note"], int(raw["anchors_from"]))


# --- What is to be checked ---


class Anchors:
    """The anchors in a file: one root for each size. Notes are read again where needed."""

    def __init__(self, path: Path | None, origins: Iterable[str], skip: int = 0) -> None:
        self._path = path
        self._origins = frozenset(origins)
        size = path.stat().st_size if path and path.exists() else 0
        self._first = self._next = self.newest_at = skip if skip <= size else 0
        self.newest = 0
        self.roots: dict[int, bytes] = {}
        self.conflicts: set[tuple[int, bytes]] = set()

    def read(self, limit: int = sys.maxsize) -> None:
        """Reads what was added since the last time, leaving out what is larger than `limit`."""
        for place, _, size, root in self._claims(self._next):
            if size > limit:
                continue
            if size > self.newest:
                self.newest, self.newest_at = size, place
            if self.roots.setdefault(size, root) != root:
                self.conflicts.add((size, root))

    def find(self, wanted: set[tuple[int, bytes]]) -> Iterator[Note]:
        """Returns the notes with those sizes and roots."""
        claims = self._claims(self._first) if wanted else iter(())
        notes = (parse_note(text) for _, text, *claim in claims if tuple(claim) in wanted)
        return (note for note in notes if note is not None)

    def _claims(self, place: int) -> Iterator[tuple[int, str, int, bytes]]:
        """Returns what the lines say, signatures unread: place, note, size and root."""
        if self._path is None or not self._path.exists():
            return
        with _opened(self._path) as file:
            file.seek(place)
            for line in file:
                claim = _claim(line)
                if claim is None and not line.endswith(b"\n"):
                    return  # being written
                begin, place = place, place + len(line)
                self._next = max(self._next, place)
                # A line cut by a crash is covered by a newer one; several logs may share a file.
                if claim is not None and (not self._origins or claim[0] in self._origins):
                    yield (begin, *claim[1:])


def _claim(line: bytes) -> tuple[str, str, int, bytes] | None:
    try:
        text = json.loads(line)["note"]
        origin, size, root, _ = text.split("\n", 3)
        if len(size) > 19 or not (size.isascii() and size.isdigit()):
            return None
        return origin, text, int(size), base64.b64decode(root)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


class Base(NamedTuple):
    """Where a log begins whose first records were sealed: `note` proves `frontier`.

    `expired`: they should be at hand, so the log must say that they were removed for good.
    """

    size: int
    prev: bytes
    note: str
    frontier: tuple[bytes, ...]
    expired: bool = False


class Source(NamedTuple):
    """A log to check; filtered exports have `proofs`.

    `rows` takes how many records to skip, and whether the columns beside the record are wanted too.

    `marks` are the records that say that the key was changed or that records were sealed away.
    """

    rows: Callable[[int, bool], Iterator[Row]]
    checkpoints: tuple[str, ...]
    total: int
    proofs: dict[int, tuple[bytes, ...]] | None = None
    base: Base | None = None
    marks: tuple[bytes, ...] = ()


_COLUMNS = ("logged", "etype", "actor", "session", "request", "outcome", "id")


def open_database(db: sqlite3.Connection) -> Source:
    """Returns the log in a database. Keep the connection in one read transaction."""
    db.text_factory = bytes
    notes = [row[0] for row in db.execute("SELECT note FROM audit_checkpoint ORDER BY size")]
    notes += [row[0] for row in db.execute("SELECT note FROM audit_head")]
    total = db.execute("SELECT max(seq) FROM audit_event").fetchone()[0] or 0

    def rows(skip: int, deep: bool) -> Iterator[Row]:
        # Whatever was put in place of a text is bytes here, and of nothing no bytes.
        line = "coalesce(CAST(record AS BLOB), x'')"
        columns = ", ".join(("seq", line, "coalesce(leaf_hash, x'')", *(_COLUMNS if deep else ())))
        query = f"SELECT {columns} FROM audit_event WHERE seq > ? ORDER BY seq"  # noqa: S608  # fixed text
        return db.execute(query, (skip,))

    try:
        marks = db.execute(
            "SELECT record FROM audit_event WHERE etype IN ('key.rotated', 'log.pruned')"
        )
        lines = tuple(line for (line,) in marks if isinstance(line, bytes))
        base = _stored_base(db)
    except sqlite3.DatabaseError:
        lines, base = (), None  # going over the records says where the damage is
    return Source(rows, tuple(map(_text, notes)), total, base=base, marks=lines)


def _stored_base(db: sqlite3.Connection) -> Base | None:
    first = db.execute("SELECT seq, prev_hash FROM audit_event ORDER BY seq LIMIT 1").fetchone()
    if first is None or not isinstance(first[0], int) or first[0] <= 1:
        return None
    kept = db.execute(
        "SELECT note, frontier FROM audit_checkpoint WHERE size = ?", (first[0] - 1,)
    ).fetchone()
    return kept and base_of(first[0] - 1, first[1], _text(kept[0]), kept[1])


def base_of(size: int, prev: object, note: str, packed: object) -> Base | None:
    """Returns the base with that frontier, one hash after the other, None when it is none."""
    if not isinstance(packed, bytes) or not isinstance(prev, bytes) or len(packed) % 32:
        return None
    nodes = tuple(packed[i : i + 32] for i in range(0, len(packed), 32))
    return Base(size, prev, note, nodes) if len(nodes) == bin(size).count("1") else None


def open_export(path: Path) -> Source:
    """Returns the log in an export folder, or in one file of JSON lines (.gz works too)."""
    records = path / "records.jsonl" if path.is_dir() else path
    notes: list[str] = []
    if (path / "checkpoints.jsonl").exists():
        notes += [str(note["note"]) for note in _json_lines(path / "checkpoints.jsonl")]
    if (path / "checkpoint.txt").exists():
        notes.append((path / "checkpoint.txt").read_text(encoding="utf-8"))
    proofs = None
    if (path / "proofs.jsonl").exists():
        lines = _json_lines(path / "proofs.jsonl")
        proofs = {p["seq"]: tuple(map(base64.b64decode, p["proof"])) for p in lines}
    base = None
    if (path / "base.json").exists():
        base = _manifest_base(json.loads((path / "base.json").read_text(encoding="utf-8")))
        base = base and base._replace(expired=True)

    def rows(skip: int, deep: bool) -> Iterator[Row]:
        for number, line in enumerate(_lines(records), base.size if base else 0):
            if number >= skip:
                yield 0, line, None

    marks = tuple(_lines(path / "marks.jsonl")) if (path / "marks.jsonl").exists() else ()
    return Source(rows, tuple(notes), 0, proofs, base, marks)


def _lines(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        for line in file:
            yield line.rstrip(b"\n")


class Segment(NamedTuple):
    """A sealed part of the log: its file of records, and what its manifest says."""

    path: Path
    first: int
    last: int
    base: Base
    marks: tuple[bytes, ...]
    logged: str


def open_segments(folder: Path) -> list[Segment]:
    """Returns the sealed parts that `folder` has manifests of, in order.

    Raises:
        ValueError, KeyError, TypeError: a manifest is damaged, or does not follow the one before.
    """
    found = []
    for path in folder.glob("seg-*.json"):
        raw = json.loads(path.read_text(encoding="utf-8"))
        base = _manifest_base(raw)
        if base is None:
            raise ValueError(f"{path.name} is damaged")
        marks = tuple(str(line).encode() for line in raw["marks"])
        records = path.with_suffix(".jsonl.gz")
        said = (raw["first"], base.size, base, marks, str(raw["last_logged"]))
        found.append(Segment(records, *said))
    found.sort(key=lambda segment: segment.first)
    for before, after in zip(found, found[1:]):  # noqa: B905, RUF007  # Python 3.9 has neither
        if after.first != before.last + 1:
            raise ValueError(f"{after.path.name} does not follow {before.path.name}")
    return found


def _manifest_base(raw: dict[str, Any]) -> Base | None:
    prev, packed = bytes.fromhex(raw["last_hash"]), bytes.fromhex(raw["frontier"])
    return base_of(int(raw["last"]), prev, str(raw["note"]), packed)


def with_segments(source: Source, folder: Path | None) -> Source:
    """Returns `source` with the sealed records in `folder` before its own.

    Where a folder is named, all that was sealed and has not expired must be in it.

    Raises:
        ValueError, KeyError, TypeError: a manifest is damaged.
    """
    segments = open_segments(folder) if folder else []
    marks = source.marks + tuple(line for segment in segments for line in segment.marks)
    live = source.base
    usable: list[Segment] = []
    if live is not None and any(segment.last == live.size for segment in segments):
        usable = [segment for segment in segments if segment.last <= live.size]
        missing = [n for n, segment in enumerate(usable) if not segment.path.exists()]
        usable = usable[missing[-1] + 1 :] if missing else usable
    if live is not None and folder and not usable:
        live = live._replace(expired=True)
    if not usable or live is None:
        return source._replace(marks=marks, base=live)
    begin, end = usable[0].first, live.size
    before = next((s.base._replace(expired=True) for s in segments if s.last == begin - 1), None)

    def rows(skip: int, deep: bool) -> Iterator[Row]:
        for segment in usable:
            if segment.last > skip:
                line = b""
                for seq, line in enumerate(_lines(segment.path), segment.first):
                    if seq > skip:
                        yield seq, line, None
                # Retention goes by what the manifest says.
                if _seq_of(line) == segment.last and _logged_of(line) != segment.logged:
                    raise ValueError(f"the manifest of {segment.path.name} says another time")
        yield from source.rows(max(skip, end), deep)

    notes = source.checkpoints + tuple(segment.base.note for segment in usable)
    return source._replace(rows=rows, base=before, marks=marks, checkpoints=notes)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with _opened(path) as file:
        for line in file:
            yield json.loads(line)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]  # a file of bytes all the same
    return path.open("rb")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else "nothing"


# --- The check ---

_TAIL = re.compile(
    rb'"logged":"([^"]*)","prev":"([0-9a-f]{64})","seq":([0-9]{1,18}),"v":([0-9]+)\}\Z'
)
_END = b'","prev":"%%b","seq":%%d,"v":%d}' % FORMAT
_LOGGED_BYTES = 27
_SIGNATURES = 20
_CLOSED = ("query.executed", "query.failed", "query.cancelled")


class _UnknownVersion(Exception):
    pass


class _Check:
    """One check of one log: go over the records (`walk` or `include`), then `judge`."""

    def __init__(self, source: Source, keys: tuple[VerifierKey, ...], anchors: Anchors) -> None:
        self.source = source
        self.keys = keys
        self.anchors = anchors
        self.findings: list[Finding] = []
        self.notes: list[Note] = []
        self.roots: dict[int, bytes] = {}
        self.frontier: list[bytes] = []
        self.ring: tuple[SigningRange, ...] = ()
        self.marks: dict[int, bytes] = {}
        self.pruned: set[tuple[int, str]] = set()
        self.resumed = False
        self.since = self.count = self.first = self.last = self.sealed = 0
        self.prev = self.logged = b""
        self.ids: set[str] = set()
        self.intents: dict[str, str] = {}
        self.proven = self.anchored = self.anchors_good = 0
        self.checkpoints_good = self.checkpoints_seen = 0

    def add(self, code: str, seq: int, expected: object = "", found: object = "") -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(code, seq, str(expected), str(found)))

    def start(self, since: State | None) -> None:
        """Reads the checkpoints; begins at the first record, or where `since` or a seal ended."""
        base = self.source.base
        self.ring, bad = follow_rotations(
            self.keys, (line for line in self.source.marks if b'"key.rotated"' in line)
        )
        for seq in bad:
            self.add("BAD_ROTATION", seq)
        resuming = since is not None and (base is None or since.size > base.size)
        for text in self.source.checkpoints:
            note = parse_note(text)
            if resuming and since and note is not None and note.size < since.size:
                continue
            self.checkpoints_seen += 1
            if note is not None and self._believed(note):
                self.notes.append(note)
            else:
                self.add("BAD_SIGNATURE", note.size if note else 0, "", text.split("\n")[0])
        if resuming and since:
            self.resumed = True
            self.since = self.count = self.last = self.proven = since.size
            self.frontier, self.prev, self.logged = list(since.frontier), since.prev, since.logged
            self.roots[since.size] = tree_root(since.frontier)
        elif base is not None and self.source.proofs is None:
            self._begin_after(base)
        elif self.keys:
            name = self.keys[0].name.encode()
            self.prev = hashlib.sha256(b"audit-log/v1 genesis\n" + name).digest()
        self.marks = {_seq_of(line): line for line in self.source.marks}

    def _begin_after(self, base: Base) -> None:
        note, root = parse_note(base.note), tree_root(base.frontier)
        self.since = self.count = self.last = self.sealed = base.size
        self.frontier, self.prev = list(base.frontier), base.prev
        self.roots[base.size] = root
        if note is None or not self._believed(note):
            self.add("BAD_SIGNATURE", base.size)
        elif (note.size, note.root) != (base.size, root):
            self.add("ROOT_MISMATCH", base.size, note.root.hex(), root.hex())
        elif self.keys:
            self.proven = base.size

    def _explained(self) -> bool:
        """True when the log says where the records before the first have gone."""
        base = self.source.base
        enough = ("nowhere",) if base is not None and base.expired else ("archive", "nowhere")
        return any((self.sealed, kept) in self.pruned for kept in enough)

    def _believed(self, note: Note) -> bool:
        keys = [s.key for s in self.ring if s.first <= note.size <= s.last]
        return not self.keys or signed_by(note, keys)

    def _mark(self, line: bytes) -> None:
        """Looks at a record that says that the key was changed or that records were sealed."""
        if line != self.marks.get(self.last):
            if self.last in self.marks:
                self.add("BAD_ROTATION", self.last)
        elif b'"log.pruned"' in line:
            try:
                event = json.loads(line)["event"]
                if event["type"] == "log.pruned":
                    facts = event["segment"]
                    self.pruned.add((int(facts["last"]), str(facts.get("kept"))))
            except (KeyError, TypeError, ValueError):
                self.add("NOT_CANONICAL", self.last)

    def walk(self, deep: bool, progress: Progress) -> None:
        """Recomputes the chain and the tree from the text of the records."""
        sha256, rows, leaves = hashlib.sha256, self._rows(deep), list[bytes]()
        signed_sizes = {n.size for n in self.notes} | self.anchors.roots.keys() | self.marks.keys()
        count, total, prev = self.count, self.source.total, self.prev.hex().encode()
        try:
            for row in rows:
                stored_seq, line, stored_leaf = row[0], row[1], row[2]
                leaf = sha256(b"\x00" + line).digest()
                if stored_leaf != leaf and stored_leaf is not None:
                    self.add("HASH_MISMATCH", stored_seq, _hex(stored_leaf), leaf.hex())
                seq = self.last + 1
                end = _END % (prev, seq)
                if line.endswith(end) and (stored_seq == seq or not stored_seq):
                    self.last, logged = seq, line[-len(end) - _LOGGED_BYTES : -len(end)]
                else:
                    logged = self._diagnose(stored_seq, line)
                if logged < self.logged:
                    self.add("CLOCK_BACK", self.last, _text(self.logged), _text(logged))
                self.logged = logged
                self.first = self.first or self.last
                if deep:
                    self._deep(line, row[3:])
                self.prev, prev = leaf, leaf.hex().encode()
                leaves.append(leaf)
                count += 1
                if count in signed_sizes:
                    leaves = self._grow(leaves)
                    self.roots[count] = tree_root(self.frontier)
                    self._mark(line)
                if count % PROGRESS_EVERY == 0:
                    leaves = self._grow(leaves)
                    progress(count, max(total, count))
        finally:
            self._grow(leaves)  # also of a log that is damaged further on
        if self.sealed and not self._explained():
            self.add("NOT_SEALED", self.sealed, "a record that says so", "none")
        progress(self.count, self.count)

    def _grow(self, leaves: list[bytes]) -> list[bytes]:
        """Adds leaf hashes to the tree, level by level; returns an empty list for more."""
        sha256, size, nodes, edge = hashlib.sha256, self.count, leaves, list[bytes]()
        self.count += len(leaves)
        while nodes:
            if size & 1:
                nodes = [self.frontier.pop(), *nodes]
            if len(nodes) & 1:
                edge.append(nodes.pop())
            pairs = zip(nodes[::2], nodes[1::2])  # noqa: B905  # strict= is 3.10
            nodes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            size >>= 1
        self.frontier += reversed(edge)
        return []

    def _rows(self, deep: bool) -> Iterator[Row]:
        if not self.resumed:
            return self.source.rows(self.since, deep)
        rows = self.source.rows(self.since - 1, deep)
        known = next(rows, None)
        if known is None:
            self.add("TRUNCATED", self.source.total, self.since, self.source.total or "fewer")
        elif hashlib.sha256(b"\x00" + known[1]).digest() != self.prev:
            self.add("HASH_MISMATCH", self.since, self.prev.hex(), "another record")
        return rows

    def _diagnose(self, stored_seq: int, line: bytes) -> bytes:
        """Says why `line` is not the next record, and goes on from it; returns its time."""
        expected = self.last + 1
        match = _TAIL.search(line)
        if match is None:
            self.add("NOT_CANONICAL", stored_seq or expected)
            self.last = max(self.last, stored_seq or expected)
            return self.logged
        seq, prev = self._known_version(match), match[2].decode()
        place = stored_seq or seq
        if place > expected:
            self.add("SEQ_GAP", place, expected, place)
        if place < expected or seq != place:
            self.add("SEQ_MISMATCH", place, expected, seq)
        if self.prev and prev != self.prev.hex():
            self.add("CHAIN_BREAK", place, self.prev.hex(), prev)
        self.last = max(self.last, place)
        return match[1]

    def _known_version(self, match: re.Match[bytes]) -> int:
        seq, version = int(match[3]), int(match[4])
        if version != FORMAT:
            self.add("UNKNOWN_VERSION", seq, FORMAT, version)
            raise _UnknownVersion
        return seq

    def _deep(self, line: bytes, columns: Row) -> None:
        """Checks the spelling of a record, its columns and its id; keeps account of intents."""
        try:
            record = json.loads(line, object_pairs_hook=_no_duplicates, **_INTEGERS)
            event = record["event"]
            plain = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            if plain.encode() != line:
                raise ValueError("another spelling")
            self._columns(record, columns)
            self._intent(event)
            if event["id"] in self.ids:
                self.add("DUP_ID", self.last, "", event["id"])
            self.ids.add(event["id"])
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            self.add("NOT_CANONICAL", self.last)

    def _columns(self, record: dict[str, Any], columns: Row) -> None:
        event = record["event"]
        found = {**event, "etype": event["type"], "logged": record["logged"]}
        found["actor"] = event["actor"]["id"]
        for name, stored in zip(_COLUMNS, columns):  # noqa: B905  # strict= is 3.10
            value = found.get(name)
            if stored != (None if value is None else value.encode()):
                self.add("PROJECTION", self.last, f"{name}={value}", _text(stored))

    def _intent(self, event: dict[str, Any]) -> None:
        if event["type"] == "query.intent":
            self.intents[event["id"]] = "open"
        elif event["type"] in (*_CLOSED, "query.outcome_unknown"):
            known = "closed" if event["type"] in _CLOSED else "unknown"
            self.intents[event["effect"]["intent_id"]] = known

    def include(self, deep: bool, progress: Progress) -> None:
        """Checks a filtered export: each record against the newest checkpoint, by its proof."""
        proofs, newest = self.source.proofs or {}, max(self.notes, default=None)
        self.notes = [newest] if newest else []
        for _, line, *_ in self.source.rows(0, deep):
            match = _TAIL.search(line)
            if match is None:
                self.add("NOT_CANONICAL", self.last)
                continue
            leaf, seq = hashlib.sha256(b"\x00" + line).digest(), self._known_version(match)
            if seq <= self.last:
                self.add("SEQ_MISMATCH", seq, f"more than {self.last}", seq)
            elif self.prev and seq == self.last + 1 and match[2].decode() != self.prev.hex():
                self.add("CHAIN_BREAK", seq, self.prev.hex(), match[2].decode())
            if newest is not None:
                root = root_from_proof(leaf, seq - 1, newest.size, proofs.get(seq, ()))
                if root != newest.root:
                    self.add("NOT_INCLUDED", seq, newest.root.hex(), _hex(root))
            self.prev, self.last, self.first = leaf, seq, self.first or seq
            self.count += 1
            if deep:
                self._deep(line, ())
        if newest is not None:
            self.roots[newest.size] = newest.root
            self.last = newest.size
        progress(self.count, self.count)

    def judge(self) -> None:
        """Compares what was signed with what is there."""
        anchors = []
        for note in self._telling_anchors():
            if self._believed(note):
                anchors.append(note)
            else:
                self.add("BAD_SIGNATURE", note.size, "", note.origin)
        stored = [n for n in self.notes if n.size >= self.since]
        self.checkpoints_good = sum(map(self._agrees, stored))
        self.anchored = max((n.size for n in anchors if self._agrees(n)), default=0)
        self.proven = max(
            [n.size for n in stored if self._agrees(n)] + [self.proven, self.anchored]
        )
        signed = stored + anchors
        self._contradictions([n for n in signed if n.size <= self.last and not self._agrees(n)])
        covered = max([n.size for n in signed] + [self.since])
        if covered > self.last:
            self.add("TRUNCATED", self.last, covered, self.last)
        elif 0 < covered < self.last:
            self.add("UNSIGNED_TAIL", covered + 1, covered, self.last)

    def _agrees(self, note: Note) -> bool:
        return self.roots.get(note.size) == note.root

    def _telling_anchors(self) -> Iterator[Note]:
        """Returns the newest anchor that agrees, and those that do not (some, when there are many).

        Only their signatures matter: an anchor whose root was recomputed from the records has
        nothing more to say.
        """
        known = sorted((n, r) for n, r in self.anchors.roots.items() if n >= self.since)
        if self.source.proofs is not None:
            known = [(n, r) for n, r in known if n in self.roots]
        good = [(n, r) for n, r in known if self.roots.get(n) == r]
        self.anchors_good = len(good)
        differing = [(n, r) for n, r in known if self.roots.get(n) != r]
        differing += sorted(c for c in self.anchors.conflicts if c[0] >= self.since)
        wanted = {*good[-3:], *differing[:_SIGNATURES], *differing[-1:]}
        found = {(n.size, n.root): n for n in self.anchors.find(wanted)}
        return iter(found.values())

    def _contradictions(self, notes: list[Note]) -> None:
        for note in sorted(notes)[:3]:
            twice = any(n.size == note.size and n.root != note.root for n in notes)
            code = "EQUIVOCATION" if twice or self.proven >= note.size else "ROOT_MISMATCH"
            self.add(code, note.size, note.root.hex(), _hex(self.roots.get(note.size)))

    def weaknesses(self, anchors_given: bool) -> Iterator[str]:
        """Says what could not be shown though nothing is wrong."""
        if not self.count:
            yield "There are no records."
        if not self.keys:
            yield "No public key was given, so no signature was checked."
        if not self.proven:
            yield "No signed checkpoint covers these records."
        if not anchors_given or not self.anchors.roots:
            yield "No anchors of this log were given: a rewrite with the key would not show."
        elif self.anchored < self.last:
            yield f"Records {self.anchored + 1:,} to {self.last:,} are not anchored."

    def before_bad(self, size: int) -> int:
        """Returns the largest signed size of at most `size` before the first bad record."""
        bad = min((f.seq for f in self.findings if f.seq), default=sys.maxsize)
        signed = {(n.size, n.root) for n in self.notes} | set(self.anchors.roots.items())
        agreed = (n for n, root in signed if self.roots.get(n) == root)
        return size if size < bad else max((n for n in agreed if n < bad), default=0)

    def state(self) -> State | None:
        """Returns where the next check can go on, once all was proven."""
        if self.findings or self.source.proofs is not None or self.proven != self.last:
            return None
        for text in reversed(self.source.checkpoints):
            note = parse_note(text)
            if note is not None and 0 < note.size == self.last:
                place = (self.last, tuple(self.frontier), self.prev, self.logged)
                return State(*place, text, self.anchors.newest_at)
        return None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key twice")
    return made


def _no_float(text: str) -> None:
    raise ValueError("a number that is no integer")


_DAMAGE = (
    sqlite3.DatabaseError,
    OSError,
    EOFError,
    zlib.error,
    AttributeError,
    TypeError,
    ValueError,
)
_INTEGERS: dict[str, Any] = {"parse_float": _no_float, "parse_constant": _no_float}


def verify(
    source: Source,
    keys: Iterable[VerifierKey] = (),
    anchors: Anchors | None = None,
    *,
    deep: bool = False,
    since: State | None = None,
    progress: Progress | None = None,
) -> Report:
    """Returns what is true of `source`. Never raises for what it finds there."""
    begun = time.monotonic()
    check = _Check(source, tuple(keys), anchors or Anchors(None, ()))
    unknown = False
    try:
        check.start(since)
        if source.proofs is None:
            check.walk(deep, progress or _silent)
        else:
            check.include(deep, progress or _silent)
        check.judge()
    except _UnknownVersion:
        unknown = True
    except _DAMAGE as e:
        # What cannot be read as a log is damage, not a crash of the verifier.
        check.add("UNREADABLE", check.last + 1, "", type(e).__name__)
    weak = tuple(check.weaknesses(anchors is not None))
    bad = any(f.code != "UNKNOWN_VERSION" for f in check.findings)
    status = TAMPERED if bad else CANNOT if unknown else WEAK if weak else OK
    return _report(check, status, weak, deep, time.monotonic() - begun)


def _report(check: _Check, status: int, weak: tuple[str, ...], deep: bool, took: float) -> Report:
    ends = list(check.intents.values())
    filtered = check.source.proofs is not None
    intents = (ends.count("closed"), ends.count("unknown"), ends.count("open"))
    return Report(
        status=status,
        origin=check.keys[0].name if check.keys else "",
        keys=tuple(signing.key.key_id.hex() for signing in check.ring),
        first=check.first,
        last=check.last,
        records=check.count - check.since,
        since=check.since if check.resumed else 0,
        sealed_through=check.sealed,
        proven_through=check.before_bad(check.proven),
        anchored_through=check.before_bad(check.anchored),
        checkpoints=(check.checkpoints_good, check.checkpoints_seen),
        anchors=(check.anchors_good, len(check.anchors.roots)),
        intents=intents if deep and not filtered else None,
        filtered=filtered,
        findings=tuple(check.findings),
        weaknesses=weak,
        state=check.state(),
        seconds=round(took, 3),
    )


def _silent(done: int, total: int) -> None:
    pass


def verify_database(
    path: Path,
    keys: Iterable[VerifierKey] = (),
    anchors: Path | None = None,
    *,
    deep: bool = False,
    since: State | None = None,
    progress: Progress | None = None,
    segments: Path | None = None,
    patience_s: float = 2.0,
) -> Report:
    """Returns what is true of the log in a database, which may be in use.

    `segments` is the folder of sealed records. The anchors are read first: what is anchored then
    must be stored. For records whose anchor is still on its way it waits up to `patience_s`.

    Raises:
        sqlite3.Error: the file cannot be opened as a log at all.
        ValueError, KeyError, TypeError: a manifest of sealed records is damaged.
    """
    keys = tuple(keys)
    known = read_anchors(anchors, keys, since)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.isolation_level = None
        db.execute("BEGIN")
        source = with_segments(open_database(db), segments)
        await_anchors(known, source.total, patience_s)
        return verify(source, keys, known, deep=deep, since=since, progress=progress)


def read_anchors(
    path: Path | None, keys: Iterable[VerifierKey], since: State | None
) -> Anchors | None:
    """Returns the anchors of those logs in the file, read now; None where no file is named."""
    if path is None:
        return None
    anchors = Anchors(path, (key.name for key in keys), since.anchors_from if since else 0)
    anchors.read()
    return anchors


def await_anchors(anchors: Anchors | None, size: int, patience_s: float) -> None:
    """Waits a little for the anchors of records that were written just now."""
    deadline = time.monotonic() + patience_s
    while anchors and anchors.newest < size and time.monotonic() < deadline:
        time.sleep(0.05)
        anchors.read(limit=size)


# --- On the command line ---

_RESULTS = {
    OK: "VERIFIED and anchored",
    TAMPERED: "TAMPERED",
    WEAK: "NOT FULLY SHOWN",
    CANNOT: "CANNOT VERIFY",
}


def _render(report: Report) -> Iterator[str]:
    yield f"log          {report.origin or 'unknown'}, key {', '.join(report.keys) or 'none'}"
    if report.filtered:
        yield f"records      {report.records:,} of {report.last:,} shown; each is proven to be in"
        yield "             the log, that none was left out is not"
    else:
        span = f" ({report.first:,}..{report.last:,})" if report.records else ""
        earlier = f", {report.since:,} verified before" if report.since else ""
        yield f"records      {report.records:,}{span}{earlier}, {report.seconds:.1f} s"
        if report.sealed_through:
            yield f"sealed       1..{report.sealed_through:,} are not here; their root is signed"
    yield "checkpoints  {:,} of {:,} agree".format(*report.checkpoints)
    through = f", through record {report.anchored_through:,}"
    yield "anchors      {:,} of {:,} agree".format(*report.anchors) + through
    if report.intents is not None:
        yield "intents      {:,} with an outcome, {:,} unknown, {:,} open".format(*report.intents)
    for finding in report.findings:
        yield f"{finding.code:<13}record {finding.seq:,}: {finding.meaning}"
        if finding.expected or finding.found:
            yield f"             expected {finding.expected or '-'}, found {finding.found or '-'}"
    if report.findings:
        proven = (
            f"1..{report.proven_through:,} are still" if report.proven_through else "nothing is"
        )
        yield f"             {proven} proven"
    yield from (f"note         {weakness}" for weakness in report.weaknesses)
    yield f"RESULT       {_RESULTS[report.status]}"


def _vkey(text: str) -> VerifierKey:
    try:
        path = Path(text)
        return parse_vkey(path.read_text(encoding="utf-8") if path.exists() else text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no public key: {error}") from error


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Verifies a Gatehouse audit log.")
    log = parser.add_mutually_exclusive_group(required=True)
    log.add_argument("--db", type=Path, help="the database, with its -wal file beside it")
    log.add_argument("--jsonl", type=Path, help="an export folder, or a file of records")
    parser.add_argument("--vkey", type=_vkey, action="append", default=[], help="public key")
    parser.add_argument("--anchors", type=Path, help="file of anchors, kept outside the log")
    parser.add_argument("--segments", type=Path, help="folder of sealed records")
    parser.add_argument("--deep", action="store_true", help="also check every field and column")
    parser.add_argument("--since", type=Path, help="go on from a state that --save wrote")
    parser.add_argument("--save", type=Path, help="where to write the state after success")
    parser.add_argument("--json", action="store_true", help="report for machines")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args(argv)


def _show(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r{done:,} of {total:,} records", end=end, file=sys.stderr, flush=True)


def _run(given: argparse.Namespace) -> Report:
    keys: tuple[VerifierKey, ...] = tuple(given.vkey)
    progress = None if given.quiet or given.json else _show
    if given.db:
        with closing(sqlite3.connect(f"{given.db.absolute().as_uri()}?mode=ro", uri=True)) as db:
            marks = with_segments(open_database(db), given.segments).marks
        since = _since(given, keys, marks)
        return verify_database(
            given.db,
            keys,
            given.anchors,
            deep=given.deep,
            since=since,
            progress=progress,
            segments=given.segments,
        )
    source = open_export(given.jsonl)
    since = _since(given, keys, source.marks)
    anchors = read_anchors(given.anchors, keys, since)
    return verify(source, keys, anchors, deep=given.deep, since=since, progress=progress)


def _since(
    given: argparse.Namespace, keys: Iterable[VerifierKey], marks: tuple[bytes, ...]
) -> State | None:
    if not given.since:
        return None
    rotations = (line for line in marks if b'"key.rotated"' in line)
    return State.load(given.since.read_text(encoding="utf-8"), keys, rotations)


def main(argv: list[str] | None = None) -> int:
    """Runs the verifier; returns the exit status."""
    given = _arguments(argv)
    try:
        report = _run(given)
    except (OSError, sqlite3.Error, ValueError, KeyError, TypeError) as error:
        print(f"Cannot verify: {error}", file=sys.stderr)
        return CANNOT
    if given.save and report.state:
        given.save.write_text(report.state.dump(), encoding="utf-8")
    print(report.as_json() if given.json else report.as_text())
    return report.status


if __name__ == "__main__":
    sys.exit(main())
