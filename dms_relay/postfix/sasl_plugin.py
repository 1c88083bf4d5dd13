"""Finds our plugin for Cyrus SASL (``sasl/``), without which smtp(8) cannot log in with an access token.

Only reads names in directories; raises nothing. smtp(8) finds the plugin in the directory that Cyrus SASL was built with, or
in those of ``SASL_PATH`` if main.cf passes that on (``import_environment``; tried with Postfix 3.7).

Known limits: Cyrus SASL cannot be asked for its directory, so the first of the usual ones that exists counts; we do not
check that the file is for this processor.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The plugin's file.
PLUGIN = "libdmsrelayoauth2.so"
#: The variable that names other directories, separated by colons (Cyrus SASL, lib/common.c).
SASL_PATH = "SASL_PATH"
_LIBRARIES = "/usr/lib"
#: Debian's directory name contains the architecture; the others are those of Fedora and of Cyrus SASL itself.
_USUAL = (f"{_LIBRARIES}64/sasl2", f"{_LIBRARIES}/sasl2", "/usr/local/lib/sasl2")
#: Part of the names of other plugins for these mechanisms: libsasl-xoauth2, libxoauth2, libkdexoauth2plugin.
_OTHERS = "oauth"


def directories(import_environment: str = "", environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the directories in which smtp(8) looks for plugins, in its order.

    ``import_environment`` is main.cf's, and ``environ`` is Postfix's environment, by default our own.
    """
    for word in import_environment.replace(",", " ").split():
        name, has_value, value = word.strip("{}").partition("=")
        path = value if has_value else (os.environ if environ is None else environ).get(name, "")
        if name == SASL_PATH and path:
            return tuple(filter(None, path.split(":")))
    usual = (*(f"{_LIBRARIES}/{name}/sasl2" for name in _architectures()), *_USUAL)
    return next(((directory,) for directory in usual if os.path.isdir(directory)), (usual[0],))  # noqa: PTH112 -- no pathlib here


def is_there(import_environment: str = "", environ: Mapping[str, str] | None = None) -> bool:
    """Return True if smtp(8) finds the plugin."""
    return not missing(import_environment, environ)


def missing(import_environment: str = "", environ: Mapping[str, str] | None = None) -> str:
    """Return the path where the plugin is missing; ``""`` if it is there."""
    paths = [f"{directory}/{PLUGIN}" for directory in directories(import_environment, environ)]
    return "" if any(map(os.path.isfile, paths)) else paths[0]


def others(import_environment: str = "", environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the paths of other plugins for these mechanisms: Cyrus SASL uses whichever it finds first."""
    found = (f"{d}/{name}" for d in directories(import_environment, environ) for name in sorted(_names(d)))
    return tuple(path for path in found if _is_other(path.rpartition("/")[2]))


def _is_other(name: str) -> bool:
    return name.endswith(".so") and _OTHERS in name.lower() and name != PLUGIN


def _architectures() -> tuple[str, ...]:
    """Return Debian's name of this machine's architecture; all that are installed if the interpreter is not Debian's."""
    own = getattr(sys.implementation, "_multiarch", "")
    return (own,) if own else tuple(sorted(name for name in _names(_LIBRARIES) if "-linux-" in name))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 -- no pathlib here
    except OSError:
        return []
