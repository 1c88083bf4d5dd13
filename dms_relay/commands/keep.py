"""``dms-relay keep WHAT``: one task of the keeper, in a process of its own (``watch``). Not meant for people.

Reads JSON on standard input and prints JSON on standard output; log lines go to standard error as usual.
"""

from __future__ import annotations

import json
import os
import sys
import time
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dms_relay.commands import Context
from dms_relay.commands.apply import apply_inputs
from dms_relay.errors import InputError, RelayError
from dms_relay.log import LEVELS, log_of
from dms_relay.model.values import replace
from dms_relay.postfix.main_cf import values
from dms_relay.postfix.programs import Postfix
from dms_relay.watch.first_look import stands
from dms_relay.watch.noted import Noted
from dms_relay.watch.once import Once

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from dms_relay.log import Log
    from dms_relay.model import Paths

#: The line that ``apply`` prints if it has changed nothing begins with this.
_NOTHING = "nothing to do"
#: Where the queue is unless main.cf says otherwise (postconf -d).
_QUEUE_DIRECTORY = "/var/spool/postfix"
#: Seconds that a test of one login may take, as for ``dms-relay test``.
_TEST_TIMEOUT = 30.0
_NAME_IT = "name the directory that contains the inputs"
_RIGHT_AGAIN = "the inputs can be used again"


def run(arguments: Namespace, context: Context) -> int:
    """Do one task, and print its result."""
    fed = json.load(sys.stdin)
    does: dict[str, Callable[[Any, Namespace, Context], dict[str, Any]]] = {
        "apply": _apply,
        "say": _say,
        "test": _test,
        "tokens": _tokens,
        "queue": _refused,
        "metrics": _metrics,
    }
    context.say_json(does[arguments.what](fed, arguments, context))
    return os.EX_OK


def _apply(fed: dict[str, Any], arguments: Namespace, context: Context) -> dict[str, Any]:
    """Apply the inputs, log what is new, and return the result and what was read for it."""
    began = time.time()
    paths = _paths(fed, context)
    once = Once(fed["problems"])
    log = log_of(context.environ, arguments.log_level, arguments.log_format, once)
    noted = Noted(paths)
    out = StringIO()
    is_standing = fed["is_first"] and stands(fed, paths, context.environ, noted)
    code = os.EX_OK if is_standing else _code(Context(paths, context.environ, log, out), is_named=fed["is_named"])
    noted.stop()
    summary = out.getvalue().rstrip("\n") or _NOTHING
    is_changed = code == os.EX_OK and not summary.startswith(_NOTHING)
    if code == os.EX_OK:
        _say_success(fed, log, summary if is_changed else "")
    # A boot has just logged the same warnings.
    once.flush(is_silent=fed["is_first"] and code == os.EX_OK and not is_changed)
    in_force = {"since": _since(context.paths), "summary": summary} if code == os.EX_OK else None
    said = {"problems": once.problems, "errors": once.errors, "looks": noted.looks}
    return {"code": code, "began": began, "in_force": in_force, "queue": _queue(context.paths), **said}


def _paths(fed: dict[str, Any], context: Context) -> Paths:
    """Return the paths with the directory of the inputs, which the command line does not name (``commands.watch``)."""
    return replace(context.paths, config_dir=Path(fed["config_dir"]))


class _NoDirectoryError(RelayError):
    """The directory of the inputs is gone."""

    exit_code = os.EX_NOINPUT


def _code(context: Context, *, is_named: bool) -> int:
    """Run ``apply``, log what is wrong, and return its exit code."""
    log = context.log
    try:
        if is_named and not context.paths.config_dir.is_dir():
            raise _NoDirectoryError(f"{context.paths.config_dir} is not a directory", _NAME_IT)
        return apply_inputs(context)
    except InputError as error:
        log.refusal(error.headline, error.problems)
        return error.exit_code
    except RelayError as error:
        log.error(str(error))  # noqa: TRY400 -- Log is ours, not logging's
        return error.exit_code
    except OSError as error:
        log.error(f"{os.fsdecode(error.filename or '?')}: {error.strerror} -- repair the file or the directory")  # noqa: TRY400
        return os.EX_IOERR


def _say_success(fed: dict[str, Any], log: Log, summary: str) -> None:
    if fed["code"] not in {None, os.EX_OK}:
        log.info(_RIGHT_AGAIN)
    if summary:
        log.info("inputs have changed", result=summary)


def _since(paths: Paths) -> float:
    """Return when the current configuration came into force: the time of the file that was written then."""
    try:
        return paths.state.stat().st_ctime
    except OSError:
        return time.time()


def _queue(paths: Paths) -> str:
    """Return Postfix's queue directory; empty if main.cf cannot be read."""
    try:
        return values(Postfix(paths.postfix_dir).read_main_cf()).get("queue_directory") or _QUEUE_DIRECTORY
    except RelayError:
        return ""


def _say(fed: list[dict[str, Any]], _: Namespace, context: Context) -> dict[str, Any]:
    """Write log lines."""
    for line in fed:
        level = line["level"] if line["level"] in LEVELS else "error"
        getattr(context.log, level)(line["event"], **line["fields"])
    return {}


def _test(fed: dict[str, Any], _: Namespace, context: Context) -> dict[str, Any]:
    """Test the logins, and log each relay whose result differs from the last time."""
    from dms_relay.commands.test import try_relays  # noqa: PLC0415 -- speaks SMTP, and loads much
    from dms_relay.merge import merge  # noqa: PLC0415 -- the same
    from dms_relay.sources import read  # noqa: PLC0415 -- the same
    from dms_relay.watch.login_tests import compared  # noqa: PLC0415 -- the same

    paths = _paths(fed, context)
    config = merge(read(paths, context.environ))
    results = try_relays(config, paths, (_TEST_TIMEOUT, None, None))
    return {"results": compared(fed["before"], results, context.log)}


def _tokens(_fed: object, _: Namespace, context: Context) -> dict[str, Any]:
    """Return the state of the tokens."""
    from dms_relay.watch.outlook import outlook  # noqa: PLC0415 -- only if there are tokens

    return outlook(context.paths.state_dir, time.time())


def _refused(fed: dict[str, Any], _: Namespace, context: Context) -> dict[str, Any]:
    """Return the relays that have refused their token; retry the mail for which there is a newer one."""
    from dms_relay.watch.refused import refused  # noqa: PLC0415 -- the same

    found = refused(context.paths, Path(fed["queue"]))
    if found["again"]:
        context.log.info("mail is tried again with the new token", messages=found["again"])
    return found


def _metrics(fed: dict[str, Any], _: Namespace, context: Context) -> dict[str, Any]:
    """Serve metrics until a signal arrives or the keeper is gone; return why they cannot be served."""
    from dms_relay.metrics.endpoint import Endpoint  # noqa: PLC0415 -- only if there are metrics
    from dms_relay.metrics.server import serve  # noqa: PLC0415 -- the same, and it speaks HTTP

    return {"failed": serve(Endpoint(*fed["metrics"]), _paths(fed, context), context.environ, context.log)}
