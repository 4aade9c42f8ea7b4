"""Other processes for tests: a pool that imports test modules anew, and one that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
Result = TypeVar("Result")


def run_in_processes(count: int, task: Callable[[str, int], Result], home: Path) -> list[Result]:
    """Returns what `task(home, number)` gives in each of `count` fresh processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        return list(pool.map(task, [str(home)] * count, range(count)))


@contextmanager
def process(script: str, *args: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Runs a script that prints a line once it is where the test wants it; killed at the end."""
    running = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        kill(running)


def line(running: subprocess.Popen[str]) -> str:
    """Returns the next line the process prints."""
    assert running.stdout is not None
    return running.stdout.readline().strip()


def kill(running: subprocess.Popen[str]) -> None:
    """Kills that one process as a power cut would."""
    if running.poll() is None:
        os.kill(running.pid, signal.SIGKILL)
    running.wait()
    for pipe in (running.stdin, running.stdout):
        if pipe is not None:
            pipe.close()
