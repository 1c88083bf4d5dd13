"""Checks that the inputs come from the same directory as in the last run. Pure.

Whatever disappears from the inputs is undone on the machine. So a forgotten option, a failed mount or a missing directory
would undo all relays, and mail would go directly: we refuse that until the operator confirms it. A directory that was
emptied is still the same, by its inode number (inode(7)) and that of its file system: there it is intended.
"""

from __future__ import annotations

from dms_relay.errors import InputError
from dms_relay.model import Origin, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import PostfixConfig
    from dms_relay.plan.found import Found

_RULE = "other-directory"


def refuse_other_directory(wanted: PostfixConfig, found: Found) -> None:
    """Raise ``InputError`` if the inputs of the last run came from a directory that is not read now, or has gone.

    A state file of an older dms-relay does not name the directory: then we only refuse to undo everything.
    """
    last, now = found.state.config_dir, found.config_dir
    if last is None:
        is_nothing = not (wanted.tables or wanted.parameters or wanted.services or wanted.service_parameters)
        if is_nothing and not now.number:
            text = "the directory does not exist, and the last run had relays, which would be removed"
            raise InputError([_problem(now.path, text, "name the directory with --config-dir")])
    elif last.has_inputs and last.path != now.path:
        text = f"the last run read {last.path}, and everything that came from there would be undone"
        raise InputError([_problem(now.path, text, f"name it with --config-dir {last.path}")])
    elif last.has_inputs and not now.has_inputs and last.number != now.number:
        what = "a different one, and empty" if now.number else "missing"
        text = (
            f"the last run read inputs in this directory, but now it is {what}; everything from there would be undone"
        )
        raise InputError([_problem(now.path, text, "mount it again")])


def _problem(path: str, text: str, remedy: str) -> Problem:
    remedy = f"{remedy}; if you mean it, run dms-relay apply --from-scratch"
    return Problem(Origin(path), text, remedy, rule=_RULE)
