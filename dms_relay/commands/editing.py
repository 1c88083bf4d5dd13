"""What the commands that edit the operator's files have in common: check their arguments, edit, and apply after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from dms_relay.commands.apply import apply_inputs
from dms_relay.edit import edit
from dms_relay.errors import ArgumentError, InputError, RelayError
from dms_relay.model import Origin, Paths, Problem
from dms_relay.postfix.nexthop import SyntaxProblem

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from dms_relay.commands import Context

T = TypeVar("T")


class Checks:
    """Checks arguments one by one, and reports all that is wrong at once."""

    def __init__(self) -> None:
        """Begin with nothing wrong."""
        self._problems: list[Problem] = []

    def __call__(self, name: str, check: Callable[[], T], default: T) -> T:
        """Return what ``check`` gives; where it raises ``SyntaxProblem``, take note of it and give ``default``."""
        try:
            return check()
        except SyntaxProblem as problem:
            self._problems.append(Problem(Origin(name), problem.text, problem.remedy))
        except UnicodeEncodeError:
            # Octets of the command line that are no text come as lone surrogates (PEP 383).
            self._problems.append(Problem(Origin(name), "it is not UTF-8", "write it in UTF-8"))
        return default

    def require(self) -> None:
        """Raise ``ArgumentError`` where something is wrong."""
        if self._problems:
            raise ArgumentError(self._problems)


def edit_and_apply(
    arguments: Namespace, context: Context, name: str, change: Callable[[bytes], bytes], facts: tuple[str, str]
) -> int:
    """Edit one file, say what is so now, and make Postfix have it; return the exit code.

    ``facts`` are what is said where the file was changed, and where nothing had to be.
    """
    is_changed = edit(context.paths, name, change, log=context.log)
    context.say(f"{name}: {facts[0]}" if is_changed else f"already so: {facts[1]}")
    if not arguments.apply:
        return os.EX_OK
    if not _is_its_postfix(arguments, context):
        context.say("not applied: no Postfix is known to use this directory -- run dms-relay apply where it is")
        return os.EX_OK
    return _apply(context, f"{name} is changed, but Postfix is not" if is_changed else "Postfix is not changed")


def _is_its_postfix(arguments: Namespace, context: Context) -> bool:
    """Return True if Postfix's configuration here is made from this configuration directory.

    Both must be where they are in a container, or be named together: somebody may edit the files of a container on a host
    with a Postfix of its own, which has nothing to do with them.
    """
    is_named = bool(arguments.postfix_dir or context.environ.get("MAIL_CONFIG"))
    is_at_home = context.paths.config_dir == Paths().config_dir
    return (is_named or is_at_home) and context.paths.main_cf.exists()


def _apply(context: Context, state: str) -> int:
    """Apply; where that is refused, say what stands and what does not."""
    try:
        return apply_inputs(context)
    except InputError as error:
        headline = f"{state}: the inputs are wrong; mend them, then run dms-relay apply"
        context.log.refusal(headline, error.problems)
        return error.exit_code
    except RelayError as error:
        context.log.error(f"{state}: run dms-relay apply once this is mended")  # noqa: TRY400 -- Log is ours
        context.log.error(str(error))  # noqa: TRY400 -- the same
        return error.exit_code
