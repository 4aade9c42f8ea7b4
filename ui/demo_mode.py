"""Demo mode: a marker in the data folder that lets the demo accounts in and shows them at sign-in.

`gatehouse init --demo` writes it. Removing the file `demo` ends demo mode at once: the accounts
stay, but can no longer sign in, and sessions of theirs stop working.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

MARKER = "demo"

Line = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class DemoAccount(BaseModel):
    """One account as the sign-in page shows it; `password` is a demo password, meant to be seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    password: Line
    display_name: Line
    note: Line


class _Marker(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: tuple[DemoAccount, ...]


def write(home: Path, accounts: Iterable[DemoAccount]) -> None:
    """Turns demo mode on, showing these accounts."""
    path = home / MARKER
    path.touch(mode=0o600)
    path.write_text(_Marker(accounts=tuple(accounts)).model_dump_json(indent=2), encoding="utf-8")


def is_on(home: Path) -> bool:
    """Returns whether demo mode is on."""
    return (home / MARKER).is_file()


def accounts(home: Path) -> tuple[DemoAccount, ...]:
    """Returns the accounts to show; none outside demo mode.

    Raises:
        ConfigurationError: the marker cannot be read.
    """
    try:
        text = (home / MARKER).read_text(encoding="utf-8")
        return _Marker.model_validate_json(text).accounts
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, ValidationError) as error:
        # Imported here because it brings the guard, for which `gatehouse serve` need not wait.
        from guard import ConfigurationError

        raise ConfigurationError(
            f"The demo marker {home / MARKER} cannot be read. Run `gatehouse init --demo` again, "
            "or remove the file to end demo mode."
        ) from error
