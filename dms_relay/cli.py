"""The command ``dms-relay``: arguments, dispatch, and the one place that turns an error into an exit code.

Reads ``MAIL_CONFIG``, ``LOG_LEVEL`` and ``LOG_FORMAT`` from the environment. Data goes to standard output, log lines to
standard error. Exit codes are those of sysexits(3); see ``errors.py``.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay import __version__
from dms_relay.apply import LOCK_TIMEOUT
from dms_relay.commands import Context
from dms_relay.errors import InputError, MissingInputError, RelayError, UsageError
from dms_relay.log import FORMATS, LEVELS, log_of
from dms_relay.model import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Options of the program itself, which stand before the command.
_OPTIONS = frozenset({"--config-dir", "--postfix-dir", "--log-level", "--log-format"})
#: Columns of the help where there is no terminal, and on a very narrow one.
_HELP_WIDTH = 80
#: What Postfix can take in the name of a table: no blank or comma (they separate tables), no $ (it would be expanded).
_DIRECTORY = re.compile(r"/[\w./+@:~=-]*", re.ASCII)
_EPILOG = """\
exit codes:
  0   done, or nothing to do     69  a Postfix program is missing or failed
  1   plan --exit-code: changes  70  a bug of ours, with a traceback
  2   usage                      73  a file cannot be written; the old one is untouched
  66  an input cannot be read    75  another run holds the lock
                                 78  the inputs are wrong; nothing was changed
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="dms-relay",
        description="Make Postfix hand its mail to relay services, as the environment and the configuration files say.",
        epilog=_EPILOG,
        formatter_class=_formatter,
    )
    top.add_argument("--version", action="version", version=f"dms-relay {__version__}")
    top.add_argument("--config-dir", metavar="DIR", help="where the inputs are mounted (/tmp/docker-mailserver)")
    top.add_argument("--postfix-dir", metavar="DIR", help="Postfix's configuration ($MAIL_CONFIG, else /etc/postfix)")
    top.add_argument("--log-level", choices=LEVELS, help="how much to say on standard error ($LOG_LEVEL, else info)")
    top.add_argument("--log-format", choices=FORMATS, help="for a person or a program ($LOG_FORMAT, else console)")
    _add_commands(top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=top.prog))
    return top


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Make help as wide as the terminal. argparse makes one for each argument, and would import shutil (4 ms) for it."""
    try:
        width = os.get_terminal_size().columns
    except (OSError, ValueError):
        width = _HELP_WIDTH
    return argparse.RawDescriptionHelpFormatter(prog, width=max(width, _HELP_WIDTH) - 2)


def _add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    def add(name: str, what: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=what, description=f"{what[0].upper()}{what[1:]}.", formatter_class=_formatter
        )

    apply = add("apply", "make Postfix match the inputs, and reload it where it runs")
    apply.add_argument("--no-reload", dest="reload", action="store_false", help="leave a running Postfix alone")
    apply.add_argument(
        "--lock-timeout",
        type=seconds,
        default=LOCK_TIMEOUT,
        metavar="SECONDS",
        help="how long to wait for another run (%(default)g)",
    )
    plan = add("plan", "show what apply would change, as a diff; writes nothing")
    plan.add_argument("--exit-code", action="store_true", help="exit with 1 where there is something to change")
    show = add("show", "show the merged configuration, each value with its origin")
    show.add_argument("--json", action="store_true", help="as one JSON object")


def seconds(text: str) -> float:
    """Read a number of seconds; argparse names this function where the text is none."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError
    return number


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit code. ``argv`` is without the program's name."""
    top = parser()
    arguments, unknown = top.parse_known_args(argv)
    if unknown:
        # Only names are shown: what else stands there may be a login.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        hint = "; it stands before the command" if _OPTIONS.intersection(names) else ""
        top.error(f"unrecognized arguments: {' '.join(names) or 'a word too many'}{hint}")
    log = log_of(environ, arguments.log_level, arguments.log_format)
    try:
        context = Context(_paths(arguments, environ), environ, log, sys.stdout or io.StringIO())
        return _command(arguments, context)
    except InputError as error:
        log.problems(problem for problem in error.problems if not problem.is_error)
        missing = isinstance(error, MissingInputError)
        log.error("an input cannot be read, nothing was changed" if missing else "wrong inputs, nothing was changed")
        log.problems(problem for problem in error.problems if problem.is_error)
        return error.exit_code
    except RelayError as error:
        log.error(str(error))
        return error.exit_code


def _command(arguments: argparse.Namespace, context: Context) -> int:
    from importlib import import_module  # noqa: PLC0415 -- only the command that is asked for is loaded

    module = import_module(f"dms_relay.commands.{arguments.command.replace('-', '_')}")
    return int(module.run(arguments, context))


def _paths(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Paths:
    config_dir = Path(arguments.config_dir).absolute() if arguments.config_dir else Paths().config_dir
    if arguments.config_dir and not config_dir.is_dir():
        raise _NoDirectoryError(f"--config-dir: {config_dir} is not a directory -- name the directory with the inputs")
    postfix_dir = Path(arguments.postfix_dir or environ.get("MAIL_CONFIG") or Paths().postfix_dir).absolute()
    if not _DIRECTORY.fullmatch(str(postfix_dir)):
        raise UsageError(
            f"Postfix cannot use tables in {postfix_dir} -- its path may hold letters, digits and ._/+@:~=- only"
        )
    return Paths(config_dir, postfix_dir)


class _NoDirectoryError(UsageError):
    """A directory named on the command line is not there."""

    exit_code = os.EX_NOINPUT


def run() -> None:
    """Be the program: run with the process's arguments and environment, and exit.

    The process is short-lived: it collects no garbage and ends without taking the interpreter down piece by piece, which
    saves a quarter of its time (``make bench``). Nothing here leaves work to the interpreter's end.
    """
    gc.disable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal's character set lacks is shown as an escape, and is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = _code()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            # Whoever read our data has seen enough, or its disk is full; that log lines are lost is nobody's failure.
            code = code or (os.EX_IOERR if stream is sys.stdout else os.EX_OK)
    os._exit(code)


def _code() -> int:
    try:
        return main(sys.argv[1:], os.environ)
    except SystemExit as error:  # argparse: --help, --version, usage
        return error.code if isinstance(error.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 -- a bug of ours: say so, with the place, in an exit code of its own
        import traceback  # noqa: PLC0415 -- only then

        with suppress(OSError, ValueError, AttributeError):
            traceback.print_exc()
            sys.stderr.write("dms-relay: this is a bug of ours -- please report it with the lines above\n")
        return os.EX_SOFTWARE
