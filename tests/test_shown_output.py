"""What pages show as the output of a command is what it prints: docs/troubleshooting.md and docs/explain.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.explain.test_command import MASTER_CF, SECRET
from tools.fold import unfold

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

DOCS = Path(__file__).parent.parent / "docs"
TROUBLESHOOTING, EXPLAIN = (unfold((DOCS / name).read_text("utf-8")) for name in ("troubleshooting.md", "explain.md"))
SES = "email-smtp.us-west-2.amazonaws.com"
ENV = {"RELAY_HOST": SES, "RELAY_PORT": "587"}
ROUTES = """\
@domain1.com [smtp.mailgun.org]:587
@domain2.com [smtp.sendgrid.net]:2525

# directly
@domain3.com
"""
LOGINS = f"""\
[smtp.mailgun.org]:587 mailgun-user:{SECRET}
[smtp.sendgrid.net]:2525 sendgrid-user:{SECRET}
[{SES}]:2587 aws-user:{SECRET}
"""
#: What a block cuts out.
CUT = "…"


def shown(page: str, command: str) -> list[str]:
    """Return the lines that a page shows of a command."""
    _, _, rest = page.partition(f"    $ dms-relay {command}\n")
    block = rest.partition("\n\n")[0]
    return [line.removeprefix("    ") for line in block.splitlines()]


@pytest.fixture
def scene(sandbox: Sandbox) -> Sandbox:
    """Return the server with four domains, as the page describes it, with its mistake applied."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    sandbox.write("vhost", "".join(f"domain{number}.com\n" for number in range(1, 5)))
    sandbox.write("postfix-relaymap.cf", ROUTES)
    sandbox.write("postfix-sasl-password.cf", LOGINS).chmod(0o600)
    sandbox.apply(**ENV)
    return sandbox


def as_installed(text: str, sandbox: Sandbox) -> list[str]:
    """Return lines of output as they are with the directories of a container."""
    text = text.replace(str(sandbox.postfix_dir), "/etc/postfix")
    return text.replace(str(sandbox.config_dir), "/tmp/docker-mailserver").splitlines()  # noqa: S108 -- a container's own


def test_check(scene: Sandbox) -> None:
    """Each finding is shown; the last line names the version of the Postfix that was there."""
    printed = as_installed(scene.run("check", env=ENV).out, scene)
    lines = shown(TROUBLESHOOTING, "check")
    assert lines[:-1] == printed[:-1]
    assert lines[-1].partition(", Postfix ")[0] == printed[-1].partition(", Postfix ")[0]


def test_explain(scene: Sandbox) -> None:
    """With the login corrected, the way of now is shown whole, and of the way after `apply` the line that differs."""
    scene.write("postfix-sasl-password.cf", LOGINS.replace(":2587", ":587")).chmod(0o600)
    printed = as_installed(scene.run("explain", "anna@domain4.com", "bob@gmail.com", env=ENV).out, scene)
    lines = shown(TROUBLESHOOTING, "explain anna@domain4.com bob@gmail.com")
    at = next(number for number, line in enumerate(lines) if line.strip() == CUT)
    assert lines[:at] == printed[:at]
    assert set(lines[at + 1 :]) <= set(printed[at:])


def test_example_of_explain(sandbox: Sandbox) -> None:
    """docs/explain.md shows one message whole."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    sandbox.write("postfix-relaymap.cf", ROUTES)
    sandbox.write("postfix-sasl-password.cf", f"@domain1.com mailgun-user:{SECRET}\n").chmod(0o600)
    sandbox.apply()
    command = "explain anna@domain1.com bob@gmail.com"
    assert shown(EXPLAIN, command) == as_installed(sandbox.run(*command.split()).out, sandbox)
