"""``dms-relay watch``: run as the keeper, until a signal ends it (``watch/``).

Reads its settings from the arguments and the environment, creates the state directory if it is missing, and takes the
keeper's lock in it; then replaces itself by ``watch/start.py`` (exec). Exit codes: 75 another keeper runs; 2 usage.

Known limits: the keeper's own settings come from the environment, not from ``relay.env``, and are read once, at its start.
If the state directory cannot be written there is no lock, and two keepers could run: they do no harm, since ``apply``
has a lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay import watch
from dms_relay.errors import BusyError, UsageError
from dms_relay.files.keeper_lock import LOCK
from dms_relay.keeper_arguments import INTERVAL_VARIABLE, WATCH_INTERVAL
from dms_relay.metrics.endpoint import REMEDY, VARIABLE, endpoint
from dms_relay.model import times
from dms_relay.model.places import CONFIG_DIR_VARIABLE

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context

#: Turns on regular tests of the logins.
TEST_VARIABLE = "RELAY_TEST_INTERVAL"
#: Values of it that mean: never.
_OFF = frozenset({"", "0", "no", "off", "false", "none", "never"})
#: Minimum and maximum seconds between two looks, and between two tests of all logins. A relay that is tested more
#: often may take us for an attacker.
INTERVALS = (0.1, 3600.0)
TEST_INTERVALS = (60.0, 30 * 86400.0)
_STATE_MODE = 0o700
#: Tries for the lock, and seconds between two of them.
_LOCK_TRIES, _LOCK_INTERVAL = 10, 0.05


def run(arguments: Namespace, context: Context) -> int:
    """Become the keeper; returns only if that fails."""
    troubles: list[str] = []
    interval = arguments.interval
    if interval is not None and not INTERVALS[0] <= interval <= INTERVALS[1]:
        raise UsageError("--interval is out of range", f"write a time {_range(INTERVALS)}: {times.FORMS}")
    if interval is None:
        interval = _setting(context, INTERVAL_VARIABLE, WATCH_INTERVAL, INTERVALS, troubles)
    tests = 0.0
    if context.environ.get(TEST_VARIABLE, "").strip().lower() not in _OFF:
        tests = _setting(context, TEST_VARIABLE, 0.0, TEST_INTERVALS, troubles)
    metrics = _metrics(context, troubles)
    lock = _locked(context)
    settings = {
        "command": [*program(), *_options(arguments, context)],
        "config_dir": str(context.paths.config_dir),
        "is_named": bool(arguments.config_dir or context.environ.get(CONFIG_DIR_VARIABLE)),
        "state_dir": str(context.paths.state_dir),
        "interval": interval,
        "test_interval": tests,
        "metrics": metrics,
        "has_state": lock is not None,
        "lock": lock,
        "troubles": troubles,
    }
    context.flush()
    context.log.finish()
    start = Path(watch.__file__).with_name("start.py")
    os.execve(sys.executable, [sys.executable, "-IS", str(start), json.dumps(settings)], dict(context.environ))  # noqa: S606
    return os.EX_OSERR


def _range(limits: tuple[float, float]) -> str:
    return f"from {times.shown(limits[0])} to {times.shown(limits[1])}"


def _setting(context: Context, name: str, otherwise: float, limits: tuple[float, float], troubles: list[str]) -> float:
    """Return the value of a variable; if it cannot be used, log an error and return the default."""
    text = context.environ.get(name, "")
    found = times.seconds(text) if text.strip() else otherwise
    if found is not None and (found == otherwise or limits[0] <= found <= limits[1]):
        return found
    shown = f"{times.shown(otherwise)} is used" if otherwise else "it has no effect"
    error = f"env {name}: the value is not a time {_range(limits)}, so {shown} -- write {times.FORMS}"
    context.log.error(error)
    troubles.append(f"keeper: {error}")
    return otherwise


def _metrics(context: Context, troubles: list[str]) -> list[str | int] | None:
    """Return the host and the port of the endpoint; ``None`` if none is set or the value cannot be used."""
    try:
        found = endpoint(context.environ.get(VARIABLE, ""))
    except ValueError as error:
        text = f"env {VARIABLE}: {error}, so no metrics are served -- {REMEDY}"
        context.log.error(text)  # noqa: TRY400 -- Log is ours, and a traceback says nothing
        troubles.append(f"keeper: {text}")
        return None
    return [found.host, found.port] if found else None


def program() -> list[str]:
    """Return how this program was called, without its arguments: a script of pip's, a launcher, or ``python -m``."""
    words = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    return [sys.executable, *words[1:]]


def _options(arguments: Namespace, context: Context) -> list[str]:
    """Return the options of the program as children get them.

    Children that read the inputs get their directory too, and report what is wrong if it is gone.
    """
    words = ["--config-dir", "/", "--postfix-dir", str(context.paths.postfix_dir)]
    for name, value in (("--log-level", arguments.log_level), ("--log-format", arguments.log_format)):
        words += [name, value] if value else []
    return words


def _locked(context: Context) -> int | None:
    """Take the keeper's lock and return its descriptor, which the keeper inherits; ``None`` if there can be no lock."""
    directory = context.paths.state_dir
    try:
        directory.mkdir(_STATE_MODE, parents=True, exist_ok=True)
        descriptor = _opened(directory / LOCK)
    except OSError as error:
        what = f"{directory} cannot be written: {error.strerror}"
        context.log.error(f"{what} -- mount a volume there; the keeper works on, without a record")  # noqa: TRY400
        return None
    if not _lock(descriptor):
        text = f"another dms-relay watch runs: it holds the lock of {directory / LOCK}"
        raise BusyError(text, "leave it running, or end it first")
    os.set_inheritable(descriptor, True)
    return descriptor


def _opened(path: Path) -> int:
    """Open the lock file; remove one that another user owns: they could hold a lock on it though no keeper runs."""
    with suppress(FileNotFoundError):
        if path.lstat().st_uid not in {0, os.geteuid()}:
            path.unlink()
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _lock(descriptor: int) -> bool:
    """Take the lock; retry, since a check for a running keeper also holds it for a moment."""
    for _ in range(_LOCK_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_LOCK_INTERVAL)
    return False
