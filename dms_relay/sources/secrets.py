"""Where each password that is in use stands: in a file of which others may read, or in the environment.

Reads ``relay.env``, ``relay.yaml`` and ``postfix-main.cf`` again, for where things stand and not for what they are. Writes
nothing, and hands on no password. Says nothing of what is wrong in these files: reading them has said it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dms_relay.model import RELAY_YAML, Origin
from dms_relay.postfix import main_cf
from dms_relay.shape import Complaint, LocatedValue
from dms_relay.sources.environment import FILE_SUFFIXES, settings_of
from dms_relay.sources.postfix_main import NAME as USER_FILE
from dms_relay.sources.relay_env import NAME as RELAY_ENV
from dms_relay.sources.relay_env import read_relay_env
from dms_relay.sources.sasl_password import NAME as LOGINS
from dms_relay.sources.text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.model import Paths, Setting
    from dms_relay.model.configuration import Inputs

_PASSWORD = "RELAY_PASSWORD"  # noqa: S105 -- the name of a variable


class SecretPlace(NamedTuple):
    """Where a password stands: a file, or where ``path`` is ``None``, a variable of the process. ``origin`` names it."""

    origin: Origin
    path: Path | None


def secret_places(paths: Paths, environ: Mapping[str, str], inputs: Inputs) -> Iterator[SecretPlace]:
    """Yield each place once, in the order of the inputs."""
    process, relay_env = settings_of(environ), read_relay_env(paths, [])
    places = _Places(paths, process, relay_env)
    if inputs.password:
        yield from places.of_setting(_PASSWORD, inputs.password)
    if inputs.logins:
        yield SecretPlace(Origin(LOGINS), paths.config_dir / LOGINS)
    if inputs.file:
        yield from places.of_yaml()
    text = read_text(paths.config_dir / USER_FILE, USER_FILE, []) or ""
    if any(main_cf.may_hold_login(entry.name, entry.value) for entry in main_cf.parse(text)):
        yield SecretPlace(Origin(USER_FILE), paths.config_dir / USER_FILE)


class _Places:
    """Finds where a variable's value stands, as ``environment.Lookup`` finds the value."""

    def __init__(self, paths: Paths, process: Mapping[str, Setting], relay_env: Mapping[str, Setting]) -> None:
        self.paths = paths
        self.sources = (process, relay_env)

    def of_setting(self, name: str, found: Setting) -> Iterator[SecretPlace]:
        """Yield the places of a variable whose value was found at ``found.origin``."""
        for source in self.sources:
            for known in (name, *(name + suffix for suffix in FILE_SUFFIXES)):
                setting = source.get(known)
                if setting and setting.value and setting.origin == found.origin:
                    yield self._place(setting, is_file=known != name)
                    return

    def _place(self, setting: Setting, *, is_file: bool) -> SecretPlace:
        if is_file:
            return SecretPlace(setting.origin, Path(setting.value))
        is_process = setting.origin.source != RELAY_ENV
        return SecretPlace(setting.origin, None if is_process else self.paths.config_dir / RELAY_ENV)

    def of_variable(self, name: str) -> Iterator[SecretPlace]:
        """Yield the places of a variable that relay.yaml names: the first that is set."""
        for source in self.sources:
            for known in (name, *(name + suffix for suffix in FILE_SUFFIXES)):
                if (setting := source.get(known)) and setting.value:
                    yield self._place(setting, is_file=known != name)
                    return

    def of_yaml(self) -> Iterator[SecretPlace]:
        """Yield the places that the logins of relay.yaml name; the file itself where a password stands in it."""
        for login in _logins(_read_yaml(self.paths)):
            if login.get("password"):
                yield SecretPlace(Origin(RELAY_YAML), self.paths.config_dir / RELAY_YAML)
            elif file := login.get("password_file"):
                yield SecretPlace(Origin(RELAY_YAML, *file.place), Path(file.value))
            elif variable := login.get("password_env"):
                places = self.of_variable(variable.value)
                yield from (SecretPlace(Origin(RELAY_YAML, *variable.place), place.path) for place in places)


def _read_yaml(paths: Paths) -> LocatedValue | None:
    from dms_relay.shape.check import check  # noqa: PLC0415 -- 60 ms with YAML, and only where the file is there
    from dms_relay.sources.relay_yaml.keys import RELAY_FILE  # noqa: PLC0415 -- the same
    from dms_relay.sources.relay_yaml.node import read_node  # noqa: PLC0415 -- the same

    text = read_text(paths.config_dir / RELAY_YAML, RELAY_YAML, []) or ""
    found = read_node(text, lambda node: check(RELAY_FILE, node, text)[0])
    return None if isinstance(found, Complaint) else found


def _logins(found: LocatedValue | None) -> Iterator[LocatedValue]:
    """Yield every login below a place of relay.yaml."""
    value: Any = found.value if found else None
    if not isinstance(value, dict):
        return
    for key, below in value.items():
        # Of a table, each value is a pair of its key and what stands there.
        for item in below if type(below) is tuple else (below,):
            if key == "login" and isinstance(item, LocatedValue) and isinstance(item.value, dict):
                yield item
            elif isinstance(item, LocatedValue):
                yield from _logins(item)
