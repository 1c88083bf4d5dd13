"""What is said to be written instead is written: the finding is gone, and no other came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.checks.given import DEFAULT, HOST, LOGIN, LOGINS, RELAYMAP, SECRET, TRANSPORTS, YAML, findings, write
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

Files = dict[str, str]
RELAYS = "version: 1\nrelays:\n  r: {host: r.test, tls: {level: encrypt}, login: {username: user, password: p}}\n"
ALIAS = "postfix-virtual.cf"
MASTER = "smtp unix - - n - - smtp\n"


class Step(NamedTuple):
    """Inputs and the environment that are to raise a finding with this text, or to have none."""

    files: Files
    env: Files


#: The text of a finding: what raises it, and what its remedy says to have instead.
REMEDIES = {
    "SMTP_SERVER is not a setting": (
        Step({}, {"SMTP_SERVER": "r.test", "SMTP_PORT": "587", **LOGIN}),
        Step({}, {**DEFAULT, **LOGIN}),
    ),
    "RELAYHOST_PASSWORDMAP is not a setting": (
        Step({}, {**DEFAULT, "RELAYHOST_PASSWORDMAP": "r.test:user:p"}),
        Step({LOGINS: f"[r.test]:587 user:{SECRET}\n"}, DEFAULT),
    ),
    "this file is not an input": (
        Step({"relays.yml": f"{RELAYS}default: r\n"}, {}),
        Step({YAML: f"{RELAYS}default: r\n"}, {}),
    ),
    "injected by Kubernetes": (
        Step({"vhost": "a.test\n"}, {**HOST, **LOGIN, "RELAY_PORT": "tcp://10.96.1.2:25"}),
        Step({"vhost": "a.test\n"}, {**HOST, **LOGIN}),
    ),
    "the password has quotes around it": (
        Step({}, {**DEFAULT, **LOGIN, "RELAY_PASSWORD": f'"{SECRET}"'}),
        Step({}, {**DEFAULT, **LOGIN}),
    ),
    "has a space beside the colon": (
        Step({LOGINS: f"[r.test]:587 user: {SECRET}\n"}, DEFAULT),
        Step({LOGINS: f"[r.test]:587 user:{SECRET}\n"}, DEFAULT),
    ),
    "direct is not a keyword here": (
        Step({RELAYMAP: "@a.test direct\n"}, {**DEFAULT, **LOGIN, **TRANSPORTS}),
        Step({RELAYMAP: "@a.test\n"}, {**DEFAULT, **LOGIN, **TRANSPORTS}),
    ),
    "OK is not a keyword here": (
        Step({RELAYMAP: "@a.test OK\n"}, {}),
        Step({YAML: f"{RELAYS}default: r\nsenders:\n  a.test: direct\n"}, {}),
    ),
    "* is not a wildcard here": (Step({RELAYMAP: "* [r.test]:587\n"}, LOGIN), Step({}, {**DEFAULT, **LOGIN})),
    "the port is inside the brackets": (
        Step({}, {"DEFAULT_RELAY_HOST": "[r.test:587]", **LOGIN}),
        Step({}, {**DEFAULT, **LOGIN}),
    ),
    "DEFAULT_RELAY_HOST is [r.test]:587 as well": (
        Step({"vhost": "a.test\n"}, {**DEFAULT, **LOGIN, "RELAY_HOST": "r.test", "RELAY_PORT": "587"}),
        Step({"vhost": "a.test\n"}, {**DEFAULT, **LOGIN}),
    ),
    "managed domains go to [r.test]:25": (
        Step({"vhost": "a.test\n"}, {**DEFAULT, **LOGIN, "RELAY_HOST": "r.test"}),
        Step({"vhost": "a.test\n"}, {**DEFAULT, **LOGIN}),
    ),
    "this login for [r.test]:587 is ignored": (
        Step({LOGINS: f"[r.test]:587 a:{SECRET}\n[r.test]:587 b:{SECRET}\n"}, DEFAULT),
        Step({LOGINS: f"@a.test a:{SECRET}\n[r.test]:587 b:{SECRET}\n"}, DEFAULT),
    ),
    "is a public mail service": (
        Step({ALIAS: "me@a.test x\nme@gmail.com me@a.test\n"}, {**DEFAULT, **LOGIN}),
        Step({ALIAS: "me@a.test me@gmail.com\n"}, {**DEFAULT, **LOGIN}),
    ),
    "and this is about mail from it": (
        Step({RELAYMAP: "@x.test [r.test]:587\n", LOGINS: f"[r.test]:587 u:{SECRET}\n", "vhost": "a.test\n"}, DEFAULT),
        Step({YAML: f"{RELAYS}default: r\nrecipients:\n  x.test: r\n", "vhost": "a.test\n"}, {}),
    ),
}
#: What is said of where a password stands, of a machine that was not applied to, and of direct mail, is no matter here.
ASIDE = {
    *("secret-in-environment", "secret-readable", "apply-due", "sasl-mechanisms-missing"),
    *("mail-not-relayed", "opt-out-needs-tls"),
}


def found(root: Path, step: Step) -> list[str]:
    """Return what is found with these inputs."""
    sandbox = Sandbox(root)
    write(sandbox, step.files)
    (sandbox.postfix_dir / "master.cf").write_text(MASTER, "ascii")
    return [f"{f.rule}: {f.text}" for f in findings(sandbox, step.env) if f.rule not in ASIDE]


@pytest.mark.parametrize("text", REMEDIES)
def test_remedy(tmp_path: Path, text: str) -> None:
    """The finding is there before; afterwards there is none at all."""
    before, after = REMEDIES[text]
    assert text in "\n".join(found(tmp_path / "before", before))
    assert found(tmp_path / "after", after) == []
