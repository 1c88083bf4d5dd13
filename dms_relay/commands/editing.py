"""The steps shared by all commands that edit the operator's files: check the arguments, edit, then apply."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dms_relay.commands.apply import apply_inputs
from dms_relay.commands.throwaway import ends_with_this_command
from dms_relay.edit import edit
from dms_relay.errors import ArgumentError, InputError, RelayError
from dms_relay.model import Origin, Paths, Problem
from dms_relay.model.places import CONFIG_DIR_VARIABLE
from dms_relay.postfix.nexthop import SyntaxProblem

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from dms_relay.commands import Context

T = TypeVar("T")

#: Printed where a change of Postfix's configuration would be lost at once.
_THROWN_AWAY = (
    "not applied: this container ends with this command -- docker-mailserver notices a changed file by itself;"
    " elsewhere run dms-relay apply in the container that runs Postfix"
)


class Checks:
    """Checks arguments one by one, and reports all problems at once."""

    def __init__(self) -> None:
        """Start without problems."""
        self._problems: list[Problem] = []

    def __call__(self, name: str, check: Callable[[], T], default: T) -> T:
        """Return the result of ``check``; if it raises ``SyntaxProblem``, record that and return ``default``."""
        try:
            return check()
        except SyntaxProblem as problem:
            self._problems.append(Problem(Origin(name), problem.text, problem.remedy))
        except UnicodeEncodeError:
            # Python turns octets of the command line that are not UTF-8 into lone surrogates (PEP 383).
            self._problems.append(Problem(Origin(name), "it is not UTF-8", "write it in UTF-8"))
        return default

    def require(self) -> None:
        """Raise ``ArgumentError`` if a check failed."""
        if self._problems:
            raise ArgumentError(self._problems)


def edit_and_apply(
    arguments: Namespace, context: Context, name: str, change: Callable[[bytes], bytes], facts: tuple[str, str]
) -> int:
    """Edit one file, print the result, and apply it to Postfix; return the exit code.

    ``facts`` are the texts for a file that was changed, and for one that needed no change.
    """
    is_changed = edit(context.paths, name, change, log=context.log)
    context.say(f"{name}: {facts[0]}" if is_changed else f"no change needed: {facts[1]}")
    if not arguments.apply:
        return os.EX_OK
    if not _is_its_postfix(arguments, context):
        context.say("not applied: no Postfix here uses this directory -- run dms-relay apply where Postfix is")
        return os.EX_OK
    if ends_with_this_command(context.paths.postfix_dir):
        context.say(_THROWN_AWAY)
        return os.EX_OK
    return _apply(context, f"{name} was changed, but Postfix was not" if is_changed else "Postfix was not changed")


def _is_its_postfix(arguments: Namespace, context: Context) -> bool:
    """Return True if this Postfix gets its configuration from this configuration directory.

    Postfix's directory must be named, or the configuration directory must be the usual one: an operator may edit the
    files of a container on a host that runs another Postfix.
    """
    is_named = bool(arguments.postfix_dir or context.environ.get("MAIL_CONFIG"))
    home = Path(context.environ.get(CONFIG_DIR_VARIABLE) or Paths().config_dir)
    is_at_home = context.paths.config_dir == home.absolute()
    return (is_named or is_at_home) and os.path.lexists(context.paths.main_cf)


def _apply(context: Context, state: str) -> int:
    """Apply; if that fails, log what was changed and what was not."""
    try:
        return apply_inputs(context)
    except InputError as error:
        headline = f"{state}: the inputs are wrong; fix them, then run dms-relay apply"
        context.log.refusal(headline, error.problems)
        return error.exit_code
    except RelayError as error:
        context.log.error(f"{state}: fix this, then run dms-relay apply")  # noqa: TRY400 -- not a logging.Logger
        context.log.error(str(error))  # noqa: TRY400 -- the same
        return error.exit_code
