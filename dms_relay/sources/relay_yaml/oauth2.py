"""Reads the keys below ``oauth2`` in ``relay.yaml``, and the files and variables that they name. Writes nothing.

A mistake becomes a ``Problem`` with line and column; no secret is ever shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model import RELAY_YAML, Origin, Problem, Setting
from dms_relay.sources.oauth2 import PARTS, Given, oauth2_of

if TYPE_CHECKING:
    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.shape import LocatedValue
    from dms_relay.sources.environment import Lookup

#: The parts that are named with ``_file`` in a remedy.
_FILES = ("client_secret", "client_key", "client_certificate", "refresh_token", "service_account")


class OAuth2Reader:
    """Turns the located values into an ``OAuth2``; ``lookup`` reads files and variables."""

    def __init__(self, found: LocatedValue, lookup: Lookup, problems: list[Problem], *, is_sound: bool) -> None:
        """Store the value of the key. ``is_sound``: no key is wrong, so a missing one is really missing."""
        self.is_sound = is_sound
        self.found = found
        self.lookup = lookup
        self.problems = problems

    def oauth2(self) -> OAuth2 | None:
        """Return the settings; ``None`` if there is a mistake, which is then in ``problems``."""
        written = self.found.value
        values = {part: setting for part in PARTS if (setting := self._part(part))}
        # If a key or a value is wrong, it may be the one that seems to be missing: report nothing more.
        if len(values) < len(written) or not self.is_sound:
            return None
        given = Given(values, self._origin(self.found), _name, ("write", ": "), self.lookup.owners)
        return oauth2_of(given, self.problems)

    def _origin(self, found: LocatedValue) -> Origin:
        return Origin(RELAY_YAML, *found.place)

    def _part(self, part: str) -> Setting | None:
        if (plain := self.found.get(part)) and plain.value:
            return Setting(str(plain.value), self._origin(plain))
        if (file := self.found.get(f"{part}_file")) and file.value:
            return self._from_file(file)
        if (variable := self.found.get(f"{part}_env")) and variable.value:
            return self._from_variable(variable)
        return None

    def _from_file(self, file: LocatedValue) -> Setting | None:
        origin, before = self._origin(file), len(self.problems)
        setting = self.lookup.from_file(Setting(file.value, origin), "name another")
        if setting is None and not any(problem.is_error for problem in self.problems[before:]):
            self.problems[before:] = [Problem(origin, "the file that it names is empty", "write the secret into it")]
        return setting

    def _from_variable(self, variable: LocatedValue) -> Setting | None:
        """Return its value. The name of a variable that is not set is not shown: it may be a misplaced secret."""
        origin, before = self._origin(variable), len(self.problems)
        setting = self.lookup.find(variable.value)
        if setting is None and not any(problem.is_error for problem in self.problems[before:]):
            self.problems.append(
                Problem(origin, "the variable it names is not set", "set it, or name another", is_missing=False)
            )
        return setting and Setting(setting.value, origin)


def _name(part: str) -> str:
    return f"{part}_file" if part in _FILES else part
