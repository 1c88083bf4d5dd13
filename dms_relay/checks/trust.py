"""Inputs that are trusted though a group can change them: whoever is in that group could decide where mail goes.

Looks at owners and modes, reads nothing, writes nothing. An input that others can change is refused by ``files.trust``.
"""

from __future__ import annotations

import os
from shlex import quote as shell_word
from stat import S_IWGRP
from typing import TYPE_CHECKING

from dms_relay.checks.rules import Finding
from dms_relay.files.trust import is_writable, require_believed
from dms_relay.model import Origin
from dms_relay.sources.distrust import group
from dms_relay.sources.near_files import INPUTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dms_relay.model import Paths
    from dms_relay.sources.secrets import SecretPlace


def check_trust(paths: Paths, places: Iterable[SecretPlace]) -> Iterator[Finding]:
    """Yield a finding for each group that can write to inputs, with all these inputs."""
    known = [paths.config_dir, *(paths.config_dir / name for name in INPUTS)]
    known += [place.path for place in places if place.path and place.path not in known]
    by_group: dict[int, list[Path]] = {}
    for path in dict.fromkeys(known):
        if (number := _group(path)) is not None:
            by_group.setdefault(number, []).append(path)
    for number, writable in by_group.items():
        names = " ".join(shell_word(str(path)) for path in writable)
        text = f"{group(number)} can write to it, and anybody in that group could decide where mail goes"
        yield Finding("group-writable-input", Origin(str(writable[0])), text, f"run chmod g-w {names}")


def _group(path: Path) -> int | None:
    """Return the group that can write to a trusted input, unless it is root's; ``None`` if none can."""
    try:
        status = path.stat()
        require_believed(str(path), status)
    except (OSError, ValueError):
        return None
    return status.st_gid if status.st_mode & S_IWGRP and status.st_gid and is_writable(os.fspath(path)) else None
