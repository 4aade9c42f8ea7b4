"""Makes the demo company in a data folder, once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.world import Progress

_HERE = Path(__file__).parent
_SHOP, _WAREHOUSE = "shop.sqlite", "warehouse.duckdb"


def make(home: Path, progress: Progress | None = None) -> None:
    """Writes the demo sources, their policy and their vocabularies into `home`.

    What is there already stays as it is, approved changes included, so a second call is harmless.
    Each file appears under its name only when it is whole. The rows are always the same.

    Args:
        home: the data folder; it is made if absent.
        progress: called with what is being done and the part done so far, from 0 to 1.

    Raises:
        OSError: the folder cannot be written; files that appeared before are whole and may stay.
    """
    tell = progress or _silent
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".making-", dir=home) as folder:
        _make_sources(home, Path(folder), tell)
        for file in (_HERE / "policy.toml", *sorted(_HERE.glob("*.semantics.toml"))):
            if not (home / file.name).exists():
                _put(Path(shutil.copyfile(file, Path(folder, file.name))), home)
    tell("demo company", 1.0)


def _make_sources(home: Path, folder: Path, tell: Progress) -> None:
    # Here, not above: who only needs the accounts waits for neither drivers nor Faker.
    from demo.people import customers
    from demo.shop import write_shop
    from demo.warehouse import write_warehouse

    writers = {_SHOP: write_shop, _WAREHOUSE: write_warehouse}
    missing = [name for name in writers if not (home / name).exists()]
    if not missing:
        return
    tell("customers", 0.0)
    people = customers()
    for name in missing:
        writers[name](folder / name, people, tell)
        _put(folder / name, home)


def _put(whole: Path, home: Path) -> None:
    """Moves a finished file into the data folder, safe against a power cut."""
    with whole.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(whole, home / whole.name)


def _silent(what: str, part: float) -> None:
    """Tells nobody."""
