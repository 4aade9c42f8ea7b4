"""Sealed segments: old records as compressed lines in a file, with a manifest that proves them.

A segment ends where a signed checkpoint was kept. Its life, each step durable before the next, and
each repeated after a crash:

    1 write `seg-FIRST-LAST.jsonl.gz`   2 read it again and compare it with the checkpoint
    3 record `log.sealed`               4 write its manifest, `seg-FIRST-LAST.json`
    5 remove its records from the database and record `log.pruned`, in one transaction
    6 once it expired: record `log.pruned` again, remove the file, keep the manifest

The live part starts from the sealed checkpoint, so it verifies with and without the segments.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit.chain import Frontier, genesis, leaf_hash
from audit.encoding import canonical
from audit.errors import AuditError, Tampered, Unavailable
from audit.storage import KeptCheckpoint, Reading

SEGMENT_RECORDS: Final = 100_000
_MARKS: Final = ("key.rotated", "log.pruned")


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What the manifest of a segment says. `last_logged` is when its last record was written.

    `marks` are the records in it that a verifier must know before it begins.
    """

    origin: str
    first: int
    last: int
    first_prev: str
    last_hash: str
    last_logged: str
    frontier: str
    note: str
    sha256: str
    bytes: int
    marks: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its file, without an ending."""
        return f"seg-{self.first:012d}-{self.last:012d}"


class Archive:
    """The folder of segments of one log."""

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder = folder
        self._origin = origin

    def segments(self) -> Sequence[Segment]:
        """Returns the segments in order, those whose file expired too.

        Raises:
            Tampered: a manifest is damaged, or does not follow the one before.
        """
        found = []
        for path in self._folder.glob("seg-*.json"):
            try:
                raw = json.loads(path.read_text(encoding="utf-8"))
                found.append(Segment(**{**raw, "marks": tuple(raw["marks"])}))
            except (OSError, KeyError, TypeError, ValueError) as error:
                raise Tampered(f"The manifest {path} is damaged. Put back a copy.") from error
        found.sort(key=lambda segment: segment.first)
        last = 0
        for segment in found:
            if segment.first != last + 1 or segment.origin != self._origin:
                raise Tampered(f"{segment.name}.json does not follow the segment before it.")
            last = segment.last
        return found

    def holds(self, segment: Segment) -> bool:
        """True while the records of the segment have not expired."""
        return self._records(segment.name).exists()

    def scan(self, first: int, last: int) -> Iterator[str]:
        """Returns the sealed records from `first` to `last` that have not expired, in order.

        Raises:
            Tampered: a file is damaged.
        """
        for segment in self.segments():
            if segment.last >= first and segment.first <= last and self.holds(segment):
                for seq, line in enumerate(self._read(segment.name), segment.first):
                    if first <= seq <= last:
                        yield line

    def lines(self, segment: Segment) -> Iterator[tuple[int, str]]:
        """Returns the records of a segment with their numbers, in order.

        Raises:
            Tampered: the file is not what the manifest says.
        """
        path = self._records(segment.name)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Unavailable(f"The segment {segment.name} cannot be read.") from error
        if digest != segment.sha256:
            raise Tampered(f"{segment.name} is not what its manifest says. Put back a copy.")
        yield from enumerate(self._read(segment.name), segment.first)

    def write(self, lines: Iterable[str], first: int, prev: str, kept: KeptCheckpoint) -> Segment:
        """Returns the segment of `lines`, whose file is durable and agrees with the checkpoint.

        It counts only once `confirm` wrote its manifest.

        Raises:
            Tampered: the records do not lead to the checkpoint. Nothing may be removed.
            Unavailable: the file cannot be written.
        """
        name = f"seg-{first:012d}-{kept.size:012d}"
        path = self._records(name)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._clean()
            draft = path.with_suffix(".part")
            with draft.open("wb") as file:
                with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                    packed.writelines(f"{line}\n".encode() for line in lines)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync(self._folder)
            return self._described(name, first, prev, kept)
        except OSError as error:
            raise Unavailable(f"A sealed segment cannot be written to {self._folder}.") from error

    def confirm(self, segment: Segment) -> None:
        """Writes the manifest.

        Raises:
            Unavailable: it cannot be written.
        """
        path = self._folder / f"{segment.name}.json"
        try:
            draft = path.with_suffix(".part")
            with draft.open("w", encoding="utf-8") as file:
                file.write(f"{canonical(vars(segment))}\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync(self._folder)
        except OSError as error:
            raise Unavailable(f"The manifest {path} cannot be written.") from error

    def check(self, segment: Segment) -> None:
        """Returns when the segment's file is there and is what its manifest says.

        Raises:
            Tampered: it is not. Nothing may be removed for it.
        """
        kept = KeptCheckpoint(
            size=segment.last, note=segment.note, frontier=bytes.fromhex(segment.frontier)
        )
        if self._described(segment.name, segment.first, segment.first_prev, kept) != segment:
            raise Tampered(f"{segment.name} is not what its manifest says. Put back a copy.")

    def expire(self, segment: Segment) -> None:
        """Removes the records of the segment; the manifest stays. Record it before."""
        self._records(segment.name).unlink(missing_ok=True)
        _sync(self._folder)

    def _described(self, name: str, first: int, prev: str, kept: KeptCheckpoint) -> Segment:
        begun = self._base(first)
        leaf, logged, marks = bytes.fromhex(prev), "", []
        for line in self._read(name):
            record = json.loads(line)
            if (record["prev"], record["seq"]) != (leaf.hex(), begun.size + 1):
                raise Tampered(
                    f"Record {begun.size + 1} in {name} does not follow its predecessor."
                )
            leaf, logged = leaf_hash(line.encode()), str(record["logged"])
            begun.append(leaf)
            marks += [line] if record["event"]["type"] in _MARKS else []
        signed_root = kept.note.split("\n")[2]
        if begun.size != kept.size or base64.b64encode(begun.root()).decode() != signed_root:
            raise Tampered(f"The records in {name} are not those that were signed.")
        raw = self._records(name).read_bytes()
        return Segment(
            origin=self._origin,
            first=first,
            last=kept.size,
            first_prev=prev,
            last_hash=leaf.hex(),
            last_logged=logged,
            frontier=begun.pack().hex(),
            note=kept.note,
            sha256=hashlib.sha256(raw).hexdigest(),
            bytes=len(raw),
            marks=tuple(marks),
        )

    def _base(self, first: int) -> Frontier:
        before = next((s for s in self.segments() if s.last == first - 1), None)
        return (
            Frontier.unpack(before.last, bytes.fromhex(before.frontier)) if before else Frontier()
        )

    def _records(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl.gz"

    def _read(self, name: str) -> Iterator[str]:
        try:
            with gzip.open(self._records(name), "rt", encoding="utf-8", newline="\n") as file:
                yield from (line.rstrip("\n") for line in file)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise Tampered(f"The segment {name} cannot be read. Put back a copy.") from error

    def _clean(self) -> None:
        """Removes what a crash left: drafts, and files of records that no manifest names."""
        for path in self._folder.glob("seg-*"):
            manifest = path.with_name(f"{path.name.partition('.')[0]}.json")
            if path.suffix == ".part" or not manifest.exists():
                path.unlink()


def next_segment(
    log: Reading, archive: Archive, limit: int, count: int = SEGMENT_RECORDS
) -> tuple[int, str, KeptCheckpoint] | None:
    """Returns where the next segment begins, the hash before it, and the checkpoint it ends at.

    None when no kept checkpoint of at most `limit` records is left to end it.

    Raises:
        AuditError: records between the last segment and the database are missing.
    """
    done = archive.segments()
    first = done[-1].last + 1 if done else 1
    if log.first() > first:
        raise AuditError(
            f"Records {first} to {log.first() - 1} were sealed from another folder. Seal there."
        )
    kept = log.checkpoint_before(min(limit, first + count - 1))
    if kept is None or kept.size < first:
        return None
    prev = done[-1].last_hash if done else ""
    return first, prev, kept


def genesis_of(origin: str) -> str:
    """Returns what the first record of the log has as its predecessor's hash, in hex."""
    return genesis(origin).hex()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
