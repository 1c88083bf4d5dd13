"""Walks through remedies: what raises a finding, what its remedy says to do, and where mail goes once that is done.

The cases are data, one module for each group of docs/checks.md; ``scene`` has the machine that they are tried on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.running.walks.scene import Scene

    #: One thing that an operator does.
    Deed = Callable[[Scene], None]

#: For senders, or senders with a recipient, the relay that gets their mail, and with which user name.
Arrivals = dict[str | tuple[str, str], str]

RELAYMAP, LOGINS, MAIN, MASTER = (
    "postfix-relaymap.cf",
    "postfix-sasl-password.cf",
    "postfix-main.cf",
    "postfix-master.cf",
)
YAML, ENV_FILE, ACCOUNTS, VIRTUAL, VHOST = (
    "relay.yaml",
    "relay.env",
    "postfix-accounts.cf",
    "postfix-virtual.cf",
    "vhost",
)
PASSWORD = "s3cret-P4ss"
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": PASSWORD}
DEFAULT = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
FULL = {**DEFAULT, **LOGIN}
HOST = {"RELAY_HOST": "r.test", "RELAY_PORT": "587"}
TRANSPORTS = {"RELAY_ROUTING": "transports"}
ANNA = "anna@a.test"
BEN = "ben@b.test"
BOUNCE = "<>"
BOB = "bob@world.test"
#: A recipient whose server has no TLS.
CARL = "carl@plain.test"

R = f"[r.test]:587 user:{PASSWORD}\n"
S = f"[s.test]:587 s-user:{PASSWORD}\n"
AT_R = {LOGINS: R}
A_TO_R = {RELAYMAP: "@a.test [r.test]:587\n"}
ALL: Arrivals = {ANNA: "r.test user", BOUNCE: "r.test user"}
#: What is said, once a login is set, of senders that have no relay.
DIRECT_TOO = frozenset({"mail-not-relayed", "opt-out-needs-tls"})
IN_ENVIRONMENT = frozenset({"secret-in-environment"})
#: A line of the private Postfix's master.cf.
SMTP = "smtp      unix  -       -       y       -       -       smtp\n"
#: relay.yaml with two relays, the second without a login, and with one.
RELAYS = (
    "version: 1\nrelays:\n"
    f"  r: {{host: r.test, tls: {{ca_file: '{{ca}}'}}, login: {{username: user, password: {PASSWORD}}}}}\n"
    "  s: {host: s.test, tls: {ca_file: '{ca}'}}\n"
)
WITH_LOGIN = RELAYS.replace(
    "  s: {host: s.test,", f"  s: {{host: s.test, login: {{username: s-user, password: {PASSWORD}}},"
)


@dataclass(frozen=True)
class Walk:
    """A finding, and one way to follow its remedy.

    ``remedy`` is what ``check`` prints, or ``apply``; ``{config}`` and ``{postfix}`` are the directories. ``choice`` says
    which way is taken. ``main`` and ``master`` stand in main.cf and master.cf beside what is there. ``before`` is done
    before the finding is looked for, ``follow`` is what the remedy says. Then ``dms-relay apply`` runs, unless
    ``is_applied`` says no; what it said before, it no longer says. ``arrives`` says for senders, or senders and recipients,
    at which relay their mail then is, and with which login.

    ``leads_to`` are rules that speak up only now, all of them: another step, with a remedy that is followed elsewhere.
    """

    rule: str
    remedy: str
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    follow: tuple[Deed, ...] = ()
    arrives: Arrivals = field(default_factory=dict)
    choice: str = ""
    main: str = ""
    master: str = ""
    before: tuple[Deed, ...] = ()
    leads_to: frozenset[str] = frozenset()
    is_applied: bool = True
    is_long: bool = False
    is_said_by_apply: bool = False

    @property
    def name(self) -> str:
        """What a test calls it."""
        return "-".join(filter(None, (self.rule, self.choice or self.remedy)))


def put(**files: str | None) -> Deed:
    """Return the deed of writing settings into the environment; ``None`` takes one away."""

    def do(scene: Scene) -> None:
        for name, value in files.items():
            scene.env.pop(name, None)
            if value is not None:
                scene.env[name] = value

    return do


def write(files: Mapping[str, str | None], mode: int = 0o600) -> Deed:
    """Return the deed of writing files; ``None`` removes one."""

    def do(scene: Scene) -> None:
        for name, text in files.items():
            scene.write(name, text, mode)

    return do


def edit(name: str, old: str, new: str) -> Deed:
    """Return the deed of changing a line of a file that is there; the names are those of ``Scene.write``."""

    def do(scene: Scene) -> None:
        text, was, now = scene.path(name).read_text(), scene.fill(old), scene.fill(new)
        assert was in text, f"{was!r} is not in {name}"
        scene.write(name, text.replace(was, now, 1))

    return do


def rename(old: str, new: str) -> Deed:
    """Return the deed of renaming a file of the configuration directory."""

    def do(scene: Scene) -> None:
        (scene.config / old).rename(scene.config / new)

    return do


def printed(command: str) -> Deed:
    """Return the deed of running a command to the letter, which the remedy must print."""

    def do(scene: Scene) -> None:
        command_line = scene.fill(command)
        assert command_line in scene.said, f"{command_line!r} is not printed in {scene.said!r}"
        scene.run(command_line)

    return do


def run(command: str) -> Deed:
    """Return the deed of running a command that a remedy describes in words."""

    def do(scene: Scene) -> None:
        scene.run(scene.fill(command))

    return do


apply = run("dms-relay apply")
