"""Tries the fixed attacks on an adapter and looks, from outside, whether anything changed."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from guard.engines.base import Probe
from guard.engines.child.faults import FaultCode
from guard.engines.child.probes import Attack

LATE_SECONDS = 2.0
"""How long after its time limit an attack may still take to end."""

Outcome = FaultCode | None
"""How the attack ended; None: the engine did it."""


def attempt(
    attacks: tuple[Attack, ...], source: Path, run: Callable[[int, Path], Outcome]
) -> list[Probe]:
    """Returns one `Probe` for each attack; `run` sends the attack of that number and the folder."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-probe-") as name:
        folder = Path(name)
        (folder / "canary.csv").write_text(f"canary\n{secrets.token_hex(16)}\n", encoding="ascii")
        return [_one(attack, number, source, folder, run) for number, attack in enumerate(attacks)]


def _one(
    attack: Attack, number: int, source: Path, folder: Path, run: Callable[[int, Path], Outcome]
) -> Probe:
    before = _seen(source, folder)
    started = time.monotonic()
    outcome = run(number, folder)
    late = time.monotonic() - started - attack.timeout_ms / 1000
    detail = f"refused ({outcome})"
    if outcome is None:
        detail = "the engine did it"
    elif outcome not in attack.expected:
        detail = f"ended as {outcome}, not as expected"
    elif _seen(source, folder) != before:
        detail = "refused, but a file changed"
    elif late > LATE_SECONDS:
        detail = "stopped too late"
    passed = outcome in attack.expected and detail.startswith("refused (")
    return Probe(name=attack.name, passed=passed, detail=detail)


def _seen(source: Path, folder: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of everything an attack could have written."""
    beside = [p for p in source.parent.glob(f"{source.name}*") if not p.name.endswith("-shm")]
    files = sorted([*beside, *folder.rglob("*")])
    return [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.is_file()]
