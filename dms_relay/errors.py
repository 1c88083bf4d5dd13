"""The errors that this package raises on purpose, each with the exit code of its class.

The codes are those of ``sysexits.h`` (``os.EX_*``). All facts are in the error's fields, so that no caller has to parse its
message: ``str(error)`` is one line for a person, ``text -- remedy``. No field ever holds a password: if an input line could
hold one, the text names the line and does not quote it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

    from dms_relay.model import Problem


class RelayError(Exception):
    """Base of all errors that the operator can fix; none is a bug of this package.

    ``text`` says what is wrong; ``remedy`` says what to do, and is ``""`` if nothing is known to help. ``errno`` is the
    number of the system error that caused it, or ``None``.
    """

    exit_code: ClassVar[int] = os.EX_SOFTWARE

    def __init__(self, text: str, remedy: str = "", *, errno: int | None = None) -> None:
        """Store the parts."""
        super().__init__(f"{text} -- {remedy}" if remedy else text)
        self.text = text
        self.remedy = remedy
        self.errno = errno


class UsageError(RelayError):
    """The command line, or a directory that it names, cannot be used."""

    exit_code = 2


class InputError(RelayError):
    """The inputs are wrong. ``problems`` lists every error and every warning, sorted by origin."""

    exit_code = os.EX_CONFIG
    headline: ClassVar[str] = "wrong inputs, nothing was changed"

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Store all problems; the message has one line for each error."""
        self.problems = tuple(problems)
        errors = [problem for problem in self.problems if problem.is_error]
        super().__init__("\n".join(str(problem) for problem in errors))


class MissingInputError(InputError):
    """Every error is a named input that is missing or cannot be read."""

    exit_code = os.EX_NOINPUT
    headline = "an input cannot be read, nothing was changed"


class ArgumentError(InputError):
    """Arguments of the command line cannot be used, each by itself."""

    exit_code = UsageError.exit_code
    headline = "wrong arguments, nothing was changed"


class PostfixError(RelayError):
    """A Postfix program is missing or failed.

    ``program`` is its name, ``""`` if none was run; ``program_code`` is its exit code, ``None`` if a signal ended it;
    ``reason`` is what it wrote to standard error, without the values of parameters.
    """

    exit_code = os.EX_UNAVAILABLE

    def __init__(  # noqa: PLR0913 -- separate facts, each passed by name
        self,
        text: str,
        remedy: str = "",
        *,
        errno: int | None = None,
        program: str = "",
        program_code: int | None = None,
        reason: str = "",
    ) -> None:
        """Keep the parts."""
        super().__init__(text, remedy, errno=errno)
        self.program = program
        self.program_code = program_code
        self.reason = reason


class WriteError(RelayError):
    """A file cannot be written, or its content cannot be parsed. It is unchanged."""

    exit_code = os.EX_CANTCREAT


class BusyError(RelayError):
    """Another run holds the lock, or has changed the configuration since the plan was made."""

    exit_code = os.EX_TEMPFAIL
