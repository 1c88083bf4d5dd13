"""Wrong inputs, each with the exact lines that it must be answered with. By subject, one module each."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum

#: Stands wherever a case has a password or a hash; no message may show it.
SECRET = "s3cret-P4ss"
#: In a value of the environment: the directory of the files in ``Wrong.secrets``.
SECRETS = "{secrets}"


class Odd(Enum):
    """What may stand where a file is expected."""

    DIRECTORY = "a directory"
    BROKEN_LINK = "a link to a file that is not there"
    LINK_LOOP = "a link to itself"


Content = str | bytes | Odd


@dataclass(frozen=True)
class Wrong:
    """One case: what is set, and every line that must come out, in its order."""

    name: str
    errors: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, Content] = field(default_factory=dict)
    secrets: dict[str, Content] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    code: int = os.EX_CONFIG


def setting(name: str, error: str, **env: str) -> Wrong:
    """Make a case of the environment alone."""
    return Wrong(name, (error,), env)


def relaymap(name: str, text: Content, *errors: str) -> Wrong:
    """Make a case of ``postfix-relaymap.cf`` alone; each error is given without the name of the file."""
    return in_file("postfix-relaymap.cf", name, text, *errors)


def login_file(name: str, text: Content, *errors: str) -> Wrong:
    """Make a case of ``postfix-sasl-password.cf``, with an empty relaymap beside it."""
    file = "postfix-sasl-password.cf"
    prefixed = tuple(f"{file}:{error}" for error in errors)
    return Wrong(name, prefixed, files={file: text, "postfix-relaymap.cf": ""})


def in_file(file: str, name: str, text: Content, *errors: str, **env: str) -> Wrong:
    """Make a case of one file; each error is given without the name of the file."""
    return Wrong(f"{file}: {name}", tuple(f"{file}:{error}" for error in errors), env, {file: text})
