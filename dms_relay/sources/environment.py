"""Finds the value of a setting: in the environment, in a file that it names, or in ``relay.env``.

Reads the given environment and the secret files that it names, at each run. Writes nothing. Known limits: a secret file has
at most ``SECRET_MAX`` octets.
"""

from __future__ import annotations

from pathlib import Path

from dms_relay.files.trust import DistrustError, NotReadableError
from dms_relay.model import Origin, Problem, Setting
from dms_relay.sources.text import read_file, remedy_for, without_line_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.sources.text import Owner

NAMES = (
    "DEFAULT_RELAY_HOST",
    "RELAY_HOST",
    "RELAY_PORT",
    "RELAY_USER",
    "RELAY_PASSWORD",
    "RELAY_ROUTING",
    "RELAY_TLS_LEVEL",
    "RELAY_TABLES",
    "RELAY_OAUTH2_PROVIDER",
    "RELAY_OAUTH2_TENANT",
    "RELAY_OAUTH2_CLIENT_ID",
    "RELAY_OAUTH2_CLIENT_SECRET",
    "RELAY_OAUTH2_CLIENT_CERTIFICATE",
    "RELAY_OAUTH2_CLIENT_KEY",
    "RELAY_OAUTH2_REFRESH_TOKEN",
    "RELAY_OAUTH2_SERVICE_ACCOUNT",
    "RELAY_OAUTH2_TOKEN_URL",
    "RELAY_OAUTH2_SCOPE",
    "RELAY_OAUTH2_CA_FILE",
)
#: The prefix of the variables about access tokens.
OAUTH2 = "RELAY_OAUTH2_"
#: The suffixes of a variable that names a file: DMS's first, then that of other images.
FILE_SUFFIXES = ("__FILE", "_FILE")
#: All our variables.
OURS = tuple(name + suffix for name in NAMES for suffix in ("", *FILE_SUFFIXES))
#: Octets. Docker and Swarm limit secrets to 500 KB (docs.docker.com, Manage sensitive data); no login has a tenth of that.
SECRET_MAX = 65536

#: The alternative to mounting the file, if a variable names one that cannot be used.
_OTHERWISE = "remove the variable"


class Lookup:
    """Finds settings, strongest source first."""

    def __init__(self, sources: tuple[Mapping[str, Setting], ...], problems: list[Problem]) -> None:
        """Store the settings of each source."""
        self.sources = sources
        #: The names asked for so far: such a variable is a setting, whatever its name.
        self.asked: set[str] = set(OURS)
        #: The owners of files that name other files, by file name: they must be allowed to read the files that they name.
        self.owners: dict[str, Owner] = {}
        self._problems = problems

    def find(self, name: str) -> Setting | None:
        """Return the first value of ``name`` that is set and not empty, else ``None``."""
        self.asked.update(name + suffix for suffix in ("", *FILE_SUFFIXES))
        for source in self.sources:
            if found := self._find_in(source, name):
                return found
        return None

    def _find_in(self, source: Mapping[str, Setting], name: str) -> Setting | None:
        plain = source.get(name)
        files = [source[name + suffix] for suffix in FILE_SUFFIXES if name + suffix in source]
        files = [setting for setting in files if setting.value]
        if plain and plain.value:
            for setting in files:
                self._warn(setting.origin, f"has no effect, because {name} is set", "keep only one of them")
            return self._checked(plain)
        for extra in files[1:]:
            self._warn(extra.origin, f"has no effect, because {name}__FILE is set", "keep only one of them")
        return self.from_file(files[0]) if files else None

    def _checked(self, setting: Setting) -> Setting | None:
        try:
            setting.value.encode()
        except UnicodeEncodeError:
            self._problems.append(Problem(setting.origin, "the value is not UTF-8", "write it in UTF-8"))
            return None
        return setting

    def from_file(self, setting: Setting, otherwise: str = _OTHERWISE) -> Setting | None:
        """Return the content of the file that the setting names; ``None`` if it is empty or cannot be used.

        ``otherwise`` is the alternative to "mount the file" in a remedy.
        """
        data = self._read(setting, f"mount the file, or {otherwise}")
        if data is None:
            return None
        try:
            value = data.decode()
        except UnicodeDecodeError:
            self._problems.append(
                Problem(setting.origin, "the file that it names is not UTF-8", "save the file as UTF-8")
            )
            return None
        return self._file_value(value, setting.origin)

    def _file_value(self, text: str, origin: Origin) -> Setting | None:
        if text.startswith("\ufeff"):
            self._problems.append(
                Problem(origin, "the file that it names begins with a byte order mark", "save it as UTF-8 without one")
            )
            return None
        value = without_line_end(text)
        if not value:
            self._warn(origin, "the file that it names is empty, so nothing is set", "write the value into the file")
            return None
        return Setting(value, origin)

    def _read(self, setting: Setting, remedy: str) -> bytes | None:
        if not setting.value.startswith("/"):
            self._problems.append(
                Problem(setting.origin, "is not the absolute path of a file", "name a file, such as /run/secrets/relay")
            )
            return None
        try:
            data = read_file(Path(setting.value), SECRET_MAX + 1, reader=self.owners.get(setting.origin.source))
        except (DistrustError, NotReadableError) as error:
            self._problems.append(Problem(setting.origin, *self.not_believed(error, setting), rule="untrusted-input"))
            return None
        except OSError as error:
            self._unreadable(setting, str(error.strerror), remedy_for(error, remedy))
            return None
        except ValueError:
            self._unreadable(setting, "not a path", remedy)
            return None
        if len(data) > SECRET_MAX:
            self._unreadable(setting, f"longer than {SECRET_MAX} octets", remedy)
            return None
        return data

    def not_believed(self, error: DistrustError | NotReadableError, named: Setting) -> tuple[str, str]:
        """Return text and remedy for a named file that others could change, or that the user who names it may not read."""
        from dms_relay.sources.distrust import said_of_named  # noqa: PLC0415 -- only where something is wrong

        return said_of_named(error, named.origin.source, self.owners.get(named.origin.source))

    def _unreadable(self, setting: Setting, reason: str, remedy: str) -> None:
        text = f"the file that it names cannot be read: {reason}"
        self._problems.append(Problem(setting.origin, text, remedy, is_missing=True))

    def _warn(self, origin: Origin, text: str, remedy: str) -> None:
        self._problems.append(Problem(origin, text, remedy, is_error=False))


def settings_of(environ: Mapping[str, str]) -> dict[str, Setting]:
    """Return every variable of the process, with its origin."""
    return {name: Setting(value, Origin(f"env {name}")) for name, value in environ.items()}
