"""What the instances and relays of a test have last said, for whoever reports a failure.

Each is watched from its start to its end. What has ended is remembered, since a test may end it before anybody knows that
the test has failed, until the next test begins. No password is in it: Postfix logs none, and `Login` does not show one.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path

LOG_LINES = 60
"""Lines of a log that are shown."""
LOG_BYTES = 65536
"""Bytes at the end of a log that are looked at, which hold as many lines and more."""
RECORDS = 20
"""Records of each kind that are shown of a relay."""
_ENDED_MAX = 12
"""Ended ones that are remembered: a test may start hundreds, of which the last are those that failed."""

Look = Callable[[], str]

_running: dict[int, tuple[str, Look]] = {}
_ended: deque[tuple[str, str]] = deque(maxlen=_ENDED_MAX)


def watch(owner: object, title: str, look: Look) -> None:
    """Watch `owner` from now on; `look` says what there is to say of it."""
    _running[id(owner)] = (title, look)


def end(owner: object) -> None:
    """Look a last time; once it is no longer watched, that does nothing."""
    if found := _running.pop(id(owner), None):
        _ended.append((f"{found[0]}, at its end", _looked(found[1])))


def forget() -> None:
    """Forget what has ended: another test begins."""
    _ended.clear()


def sections() -> list[tuple[str, str]]:
    """Return title and text of all that has ended since the test began, and of all that runs."""
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
    """Return what there is to say; a failure to say it must not hide the failure of the test."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
        return f"(not to be had: {error!r})"
