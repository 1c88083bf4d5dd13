"""The last output of a test's instances and relays, for the report of a failure.

Each is watched from its start to its end. Ended ones are remembered until the next test begins, since a test may end them
before anybody knows that it has failed. Contains no passwords: Postfix logs none, and `Login` does not show one.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path

LOG_LINES = 60
"""Number of lines of a log to show."""
LOG_BYTES = 65536
"""Bytes to read at the end of a log: enough for these lines."""
RECORDS = 20
"""Number of records of each kind to show of a relay."""
_ENDED_MAX = 12
"""Number of ended ones to remember: a test may start hundreds, and the last are those that failed."""

Look = Callable[[], str]

_running: dict[int, tuple[str, Look]] = {}
_ended: deque[tuple[str, str]] = deque(maxlen=_ENDED_MAX)


def watch(owner: object, title: str, look: Look) -> None:
    """Watch `owner` from now on; `look` returns the report on it."""
    _running[id(owner)] = (title, look)


def end(owner: object) -> None:
    """Look one last time; does nothing if it is no longer watched."""
    if found := _running.pop(id(owner), None):
        _ended.append((f"{found[0]}, at its end", _looked(found[1])))


def forget() -> None:
    """Forget ended ones: another test begins."""
    _ended.clear()


def sections() -> list[tuple[str, str]]:
    """Return title and text of everything that has ended since the test began, and of everything that runs."""
    return [*_ended, *((title, _looked(look)) for title, look in _running.values())]


def last_lines(log: Path) -> str:
    """Return the end of a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES:])


def last_records(**kinds: tuple[object, ...]) -> str:
    """Return the last records of each kind, and how many there are."""
    parts = ((f"{len(records)} {kind}", *map(str, records[-RECORDS:])) for kind, records in kinds.items())
    return "\n".join(line for part in parts for line in part)


def _looked(look: Look) -> str:
    """Return the report; a failure to get it must not hide the failure of the test."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 -- any error is reported
        return f"(not available: {error!r})"
