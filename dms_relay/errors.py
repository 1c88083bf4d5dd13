"""The errors that this package raises on purpose, each with the exit code of its class.

The codes are those of ``sysexits.h`` (``os.EX_*``). No error text ever holds a password: where an input line could hold
one, the text names the line and shows nothing of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dms_relay.model import Problem


class RelayError(Exception):
    """Base of all errors that are the reader's business and not a bug of ours."""

    exit_code: ClassVar[int] = os.EX_SOFTWARE


class UsageError(RelayError):
    """The command line, or a directory named on it, cannot be used."""

    exit_code = 2


class InputError(RelayError):
    """The inputs are wrong. ``problems`` lists every error and every warning, sorted by where they stand."""

    exit_code = os.EX_CONFIG
    headline: ClassVar[str] = "wrong inputs, nothing was changed"

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Take all problems at once; the message is one line for each error."""
        self.problems = tuple(problems)
        errors = [problem for problem in self.problems if problem.is_error]
        super().__init__("\n".join(str(problem) for problem in errors))


class MissingInputError(InputError):
    """Every error is a named input that is missing or cannot be read."""

    exit_code = os.EX_NOINPUT
    headline = "an input cannot be read, nothing was changed"


class ArgumentError(InputError):
    """What stands on the command line, each argument by itself, cannot be used."""

    exit_code = UsageError.exit_code
    headline = "wrong arguments, nothing was changed"


class PostfixError(RelayError):
    """A Postfix program is missing or failed."""

    exit_code = os.EX_UNAVAILABLE


class WriteError(RelayError):
    """A file of Postfix's or ours cannot be written, or what stands there cannot be understood. It is untouched."""

    exit_code = os.EX_CANTCREAT


class BusyError(RelayError):
    """Another run holds the lock, or has changed what a plan was made from."""

    exit_code = os.EX_TEMPFAIL
