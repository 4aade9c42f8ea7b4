"""Where secrets come from: the environment, or `.streamlit/secrets.toml` beside the program."""

from __future__ import annotations

import os
import tomllib
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from guard import ConfigurationError

SECRETS = Path(__file__).resolve().parent.parent / ".streamlit" / "secrets.toml"


def environment(file: Path = SECRETS) -> Mapping[str, str]:
    """Returns the environment's variables, and below them the texts of the secrets file.

    Raises:
        ConfigurationError: the file is there and cannot be read. The message repeats nothing of it.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return os.environ
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise ConfigurationError(
            f"{file} cannot be read as TOML. Mend it, or set environment variables instead."
        ) from None
    secrets = {key: value for key, value in content.items() if isinstance(value, str)}
    return ChainMap(os.environ, secrets)
