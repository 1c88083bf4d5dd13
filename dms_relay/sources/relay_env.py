"""``relay.env`` in the configuration directory: settings as ``NAME=value`` lines, the syntax of python-dotenv.

Reads that file, writes nothing. A ``$`` means itself: nothing is expanded. Each of these becomes a ``Problem`` with its
line: a line that cannot be read, a name without a value, a repeated name, and a name that counts only in the environment. No
value is ever shown.
"""

from __future__ import annotations

import re
from io import StringIO

from dms_relay.model import Origin, Problem, Setting
from dms_relay.sources.text import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dotenv.parser import Binding

    from dms_relay.model import Paths
    from dms_relay.sources.text import Owner

NAME = "relay.env"
_LOGIN = frozenset({"RELAY_USER", "RELAY_PASSWORD"})
#: Variables of the process and of the container: they are read before this file, or by other programs.
OF_THE_PROCESS = frozenset(
    {
        *("LOG_LEVEL", "LOG_FORMAT", "MAIL_CONFIG", "DMS_RELAY_CONFIG_DIR", "DMS_RELAY_STATE_DIR"),
        *("RELAY_WATCH", "RELAY_WATCH_INTERVAL", "RELAY_TEST_INTERVAL", "RELAY_DRAIN", "RELAY_METRICS"),
        *("PERMIT_DOCKER", "RELAY_PERMIT", "POSTFIX_MYHOSTNAME", "NETWORK_INTERFACE"),
    }
)
#: A comment after a value without quotes: it may be part of a password.
_COMMENT = r"[ \t]*[^'\"\s].*\s#"


def read_relay_env(paths: Paths, problems: list[Problem], owners: dict[str, Owner] | None = None) -> dict[str, Setting]:
    """Return the names that the file sets, with their values; empty if there is no such file.

    The file's owner is added to ``owners``.
    """
    text = read_text(paths.config_dir / NAME, NAME, problems, owners)
    if not text:
        return {}
    from dotenv.parser import parse_stream  # noqa: PLC0415 -- 25 ms, and only where the file is there

    settings: dict[str, Setting] = {}
    for binding in parse_stream(StringIO(text, newline="")):
        _add(binding, settings, problems)
    return settings


def _add(binding: Binding, settings: dict[str, Setting], problems: list[Problem]) -> None:
    origin = Origin(NAME, _line(binding))
    if binding.error:
        problems.append(Problem(origin, "the line cannot be read", "write NAME=value, or NAME='value' with quotes"))
    elif binding.key is not None and binding.value is None:
        problems.append(Problem(origin, "the line sets no value", "write NAME=value"))
    elif binding.key is not None and binding.value is not None:
        if binding.key in settings:
            text = f"{binding.key} is already set at {settings[binding.key].origin}; the last one is used"
            problems.append(Problem(origin, text, "keep only one of them", is_error=False))
        if binding.key in _LOGIN and re.match(_COMMENT, binding.original.string.partition("=")[2]):
            text = f"the text after # in {binding.key} is read as a comment"
            problems.append(
                Problem(
                    origin,
                    text,
                    "write the comment on a line of its own, or put the value in quotes if that text is part of it",
                    is_error=False,
                )
            )
        if binding.key in OF_THE_PROCESS and binding.value:
            problems.append(_of_the_process(binding.key, origin))
        settings[binding.key] = Setting(binding.value, origin)


def _of_the_process(name: str, origin: Origin) -> Problem:
    text = f"{name} has no effect here: it counts only in the environment"
    remedy = f"set {name} in the environment (the container's, or the service's), and remove the line"
    return Problem(origin, text, remedy, is_error=False)


def _line(binding: Binding) -> int:
    text = binding.original.string
    return int(binding.original.line) + text[: len(text) - len(text.lstrip())].count("\n")
