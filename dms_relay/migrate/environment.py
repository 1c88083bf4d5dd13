"""The variables of another image: from a file (``--env-file``), or from the environment itself.

The file has lines ``NAME=value``, as docker's ``--env-file`` and Compose's ``env_file`` accept them; quotes around a value
are removed, as in Compose, and ``$`` is literal. Reads the file, and those that ``NAME_FILE`` names; writes nothing. Never
shows a value, since it may be a password.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.errors import InputError
from dms_relay.log import printable
from dms_relay.migrate.draft import Left
from dms_relay.model import Origin, Problem
from dms_relay.sources.text import lines_of, read_file, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUOTES = ('"', "'")
#: The names that a shell has: the start scripts of images see no others.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
#: What no line of main.cf or of a table can hold, and octets that are not UTF-8 (os.environ has them as surrogates).
_CONTROL, _NO_UTF8 = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]"), re.compile(r"[\ud800-\udfff]")


class Variables:
    """Variables by name. An empty value counts as not set."""

    def __init__(self, values: Mapping[str, str], source: str, *, is_file: bool = False) -> None:
        """Set the values and their origin; a file has only the image's variables, the environment others too."""
        self.values = values
        self._source = source
        self._is_file = is_file
        self._used: set[str] = set()
        self._odd: set[str] = set()

    def get(self, name: str) -> str:
        """Return a value; empty if there is none."""
        self._used.add(name)
        return self._checked(name, self.values.get(name, ""))

    def has(self, *names: str) -> bool:
        """Return True if one of these is set to something."""
        return any(self.values.get(name) for name in names)

    def origin(self, name: str) -> str:
        """Return the place of a variable."""
        return f"{self._source} {printable(name)}"

    def beginning(self, prefix: str) -> dict[str, str]:
        """Return the variables with a prefix, by the rest of their names."""
        found = {name: value for name, value in sorted(self.values.items()) if name.startswith(prefix)}
        self._odd |= {name for name in found if not _NAME.fullmatch(name) or name == prefix}
        self._used.update(found.keys() - self._odd)
        return {name.removeprefix(prefix): self._checked(name, found[name]) for name in found if name not in self._odd}

    def _checked(self, name: str, value: str) -> str:
        """Return a value. Raise ``InputError`` where no line of a file in UTF-8 can hold it."""
        if value.isprintable():
            return value
        what = "contains a line end or a control character", "write one line"
        if _NO_UTF8.search(value):
            what = "is not UTF-8", "write it in UTF-8"
        elif not _CONTROL.search(value):
            return value
        raise InputError([Problem(Origin(self.origin(name)), f"the value {what[0]}", what[1])])

    def unknown(self, known: Iterable[str], prefixes: tuple[str, ...]) -> Iterator[Left]:
        """Yield the variables of a file that nobody has read, and that are not known to be irrelevant."""
        for name in sorted(self._odd):
            text = "no shell has a variable of this name, so the image does nothing with it"
            yield Left(self.origin(name), text, "check the spelling of its name", is_note=True)
        for name in self.values if self._is_file else ():
            if name not in {*self._used, *self._odd, *known} and not name.startswith(prefixes):
                text = "the image has no such variable, so it was ignored"
                yield Left(self.origin(name), text, "check the spelling of its name", is_note=True)

    def file(self, name: str) -> str | None:
        """Return the contents of the file that a variable names; ``None`` if it cannot be read here."""
        try:
            return read_file(Path(self.get(name))).decode()
        except (OSError, ValueError):
            return None


def variables(path: str | None, environ: Mapping[str, str]) -> Variables:
    """Return the variables of a file, or of the environment if none is named. Raises ``InputError``."""
    if path is None:
        return Variables(environ, "env")
    problems: list[Problem] = []
    name = Path(path).name
    text = read_text(Path(path), name, problems)
    if text is None:
        problems = [Problem(Origin("--env-file"), f"there is no file {path}", "name the file with the variables")]
    found: dict[str, str] = {}
    for line in lines_of(text or ""):
        key, equals, value = line.text.removeprefix("export ").partition("=")
        if not equals:
            problems.append(Problem(Origin(name, line.number), "the line sets no value", "write NAME=value"))
        found[key.strip()] = _unquoted(value.strip())
    if errors := [problem for problem in problems if problem.is_error]:
        raise InputError(errors)
    return Variables(found, name, is_file=True)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] in _QUOTES and value[0] == value[-1]:
        return value[1:-1]
    return value
