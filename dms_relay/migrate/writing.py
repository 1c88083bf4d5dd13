"""Writes the files of an import: ``relay.yaml``, its password files, and what our own image needs beside it.

All are 0600, and ``secrets`` is 0700. Writes nothing if one of the files exists, except with ``force``. Raises
``WriteError``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.errors import WriteError
from dms_relay.migrate.yaml_text import files_of, relay_yaml
from dms_relay.model import RELAY_YAML

if TYPE_CHECKING:
    from dms_relay.migrate.importing import Imported
    from dms_relay.migrate.yaml_text import Passwords

SECRETS = "secrets"
PARAMETERS, VARIABLES = "postfix-main.cf", "container.env"
_MODE, _DIRECTORY_MODE = 0o600, 0o700
_NAME_ANOTHER = "name a directory with --output, or a new one in an existing directory"


def write(imported: Imported, directory: Path, passwords: Passwords, place: str, *, force: bool) -> list[str]:
    """Write the files, and return their paths. ``place`` is the directory of the secrets as ``passwords`` names it."""
    contents = {directory / RELAY_YAML: relay_yaml(imported.draft, imported.given.source, passwords)}
    for secret, text in files_of(imported.draft, passwords, place):
        contents[directory / SECRETS / Path(secret).name] = text
    given = imported.given
    contents |= _others(directory, dict(imported.parameters), {k: v for k, v in given.variables.items() if v})
    _refuse(contents, force=force)
    _make(directory, _DIRECTORY_MODE)
    if any(path.parent.name == SECRETS for path in contents):
        _make(directory / SECRETS, _DIRECTORY_MODE)
    for path, text in contents.items():
        files.replace(path, text.encode("utf-8", "surrogateescape"), _MODE, None)
    return [str(path) for path in contents]


def _others(directory: Path, parameters: dict[str, str], variables: dict[str, str]) -> dict[Path, str]:
    found = {}
    if parameters:
        found[directory / PARAMETERS] = "".join(f"{name} = {value}\n" for name, value in parameters.items())
    if variables:
        found[directory / VARIABLES] = "".join(f"{name}={value}\n" for name, value in variables.items())
    return found


def _refuse(contents: dict[Path, str], *, force: bool) -> None:
    there = [str(path) for path in contents if path.exists() or path.is_symlink()]
    if there and not force:
        text = f"{there[0]} already exists" + (f", and {len(there) - 1} more" if there[1:] else "")
        raise WriteError(text, "name another directory with --output, or overwrite them with --force")


def _make(directory: Path, mode: int) -> None:
    if directory.is_dir():
        return
    if os.path.lexists(directory) or not directory.parent.is_dir():
        what = (
            "is not a directory" if os.path.lexists(directory) else "cannot be created: its parent is not a directory"
        )
        raise WriteError(f"{directory} {what}", _NAME_ANOTHER)
    files.make_directory(directory, mode)
