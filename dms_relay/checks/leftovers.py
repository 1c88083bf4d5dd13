"""Files that a killed run has left behind: they can contain logins. Looks at names, reads nothing, writes nothing."""

from __future__ import annotations

from contextlib import suppress
from shlex import quote as shell_word
from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.checks.rules import Finding
from dms_relay.files.leftovers import leftovers as edit_leftovers
from dms_relay.model import Origin
from dms_relay.plan.found import leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dms_relay.model import Paths


def check_leftovers(paths: Paths) -> Iterator[Finding]:
    """Yield a finding for each file."""
    for path in dict.fromkeys((*edit_leftovers(paths.config_dir), *leftovers(paths))):
        text = "a run that was interrupted left this file, and logins may be in it"
        is_kept = path.parent == paths.config_dir and not files.is_temporary_name(path.name)
        remedy = f"repeat the edit that was interrupted, or run rm {shell_word(str(path))}"
        if strange := _directory_in(path):
            remedy, is_kept = f"move the directory {strange} away, then run dms-relay apply", True
        yield Finding("leftover-file", Origin(str(path)), text, remedy if is_kept else "run dms-relay apply")


def _directory_in(path: Path) -> Path | None:
    """Return a directory inside a directory of ours: it is somebody else's, so ``apply`` does not remove it."""
    with suppress(OSError):
        return next((one for one in path.iterdir() if one.is_dir() and not one.is_symlink()), None)
    return None
