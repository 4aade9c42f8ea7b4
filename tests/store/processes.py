"""Other processes for tests: a pool that imports test modules anew, and one that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
Result = TypeVar("Result")


def run_in_processes(
    count: int, task: Callable[[str, int], Result], where: str | Path
) -> list[Result]:
    """Returns what `task(where, number)` gives in each of `count` fresh processes.

    The task is a function of a test module whose result JSON can hold. Not multiprocessing: its
    children run the parent's main script again, and page tests make that a page.
    """
    script = (
        "import json, sys\n"
        f"from {task.__module__} import {task.__name__} as task\n"
        "print(json.dumps(task(sys.argv[1], int(sys.argv[2]))))"
    )
    with ExitStack() as stack:
        started = [stack.enter_context(process(script, where, str(n))) for n in range(count)]
        return [json.loads(line(running)) for running in started]


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
