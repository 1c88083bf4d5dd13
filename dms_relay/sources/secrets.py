"""Finds where each password in use is stored: in a file that others may be able to read, or in the environment.

Reads ``relay.env`` and ``postfix-main.cf`` again, for places and not for values. The places in ``relay.yaml``, which can be
long, are recorded when it is read. Writes nothing, and returns no password. Mistakes in these files are not reported here:
reading them has done that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dms_relay.model import RELAY_YAML, Origin
from dms_relay.postfix import main_cf
from dms_relay.sources.environment import FILE_SUFFIXES, OAUTH2, settings_of
from dms_relay.sources.postfix_main import NAME as USER_FILE
from dms_relay.sources.relay_env import NAME as RELAY_ENV
from dms_relay.sources.relay_env import read_relay_env
from dms_relay.sources.sasl_password import NAME as LOGINS
from dms_relay.sources.text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.model import Paths, Setting
    from dms_relay.model.configuration import Inputs
    from dms_relay.model.relays import RelayFile

_PASSWORD = "RELAY_PASSWORD"  # noqa: S105 -- the name of a variable
#: The variables of OAuth2 that are secret.
OAUTH2_SECRETS = tuple(
    f"{OAUTH2}{name}" for name in ("CLIENT_SECRET", "CLIENT_KEY", "REFRESH_TOKEN", "SERVICE_ACCOUNT")
)


class SecretPlace(NamedTuple):
    """The place of a password: a file, or if ``path`` is ``None``, a variable of the process. ``origin`` names it.

    ``named_by`` is the input that names that file, if any.
    """

    origin: Origin
    path: Path | None
    named_by: Path | None = None


def secret_places(paths: Paths, environ: Mapping[str, str], inputs: Inputs) -> Iterator[SecretPlace]:
    """Yield each place once, in the order of the inputs."""
    process, relay_env = settings_of(environ), read_relay_env(paths, [])
    places = _Places(paths, process, relay_env)
    if inputs.password:
        yield from places.of_setting(_PASSWORD, inputs.password)
    if inputs.oauth2:
        for name in OAUTH2_SECRETS:
            yield from places.of_variable(name)
    if inputs.logins:
        yield SecretPlace(Origin(LOGINS), paths.config_dir / LOGINS)
    if inputs.file:
        yield from places.of_yaml(inputs.file)
    text = read_text(paths.config_dir / USER_FILE, USER_FILE, []) or ""
    if any(main_cf.may_hold_login(entry.name, entry.value) for entry in main_cf.parse(text)):
        yield SecretPlace(Origin(USER_FILE), paths.config_dir / USER_FILE)


class _Places:
    """Finds the place of a variable's value, in the same order as ``environment.Lookup`` finds the value."""

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
            is_named = setting.origin.source == RELAY_ENV
            return SecretPlace(
                setting.origin, Path(setting.value), self.paths.config_dir / RELAY_ENV if is_named else None
            )
        is_process = setting.origin.source != RELAY_ENV
        return SecretPlace(setting.origin, None if is_process else self.paths.config_dir / RELAY_ENV)

    def of_variable(self, name: str) -> Iterator[SecretPlace]:
        """Yield the place of a variable that relay.yaml names: the first that is set."""
        for source in self.sources:
            for known in (name, *(name + suffix for suffix in FILE_SUFFIXES)):
                if (setting := source.get(known)) and setting.value:
                    yield self._place(setting, is_file=known != name)
                    return

    def of_yaml(self, file: RelayFile) -> Iterator[SecretPlace]:
        """Yield the places that the logins of relay.yaml name, and the file itself if it contains a password."""
        for password in file.passwords:
            if password.file is not None:
                yield SecretPlace(password.origin, Path(password.file), self.paths.config_dir / RELAY_YAML)
            elif password.variable is not None:
                places = self.of_variable(password.variable)
                yield from (place._replace(origin=password.origin) for place in places)
            else:
                yield SecretPlace(password.origin, self.paths.config_dir / RELAY_YAML)
