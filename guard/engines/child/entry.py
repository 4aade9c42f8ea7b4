"""The worker process's entry, started by its path with two descriptors as arguments.

It registers the packages on its way as bare folders, so that `guard/__init__.py` and all it would
import stay outside this process; the parent's `__main__` never comes near it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType


def _bare(name: str, folder: Path) -> None:
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def main() -> None:
    """Serves statements until the parent goes away."""
    child = Path(__file__).resolve().parent
    _bare("guard", child.parent.parent)
    _bare("guard.engines", child.parent)
    _bare("guard.engines.child", child)
    from guard.engines.child import serve

    serve.serve(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
