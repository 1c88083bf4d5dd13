"""Where Postfix's parts are, and which missing directories its start creates. Reads, writes nothing.

``INSTALLATION`` is what Debian's Postfix was built with (``postconf -d``; a test of the image compares them). main.cf may
name other places: see ``differs``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Installation(NamedTuple):
    """Postfix's installation parameters (post-install, "INSTALLATION PARAMETER DESCRIPTION")."""

    config_directory: Path = Path("/etc/postfix")
    command_directory: Path = Path("/usr/sbin")
    daemon_directory: Path = Path("/usr/lib/postfix/sbin")
    data_directory: Path = Path("/var/lib/postfix")
    meta_directory: Path = Path("/etc/postfix")
    queue_directory: Path = Path("/var/spool/postfix")
    shlib_directory: Path = Path("/usr/lib/postfix")
    mail_owner: str = "postfix"
    setgid_group: str = "postdrop"


#: The image's Postfix.
INSTALLATION = Installation()
#: Parameters that ``post-install`` refuses to start with unless they name an absolute path or, some, say "no".
_PATHS = (
    "html_directory",
    "mailq_path",
    "manpage_directory",
    "newaliases_path",
    "readme_directory",
    "sample_directory",
    "sendmail_path",
)
#: With any of these there may be several Postfix instances, or another one than ours.
_INSTANCES = ("multi_instance_directories", "multi_instance_enable", "multi_instance_wrapper", "mail_version")


def differs(installation: Installation, parameters: Mapping[str, str]) -> str:
    """Return the first parameter of main.cf that differs from ``installation``; empty if none does."""
    own = {name: str(value) for name, value in installation._asdict().items()}
    for name, value in parameters.items():
        if name in _INSTANCES or value != own.get(name, value):
            return name
        if name in _PATHS and (value[:1] != "/" or "$" in value) and value != "no":
            return name
    return ""


class Directory(NamedTuple):
    """A directory that Postfix's start creates if it is missing. ``group`` is empty if any group will do."""

    path: Path
    owner: str
    group: str


def directories(installation: Installation) -> Iterator[Directory]:
    """Yield the directories that ``post-install create-missing`` asks for (postfix-files, flag c). Raises ``OSError``.

    Raises ``ValueError`` for a line that is not understood.
    """
    names = {f"${name}": str(value) for name, value in installation._asdict().items()}
    files = [installation.meta_directory / "postfix-files"]
    more = installation.meta_directory / "postfix-files.d"
    files += (path for path in more.rglob("*") if path.is_file()) if more.is_dir() else ()
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            if ":d:" in line and line.startswith("$"):
                yield from _directory(line, names)


def _directory(line: str, names: Mapping[str, str]) -> Iterator[Directory]:
    path, _, owner, group, _, flags, *_ = [*line.split(":"), "", "", ""]
    if "c" not in flags or "o" in flags:
        return
    variable, slash, rest = path.partition("/")
    if variable not in names:
        raise ValueError(variable)
    yield Directory(
        Path(names[variable] + slash + rest), names.get(owner, owner), "" if group == "-" else names.get(group, group)
    )
