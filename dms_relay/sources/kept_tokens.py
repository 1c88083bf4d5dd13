"""The stored access tokens that have not expired, as one more input. Reads the state directory; writes nothing.

A file that cannot be read counts as no token: mail of that login waits, and a new token is requested. A file that others
could have written counts as none too, with a warning.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.errors import RelayError
from dms_relay.files.trust import DistrustError
from dms_relay.model.values import replace
from dms_relay.sources.text import distrusted
from dms_relay.tokens import believed, in_force

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dms_relay.model import Problem

_DIRECTORY, _SUFFIX = "tokens", ".json"


def kept_tokens(state_dir: Path, problems: list[Problem]) -> dict[str, str]:
    """Return the tokens by the identifiers of their logins; add to ``problems`` the files that are not trusted."""
    names = _names(state_dir / _DIRECTORY)
    problems += _distrusted(state_dir, names)
    return dict(_valid(state_dir, names, time.time()))


def _names(directory: Path) -> list[str]:
    """Return the identifiers of the logins with stored tokens."""
    try:
        found = os.listdir(directory)  # noqa: PTH208 -- names
    except OSError:
        return []
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX) and name[0] != ".")


def _distrusted(state_dir: Path, names: list[str]) -> Iterator[Problem]:
    for path in (*(state_dir / _DIRECTORY / f"{name}{_SUFFIX}" for name in names), state_dir / in_force.NAME):
        try:
            believed.read(path)
        except DistrustError as error:
            yield replace(distrusted(error), is_error=False)
        except OSError:
            continue


def _valid(state_dir: Path, names: list[str], now: float) -> Iterator[tuple[str, str]]:
    for login in names:
        try:
            kept = tokens.load(state_dir, login)
        except (OSError, ValueError, RelayError):
            continue
        if tokens.is_valid(kept, now):
            yield login, kept.access_token
