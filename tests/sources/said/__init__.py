"""Remedies of inputs: what raises each, and what stands there once it is followed to the letter; then nothing is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.checks.given import DEFAULT, LOGIN, LOGINS, RELAYMAP, SECRET, YAML

if TYPE_CHECKING:
    from collections.abc import Mapping

    Files = Mapping[str, str | bytes | None]

#: In a value of the environment, in a file and in a remedy: the configuration directory.
HERE = "{config}"
#: Stands for a directory where a file is expected.
DIRECTORY = b"a directory"
GOOD_LOGIN = f"[r.test]:587 user:{SECRET}\n"
GOOD_ROUTE = "@a.test [r.test]:587\n"
RELAY = f"host: r.test, login: {{username: user, password: {SECRET}}}"
GOOD_YAML = f"version: 1\nrelays:\n  r: {{{RELAY}}}\ndefault: r\n"


@dataclass(frozen=True)
class Said:
    """A remedy, the files and settings that it is said of, and those that it leads to; ``None`` takes a file away."""

    remedy: str
    files: Files = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    then: Files = field(default_factory=dict)
    then_env: Mapping[str, str] | None = None


def relaymap(remedy: str, wrong: str | bytes, right: str = GOOD_ROUTE) -> Said:
    """Make a case of ``postfix-relaymap.cf``, with a default relay and a login of the sender beside it."""
    return Said(remedy, {RELAYMAP: wrong, LOGINS: f"@a.test user:{SECRET}\n"}, {**DEFAULT, **LOGIN}, {RELAYMAP: right})


def logins(remedy: str, wrong: str | bytes, right: str = GOOD_LOGIN) -> Said:
    """Make a case of ``postfix-sasl-password.cf``, with a default relay beside it."""
    return Said(remedy, {LOGINS: wrong}, DEFAULT, {LOGINS: right})


def settings(remedy: str, wrong: Mapping[str, str], right: Mapping[str, str]) -> Said:
    """Make a case of the environment: what differs from a default relay with a login."""
    return Said(remedy, {}, {**DEFAULT, **LOGIN, **wrong}, {}, {**DEFAULT, **LOGIN, **right})


def whole(remedy: str, wrong: str | bytes, right: str = GOOD_YAML) -> Said:
    """Make a case of a whole ``relay.yaml``."""
    return Said(remedy, {YAML: wrong}, {}, {YAML: right})


def relay(remedy: str, wrong: str, right: str = RELAY) -> Said:
    """Make a case of one relay's lines in braces."""
    return whole(remedy, *(f"version: 1\nrelays:\n  r: {{{text}}}\ndefault: r\n" for text in (wrong, right)))


def below(remedy: str, wrong: str, right: str = "") -> Said:
    """Make a case of what stands below a relay that is right."""
    return whole(remedy, f"{GOOD_YAML}{wrong}", f"{GOOD_YAML}{right}")
