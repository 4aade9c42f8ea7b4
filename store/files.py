"""The embedded store's folder and file: made private, refused in words where they cannot serve."""

from __future__ import annotations

import os
from pathlib import Path

from store.errors import StoreError

_MAGIC = b"SQLite format 3\x00"


def prepare(home: Path, file_name: str) -> None:
    """Makes the data folder (0700) and an empty store file (0600) where they are missing.

    SQLite gives its side files the mode of the main file, so they are private too.

    Raises:
        StoreError: the folder or file cannot be made or used, or holds something else.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(home / file_name)
    except (FileExistsError, NotADirectoryError):
        raise StoreError(
            f"The data folder {home} is a file. Set GATEHOUSE_HOME to a folder."
        ) from None
    except OSError as error:
        raise StoreError(
            f"The data folder {home} cannot be used ({error.strerror}). Make it writable, or set "
            "GATEHOUSE_HOME to another folder."
        ) from error


def _make(path: Path) -> None:
    if path.exists():
        _check(path)
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        _check(path)


def _check(path: Path) -> None:
    if not path.is_file():
        raise StoreError(f"{path} is not a file. Move it away, or set GATEHOUSE_HOME.")
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start and start != _MAGIC:
        raise StoreError(
            f"{path} is not a Gatehouse store. Move it away, or set GATEHOUSE_HOME to another "
            "folder."
        )
