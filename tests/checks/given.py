"""Inputs that ``check`` is run on, and cases: a rule, where it fires, and where it must not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dms_relay.checks import check
from dms_relay.model import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dms_relay.checks.rules import Finding
    from tests.support.sandbox import Sandbox

    Run = Callable[[Sandbox], Iterable[Finding]]

RELAYMAP, LOGINS, MAIN = "postfix-relaymap.cf", "postfix-sasl-password.cf", "postfix-main.cf"
YAML, ENV_FILE, ACCOUNTS = "relay.yaml", "relay.env", "postfix-accounts.cf"
SECRET = "s3cret-P4ss"
#: Permission bits of the inputs, unless a case says otherwise: none of them is for others.
PRIVATE = 0o600
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": SECRET}
DEFAULT = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
HOST = {"RELAY_HOST": "h.test"}
TRANSPORTS = {"RELAY_ROUTING": "transports"}


@dataclass(frozen=True)
class Case:
    """Where a rule fires, with the place and a part of the text, and where it is silent though it is near."""

    rule: str
    fires: Run
    origin: str
    text: str
    silent: Run


def write(sandbox: Sandbox, files: Mapping[str, str], mode: int = PRIVATE) -> None:
    """Write inputs, each with these permission bits."""
    for name, text in files.items():
        sandbox.write(name, text).chmod(mode)


def findings(sandbox: Sandbox, env: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return what is found in a sandbox as it is."""
    return check(Paths(sandbox.config_dir, sandbox.postfix_dir), env).findings


def given(files: Mapping[str, str], *envs: Mapping[str, str], mode: int = PRIVATE) -> Run:
    """Return what is found with these inputs, and the environment of all ``envs`` together."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        write(sandbox, files, mode)
        return findings(sandbox, {name: value for env in envs for name, value in env.items()})

    return run
