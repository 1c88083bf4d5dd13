"""The access tokens that are kept and have not ended, as one more input. Reads the state directory; writes nothing.

A file there that cannot be read holds no token: mail of that login waits, and a new one is asked for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.errors import RelayError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIRECTORY, _SUFFIX = "tokens", ".json"


def kept_tokens(state_dir: Path) -> dict[str, str]:
    """Return the tokens by the identifiers of their logins."""
    return dict(_valid(state_dir, time.time()))


def _valid(state_dir: Path, now: float) -> Iterator[tuple[str, str]]:
    try:
        names = [path.name for path in (state_dir / _DIRECTORY).iterdir()]
    except OSError:
        return
    for login in sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX) and name[0] != "."):
        try:
            kept = tokens.load(state_dir, login)
        except (OSError, ValueError, RelayError):
            continue
        if tokens.is_valid(kept, now):
            yield login, kept.access_token
