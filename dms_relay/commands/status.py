"""``dms-relay status``: what is in force since when, what is due and why, and the state of tokens and login tests.

Reads what the keeper records in the state directory (``watch.record``), and checks if the inputs have changed since.
If no keeper runs, it reads the inputs and says if ``apply`` would do something. Counts the files of Postfix's queue.
Writes nothing. Exit codes: 0 all is well; 1 something is wrong, or no keeper runs.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dms_relay.drain.marker import is_draining
from dms_relay.errors import RelayError
from dms_relay.files.keeper_lock import is_keeper_running
from dms_relay.log import printable
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.queue_files import queued
from dms_relay.watch.outlook import outlook
from dms_relay.watch.record import load
from dms_relay.watch.standing import due as due_now
from dms_relay.watch.standing import due_to_keeper, in_force_since, seen_at, stands_still_since

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping

    from dms_relay.commands import Context
    from dms_relay.model import Paths

#: The exit code if something is wrong.
EXIT_WRONG = 1
_NO_KEEPER = (
    "no dms-relay watch runs, so nothing applies changes or renews tokens -- start dms-relay watch (docs/watch.md)"
)
_DRAINING = "Postfix takes no new mail, because of a drain -- run dms-relay drain --cancel, or start Postfix again"
_NOTHING_IN_FORCE = "nothing of dms-relay: no relay is set, or apply has not run"
_NOT_TESTED = (
    "login tests: none yet; dms-relay test makes one now, and with RELAY_TEST_INTERVAL the keeper does (docs/watch.md)"
)
_OK = "ok"


def run(arguments: Namespace, context: Context) -> int:
    """Print the status as a text, or with ``--json`` as one JSON object."""
    document = status(context.paths, context.environ)
    if arguments.json:
        context.say_json(document)
    else:
        context.say(*_text(document))
    return os.EX_OK if document["ok"] else EXIT_WRONG


def status(paths: Paths, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the status as one document. Times are in ISO 8601."""
    record = load(str(paths.state_dir))
    is_running = is_keeper_running(paths.state_dir)
    applied, tests = record.get("apply") or {}, record.get("tests") or {}
    troubles = list(record.get("troubles", [])) if is_running else [f"keeper: {_NO_KEEPER}"]
    if is_running and (since := stands_still_since(paths)):
        troubles.append(f"keeper: it has reported nothing since {_time(since)} -- kill it, and start it again")
    if is_running and (trouble := (record.get("metrics") or {}).get("trouble")):
        troubles.append(trouble)
    if _is_draining(paths):
        troubles.append(f"drain: {_DRAINING}")
    due = due_to_keeper(applied) if is_running else due_now(paths, environ, troubles)
    failed = [f"test: {_test_line(found)}" for found in tests.get("results", []) if found["result"] != _OK]
    tokens = _tokens(paths, troubles, is_running=is_running)
    return {
        "ok": not troubles and not failed,
        "troubles": [*troubles, *failed],
        "keeper": _keeper(paths, record, is_running=is_running),
        "in_force": _in_force(paths, applied),
        "due": due,
        "tokens": tokens,
        "tests": {**tests, "at": _time(tests.get("at"))} if tests else None,
        "queue": _queue(paths),
    }


def _is_draining(paths: Paths) -> bool:
    try:
        return is_draining(Postfix(paths.postfix_dir))
    except RelayError:
        return False


def _queue(paths: Paths) -> dict[str, Any] | None:
    """Return what waits, by the queue's files alone; ``None`` where they are not there, or not for us to read."""
    try:
        directory = Postfix(paths.postfix_dir).queue_directory()
        found = queued(directory) if directory.is_dir() else None
    except (RelayError, OSError):
        return None
    return found and {"messages": found.messages, "oldest": _time(found.oldest)}


def _keeper(paths: Paths, record: dict[str, Any], *, is_running: bool) -> dict[str, Any]:
    if not is_running:
        return {"running": False}
    known = {name: record.get(name) for name in ("pid", "interval", "children")}
    return {"running": True, **known, "started": _time(record.get("started")), "seen_at": _time(seen_at(paths))}


def _in_force(paths: Paths, applied: dict[str, Any]) -> dict[str, Any]:
    return {"since": _time(in_force_since(paths, applied)), "checked": _time(applied.get("at"))}


def _tokens(paths: Paths, troubles: list[str], *, is_running: bool) -> list[dict[str, Any]]:
    """Return the current tokens of the logins in force; if a keeper runs, it reports itself what is wrong with them."""
    try:
        found = outlook(paths.state_dir, time.time())
    except RelayError as error:
        troubles.append(f"token: {error}")
        return []
    if not is_running:
        troubles += [f"token: {line}" for line in found["wrong"]]
    times = ("valid_until", "renewed_at", "next_renewal")
    return [{**token, **{name: _time(token[name] or None) for name in times}} for token in found["tokens"]]


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(document: dict[str, Any]) -> Iterator[str]:
    keeper, in_force, tests = document["keeper"], document["in_force"], document["tests"]
    yield (
        f"keeper: process {keeper['pid']}, since {keeper['started']}" if keeper["running"] else f"keeper: {_NO_KEEPER}"
    )
    yield f"in force: {'since ' + in_force['since'] if in_force['since'] else _NOTHING_IN_FORCE}"
    yield from (f"due: {why}" for why in document["due"])
    for token in document["tokens"]:
        until = f"valid until {token['valid_until']}" if token["is_valid"] else "not there"
        due = token["next_renewal"] or "now"
        renewed = f", renewed {token['renewed_at']}" if token["renewed_at"] else ""
        yield f"token of {token['username']} at {token['relay']}: {until}{renewed}, next renewal {due}"
        if failure := token["failure"]:
            yield f"  the last renewal failed, {_time(failure['at'])}: {failure['text']} -- {failure['remedy']}"
    for found in tests["results"] if tests else ():
        yield f"login test, {tests['at']}: {_test_line(found)}"
    if not tests:
        yield _NOT_TESTED
    if document["queue"]:
        yield _queue_line(document["queue"])
    yield "all is well" if document["ok"] else "something is wrong:"
    yield from (f"  {trouble}" for trouble in document["troubles"])


def _queue_line(found: dict[str, Any]) -> str:
    if not found["messages"]:
        return "queue: empty"
    waits = "1 message waits" if found["messages"] == 1 else f"{found['messages']} messages wait"
    since = (
        f"{', since' if found['messages'] == 1 else ', the oldest since'} {found['oldest']}" if found["oldest"] else ""
    )
    return f"queue: {waits}{since}; dms-relay queue says why"


def _test_line(found: dict[str, Any]) -> str:
    where = ", ".join(printable(str(found[name])) for name in ("relay", "login") if found[name])
    why = f": {found['what']} -- {found['remedy'] or found['cause']}" if found["what"] else ""
    return f"{where}: {found['result']}{why}"
