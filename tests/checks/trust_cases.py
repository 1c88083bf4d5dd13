"""Rules of who can change the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.given import DEFAULT, RELAYMAP, Case, findings, given, write
from tests.support.trust import OPERATOR, STRANGER, give, mounted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.checks.rules import Finding
    from tests.checks.given import Run
    from tests.support.sandbox import Sandbox

ROUTE = {RELAYMAP: "@a.test [r.test]:587\n"}


def of_group(mode: int) -> Run:
    """Return what is found where a user's file is mounted into the configuration directory."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        write(sandbox, ROUTE)
        outside = sandbox.config_dir.with_name("outside")
        outside.write_text(ROUTE[RELAYMAP])
        give(outside, OPERATOR, mode=mode)
        with mounted(outside, sandbox.config_dir / RELAYMAP):
            return findings(sandbox, {})

    return run


def of_directory(owner: int, mode: int = 0o755) -> Run:
    """Return what is found where somebody else made the configuration directory, and nothing is in it."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        give(sandbox.config_dir, owner, mode=mode)
        return findings(sandbox, DEFAULT)

    return run


def left(name: str) -> Run:
    """Return what is found beside a file of that name."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        write(sandbox, {name: "x"})
        return findings(sandbox, DEFAULT)

    return run


def of_another_directory(*, is_empty: bool) -> Run:
    """Return what is found where another directory has taken the place of the one that was read, or not."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        write(sandbox, ROUTE)
        sandbox.apply()
        sandbox.config_dir.rename(sandbox.config_dir.with_name("moved"))
        sandbox.config_dir.mkdir()
        write(sandbox, {} if is_empty else ROUTE)
        return findings(sandbox, {})

    return run


TEMPORARY = ".postfix-sasl-password.cf.dms-relay.tmp"
CASES = (
    Case("leftover-file", left(TEMPORARY), f"HERE/config/{TEMPORARY}", "left this file", left("notes.tmp")),
    Case(
        "leftover-file",
        left(TEMPORARY.replace("tmp", "old")),
        f"HERE/config/{TEMPORARY.replace('tmp', 'old')}",
        "logins may be in it",
        left(".notes.old"),
    ),
    Case(
        "untrusted-input",
        given(ROUTE, mode=0o666),
        f"HERE/config/{RELAYMAP}",
        "every user can write to it (mode 0666)",
        given(ROUTE, mode=0o644),
    ),
    Case("untrusted-input", of_directory(STRANGER), "HERE/config", f"it belongs to user {STRANGER}", of_directory(0)),
    Case("untrusted-input", of_directory(0, 0o777), "HERE/config", "every user can put files", of_directory(0, 0o1777)),
    Case(
        "other-directory",
        of_another_directory(is_empty=True),
        "HERE/config",
        "now it is a different one, and empty",
        of_another_directory(is_empty=False),
    ),
    Case(
        "group-writable-input",
        of_group(0o664),
        f"HERE/config/{RELAYMAP}",
        f"group {OPERATOR} can write to it",
        of_group(0o644),
    ),
)
