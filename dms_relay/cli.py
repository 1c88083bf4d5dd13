"""The command ``dms-relay``: arguments, dispatch, and the one place that turns an error into an exit code.

Reads ``DMS_RELAY_CONFIG_DIR``, ``DMS_RELAY_STATE_DIR``, ``MAIL_CONFIG``, ``LOG_LEVEL`` and ``LOG_FORMAT`` from the
environment. Data goes to standard output, log lines to standard error. Exit codes are those of sysexits(3); see
``errors.py``.
"""

from __future__ import annotations

import gc
import io
import os
import re
import sys
from errno import EACCES, EINVAL, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOSPC, ENOTDIR
from pathlib import Path
from stat import S_ISDIR

from dms_relay.commands import Context
from dms_relay.errors import InputError, RelayError, UsageError
from dms_relay.log import Log, log_of, write_bug
from dms_relay.model import Paths
from dms_relay.model.places import CONFIG_DIR_VARIABLE, STATE_DIR_VARIABLE
from dms_relay.plain import parse_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence
    from types import SimpleNamespace

    from dms_relay.log_lines import Writer

#: Characters of a directory's name that a message shows.
_SHOWN = 200
#: What to do about a system error that no step handles.
_REMEDIES = {
    EACCES: "run as root",
    EMFILE: "let this process open more files (ulimit -n)",
    ENFILE: "reduce the number of open files on this machine",
    ENOSPC: "free space",
    ENAMETOOLONG: "use a shorter name",
}
_REPAIR = "repair the file or the directory, then run again"
#: What Postfix accepts in the name of a table: no blank or comma (they separate tables), no $ (it would be expanded).
_DIRECTORY = re.compile(r"/[\w./+@:~=-]*", re.ASCII)


def main(argv: Sequence[str], environ: Mapping[str, str], prog: str = "dms-relay", writer: Writer | None = None) -> int:
    """Run one command and return its exit code. ``argv`` is without the program's name; ``writer`` writes log lines."""
    arguments = parse_plain(argv) or _parse(argv, prog)
    log = log_of(environ, arguments.log_level, arguments.log_format, writer)
    try:
        context = Context(_paths(arguments, environ), environ, log, sys.stdout or io.StringIO())
        code = _command(arguments, context)
        context.flush()
        return _lost(context.lost[0], log) if context.lost else code
    except InputError as error:
        log.refusal(error.headline, error.problems)
        return error.exit_code
    except RelayError as error:
        log.error(str(error))
        return error.exit_code
    except OSError as error:
        if error.filename is None:
            raise
        # A refusal of the system is no bug of ours. The errors that we expect have better messages than this one.
        log.error(
            f"{os.fsdecode(error.filename)[:_SHOWN]}: {error.strerror} -- {_REMEDIES.get(error.errno or 0, _REPAIR)}"
        )
        return os.EX_NOINPUT
    finally:
        log.finish()


def _parse(argv: Sequence[str], prog: str) -> Namespace:
    from dms_relay.arguments import parse  # noqa: PLC0415 -- a boot does without argparse

    return parse(argv, prog)


def _command(arguments: Namespace | SimpleNamespace, context: Context) -> int:
    from importlib import import_module  # noqa: PLC0415 -- only the command that is asked for is loaded

    module = import_module(f"dms_relay.commands.{arguments.command.replace('-', '_')}")
    return int(module.run(arguments, context))


def _lost(error: Exception, log: Log) -> int:
    """Say why data could not be written, and return the exit code; a reader that has gone needs no message."""
    if not isinstance(error, BrokenPipeError):
        log.error(_cannot_write(error))
    return os.EX_IOERR


def _cannot_write(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return f"standard output cannot be written, so the output is incomplete: {reason} -- free space, or write elsewhere"


def _paths(arguments: Namespace | SimpleNamespace, environ: Mapping[str, str]) -> Paths:
    named = arguments.config_dir or environ.get(CONFIG_DIR_VARIABLE)
    config_dir = Path(named).absolute() if named else Paths().config_dir
    if named:
        _require_directory(config_dir, "--config-dir" if arguments.config_dir else f"env {CONFIG_DIR_VARIABLE}")
    postfix_dir = Path(arguments.postfix_dir or environ.get("MAIL_CONFIG") or Paths().postfix_dir).absolute()
    if not _DIRECTORY.fullmatch(str(postfix_dir)):
        raise UsageError(f"Postfix cannot use tables in {postfix_dir}", "use a path of letters, digits and ._/+@:~=-")
    state_dir = Path(environ.get(STATE_DIR_VARIABLE) or Paths().state_dir).absolute()
    return Paths(config_dir, postfix_dir, state_dir)


def _require_directory(path: Path, by: str) -> None:
    """Raise an error unless the directory of the inputs exists and this user can find it; ``by`` is what names it."""
    what = "is not a directory"
    try:
        if S_ISDIR(path.stat().st_mode):
            return
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None) or EINVAL
        what = what if number in {ENOENT, ENOTDIR} else f"cannot be found: {os.strerror(number)}"
        if number == EACCES:
            raise _NoDirectoryError(f"{by}: {_short(path)} {what}", "run as root") from None
    raise _NoDirectoryError(f"{by}: {_short(path)} {what}", "name the directory that contains the inputs")


def _short(path: Path) -> str:
    """Return a path to show; of one longer than any system accepts, only the beginning."""
    text = str(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class _NoDirectoryError(UsageError):
    """A directory named on the command line does not exist."""

    exit_code = os.EX_NOINPUT


def run(writer: Writer | None = None, *, prog: str = "dms-relay") -> None:
    """Run the program ``prog`` with the process's arguments and environment, and exit.

    ``writer`` is the process that writes log lines, if a launcher has started one.

    The process is short-lived: it collects no garbage and skips the interpreter's shutdown, which saves a quarter of its
    time (``make bench``). Nothing here leaves work to that shutdown.
    """
    gc.disable()
    if parse_plain(sys.argv[1:]) and not _is_bundled():
        from dms_relay.deferral import defer  # noqa: PLC0415 -- a bundle already defers these modules

        defer()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal's character set lacks is shown as an escape; it is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = _code(prog, writer)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError) as error:
            # The reader of our data has gone, or its disk is full. Lost log lines are no failure.
            if stream is sys.stdout and not code:
                code = _lost(error, Log())
    os._exit(code)


def _is_bundled() -> bool:
    return type(sys.meta_path[0]).__name__ == "BundleFinder"


def _code(prog: str, writer: Writer | None) -> int:
    try:
        return main(sys.argv[1:], os.environ, prog, writer)
    except SystemExit as error:  # argparse: --help, --version, usage
        return error.code if isinstance(error.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 -- a bug of ours: say so, with the place and a separate exit code
        write_bug()
        return os.EX_SOFTWARE
