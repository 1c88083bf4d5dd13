"""Reads a boot's command line without argparse, which takes 4 ms: ``dms-relay [OPTION VALUE]… apply [--no-reload]``.

Everything else, errors included, is left to ``arguments``, which reads the same command lines in the same way
(``tests/test_plain.py``).
"""

from __future__ import annotations

from types import SimpleNamespace

from dms_relay.apply import LOCK_TIMEOUT
from dms_relay.log import FORMATS, LEVELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Options of the program, each with its possible values; an empty tuple allows any value.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "--config-dir": (),
    "--postfix-dir": (),
    "--log-level": LEVELS,
    "--log-format": FORMATS,
}
_ENDINGS = (["apply"], ["apply", "--no-reload"])


def parse_plain(argv: Sequence[str]) -> SimpleNamespace | None:
    """Return the arguments of a plain ``apply``, named as argparse names them; ``None`` for any other command line."""
    options: dict[str, str | None] = {_name(option): None for option in _OPTIONS}
    words = list(argv)
    while words[2:] and words[0] in _OPTIONS:
        option, value, *words = words
        if value.startswith("-") or value not in (_OPTIONS[option] or (value,)):
            return None
        options[_name(option)] = value
    if words not in _ENDINGS:
        return None
    is_reload = words == ["apply"]
    return SimpleNamespace(**options, command="apply", reload=is_reload, lock_timeout=LOCK_TIMEOUT, from_scratch=False)


def _name(option: str) -> str:
    return option[2:].replace("-", "_")
