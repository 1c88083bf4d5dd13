"""Secrets: files that others may read, and passwords in the environment. Looks at modes; reads no secret."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from dms_relay.checks.rules import Finding
from dms_relay.model import RELAY_YAML

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dms_relay.sources.secrets import SecretPlace

#: Where Docker mounts secrets.
_SECRETS = "/run/secrets"
#: Permission bits that let others than the owner read.
_OTHERS = stat.S_IRGRP | stat.S_IROTH


def check_secrets(places: Iterable[SecretPlace]) -> Iterator[Finding]:
    """Yield what is to be said of where passwords stand, once for each place."""
    for place in dict.fromkeys(places):
        if place.path is None:
            text = "the password stands in the environment, which more people and programs see than a file"
            is_yaml = place.origin.source == RELAY_YAML
            remedy = "write password_file in its place" if is_yaml else "set RELAY_PASSWORD__FILE in its place"
            yield Finding("secret-in-environment", place.origin, text, remedy)
            continue
        mode = _mode(place.path)
        if mode & _OTHERS:
            text = f"{place.path} holds a password, and its mode {mode:04o} lets others than its owner read it"
            yield Finding("secret-readable", place.origin, text, _remedy(place.path, mode))


def _remedy(path: Path, mode: int) -> str:
    """Say how to close a file; a secret of Docker's is mounted, and has its mode from where it is named."""
    if path.is_relative_to(_SECRETS):
        return "write mode: 0400 where the service names the secret; or chmod 600 the file that it is made of"
    return f"chmod {mode & stat.S_IRWXU:03o} {path}"


def _mode(path: Path) -> int:
    """Return the permission bits of a file; none where it is no file, or is gone."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else 0
