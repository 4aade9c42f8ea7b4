"""A bundle to check on another machine: records as hashed, what was signed, the verifier."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final, Protocol

from audit import verify
from audit.chain import Frontier
from audit.encoding import canonical
from audit.errors import AuditError, Unavailable
from audit.proofs import inclusion_proofs, tlog_proof
from audit.sealing import Archive
from audit.sinks import claimed_size
from audit.storage import Head, Reading

_PAGE: Final = 500
_PROOF_FILES: Final = 100
_PATIENCE_S: Final = 2.0

README: Final = """\
Audit log export: {what}

records.jsonl      the records, one line each, exactly as they were hashed
checkpoint.txt     the newest checkpoint, signed by the log: it commits to {size} records
{others}anchors.jsonl      a copy of the anchors; prefer the one you received while the log ran
log.vkey           the log's public key; prefer the one you were given before
marks.jsonl        if it is there: records of changes of the key, and of sealed records
base.json          if it is there: where the records begin, because earlier ones have expired
verify.py          the verifier: Python 3.9 or newer, nothing else to install

Check it:
  python verify.py --jsonl . --vkey log.vkey --anchors anchors.jsonl --deep

Exit status 0: verified and anchored. 1: tampered, with the first bad record and what it means.
2: nothing wrong found, but not everything could be shown. 3: cannot verify.

{proves}
It does not prove that the program told the truth when it wrote a record.
"""
COMPLETE: Final = """\
This proves that the records are complete and in order, and that none was changed, removed or added
since it was written."""
FILTERED: Final = """\
This proves that each record in it is in the log, unchanged, at its place. It does not prove that no
record was left out: a selection cannot. Ask for a complete export for that."""
_CHECKPOINTS: Final = "checkpoints.jsonl  older checkpoints\n"
_PROOFS: Final = (
    "proofs.jsonl       for each record the hashes that lead from it to the checkpoint\n"
    "*.tlog-proof       the same for the first hundred, for other tools (c2sp.org/tlog-proof)\n"
)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What went into a bundle: how many of the log's `size` records, and which first and last."""

    records: int
    first: int
    last: int
    size: int
    complete: bool


class _Bundle(Protocol):
    def file(self, name: str) -> AbstractContextManager[IO[bytes]]: ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise AuditError(f"{path} is not empty. Export into an empty or new folder.")

    def file(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return (self._path / name).open("xb")


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def file(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return self._archive.open(f"audit-export/{name}", "w", force_zip64=True)


@contextlib.contextmanager
def _bundle(target: Path | BinaryIO) -> Iterator[_Bundle]:
    try:
        if isinstance(target, Path):
            yield _Folder(target)
        else:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                yield _Zip(archive)
    except OSError as error:
        raise Unavailable(f"The export could not be written: {error}.") from error


def write(
    target: Path | BinaryIO,
    log: Reading,
    head: Head,
    *,
    vkey: str,
    anchors: Path,
    archive: Archive,
    seqs: Sequence[int] | None,
) -> Exported:
    """Writes the bundle into a new folder, or as a zip file into a stream.

    `seqs` are the records to show, in order; None for all.

    Raises:
        AuditError: the folder is not empty, or something cannot be read or written.
    """
    with _bundle(target) as bundle:
        if seqs is None:
            span = _all_records(bundle, log, head, archive)
        else:
            span = _some(bundle, log, head, seqs)
        if marks := list(_marks(log, archive)):
            _lines(bundle, "marks.jsonl", marks)
        _text(bundle, "checkpoint.txt", head.note)
        if span.complete:
            kept = (canonical({"note": c.note}) for c in log.checkpoints())
            _lines(bundle, "checkpoints.jsonl", kept)
        _lines(bundle, "anchors.jsonl", _anchors_until(anchors, head.size))
        _text(bundle, "log.vkey", f"{vkey}\n")
        _text(bundle, "verify.py", Path(verify.__file__).read_text(encoding="utf-8"))
        _text(bundle, "README.txt", _readme(span))
    return span


def _all_records(bundle: _Bundle, log: Reading, head: Head, archive: Archive) -> Exported:
    live, gone = log.first(), None
    for segment in archive.segments():
        if segment.last < live and not archive.holds(segment):
            gone = segment
    first = gone.last + 1 if gone else 1
    if gone:
        _text(bundle, "base.json", f"{canonical(vars(gone))}\n")

    def lines() -> Iterator[str]:
        yield from archive.scan(first, live - 1)
        yield from (row.record for row in log.scan(live, head.size))

    _lines(bundle, "records.jsonl", lines())
    records = head.size - first + 1
    return Exported(records=records, first=first, last=head.size, size=head.size, complete=True)


def _marks(log: Reading, archive: Archive) -> Iterator[str]:
    for segment in archive.segments():
        yield from segment.marks
    for row in log.marks():
        yield row.record


def _some(bundle: _Bundle, log: Reading, head: Head, seqs: Sequence[int]) -> Exported:
    pages = (seqs[i : i + _PAGE] for i in range(0, len(seqs), _PAGE))
    _lines(bundle, "records.jsonl", (row.record for page in pages for row in log.by_seq(page)))
    proofs = prove(log, head, seqs)
    _lines(bundle, "proofs.jsonl", (_proof(seq, path) for seq, path in proofs.items()))
    for seq in seqs[:_PROOF_FILES]:
        _text(bundle, f"record-{seq}.tlog-proof", tlog_proof(seq - 1, proofs[seq], head.note))
    return Exported(
        records=len(seqs),
        first=seqs[0] if seqs else 0,
        last=seqs[-1] if seqs else 0,
        size=head.size,
        complete=False,
    )


def prove(log: Reading, head: Head, seqs: Sequence[int]) -> dict[int, list[bytes]]:
    """Returns for each of those records, which must be in the database, the way to the root."""
    kept = log.checkpoint_before(log.first() - 1)
    base = Frontier.unpack(kept.size, kept.frontier) if kept else Frontier()
    leaves = log.leaves(base.size + 1, head.size)
    proofs = inclusion_proofs(leaves, head.size, [seq - 1 for seq in seqs], base)
    return {index + 1: path for index, path in proofs.items()}


def _proof(seq: int, path: Iterable[bytes]) -> str:
    return canonical({"proof": [base64.b64encode(node).decode() for node in path], "seq": seq})


def _anchors_until(path: Path, size: int) -> Iterator[str]:
    """Returns the anchors of at most `size` records, waiting a little for the newest."""
    deadline = time.monotonic() + _PATIENCE_S
    while (found := _read_anchors(path, size))[1] < size and time.monotonic() < deadline:
        time.sleep(0.05)
    yield from found[0]


def _read_anchors(path: Path, size: int) -> tuple[list[str], int]:
    lines, newest = [], 0
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            covered = claimed_size(_note(line))
            if covered <= size:
                lines.append(line)
                newest = max(newest, covered)
    return lines, newest


def _note(line: str) -> str:
    try:
        return str(json.loads(line)["note"])
    except (KeyError, TypeError, ValueError):
        return ""  # copied as it is: the verifier says what it thinks of it


def _lines(bundle: _Bundle, name: str, lines: Iterable[str]) -> None:
    with bundle.file(name) as file:
        for line in lines:
            file.write(f"{line}\n".encode())


def _text(bundle: _Bundle, name: str, text: str) -> None:
    with bundle.file(name) as file:
        file.write(text.encode())


def _readme(span: Exported) -> str:
    return README.format(
        what="complete" if span.complete else f"a selection of {span.records:,} records",
        size=f"{span.size:,}",
        others=_CHECKPOINTS if span.complete else _PROOFS,
        proves=COMPLETE if span.complete else FILTERED,
    )
