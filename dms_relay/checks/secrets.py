"""Secrets: files that other users can read, and passwords in the environment. Looks at modes; reads no secret."""

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
#: The link with which Kubernetes replaces all files of a volume at once.
_KUBERNETES = "..data"
#: Permission bits that let users other than the owner read.
_OTHERS = stat.S_IRGRP | stat.S_IROTH


def check_secrets(places: Iterable[SecretPlace]) -> Iterator[Finding]:
    """Yield the findings about the places of passwords, once for each place."""
    for place in dict.fromkeys(places):
        if place.path is None:
            text = "the password is in the environment, which more people and programs can read than a file"
            is_yaml = place.origin.source == RELAY_YAML
            remedy = "write password_file instead" if is_yaml else "set RELAY_PASSWORD__FILE instead"
            yield Finding("secret-in-environment", place.origin, text, remedy)
            continue
        mode = _mode(place.path)
        if mode & _OTHERS:
            text = f"{place.path} holds a password, and its mode {mode:04o} lets other users read it"
            yield Finding("secret-readable", place.origin, text, _remedy(place.path, mode, _user_file(place)))


def _user_file(place: SecretPlace) -> Path | None:
    """Return the input that names a file, if the input's owner could not read the file any more (``files.trust``)."""
    if place.path is None or place.named_by is None:
        return None
    try:
        return None if place.named_by.stat().st_uid in {0, place.path.stat().st_uid} else place.named_by
    except OSError:
        return None


def _remedy(path: Path, mode: int, named_by: Path | None = None) -> str:
    """Return how to protect a file; Kubernetes and Docker set the mode of a mounted secret in their own configuration.

    ``named_by`` must then belong to root, since its owner could not read the file any more.
    """
    if named_by:
        return f"run chown root {named_by} && chmod {mode & stat.S_IRWXU:03o} {path}"
    if (path.parent / _KUBERNETES).is_symlink():
        return "set defaultMode: 0400 at the volume, in the pod"
    if path.is_relative_to(_SECRETS):
        return "set mode: 0400 where the service lists the secret, or run chmod 600 on its source file"
    return f"run chmod {mode & stat.S_IRWXU:03o} {path}"


def _mode(path: Path) -> int:
    """Return the permission bits of a file; 0 if it is not a file, or is gone."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else 0
