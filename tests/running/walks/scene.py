"""The machine that walks are tried on: one Postfix and its relays for all of them, put back to what it was before each.

``r.test``, ``s.test`` and ``h.test`` are relays that demand TLS and a login and take PASSWORD alone; ``r.test`` has implicit
TLS at 465 too. ``catcher.test:1025`` has no TLS; ``own.test:587`` wants neither. ``world.test`` and ``plain.test`` are
servers of recipients, the second without TLS; both take every login, so that one in the wrong place shows.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections import Counter
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from dms_relay import apply, find, merge, plan, read, render
from dms_relay.checks import check
from dms_relay.model import Paths
from testbed import CLEARTEXT_STRANGER, STRANGER, WORLD, Inputs, PostfixError, Relay
from testbed.layout import write_old
from testbed.modes import Auth, Mode, Tls
from testbed.testbed import loopback_address
from tests.running.walks import BOB, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dms_relay.checks.rules import Finding
    from testbed import Postfix, Received, Testbed
    from tests.running.walks import Arrivals, Walk

#: Seconds that mail may take to arrive.
PATIENCE = 15.0
USERS = ("user", "u", "v", "s-user")
_LOGINS = dict.fromkeys(USERS, PASSWORD)
_SUBMISSION = Mode(Tls.DEMANDED, Auth.DEMANDED, _LOGINS)
_PORTS = {
    "r.test": {25: _SUBMISSION, 465: Mode(Tls.IMPLICIT, Auth.DEMANDED, _LOGINS), 587: _SUBMISSION},
    "s.test": {587: _SUBMISSION},
    "h.test": {25: _SUBMISSION, 587: _SUBMISSION, 2525: _SUBMISSION},
    "catcher.test": {1025: Mode(Tls.NONE, Auth.DEMANDED, _LOGINS)},
    "own.test": {587: WORLD},
    "world.test": {25: STRANGER},
    "plain.test": {25: CLEARTEXT_STRANGER},
}
_FILES = ("main.cf", "master.cf")
#: Servers that nobody logs in at, and those where TLS may be missing.
STRANGERS = frozenset({"own.test", "world.test", "plain.test"})
WITHOUT_TLS = STRANGERS | {"catcher.test"}


def relays_of(testbed: Testbed) -> Iterator[Relay]:
    """Yield every relay, all ports of a name at one address; whoever takes them starts them."""
    for name, ports in _PORTS.items():
        host = loopback_address()
        for port, mode in ports.items():
            relay = Relay(name, mode, host=host, port=port, authority=testbed.authority, ledger=testbed.ledger)
            testbed.relays[name] = relay
            yield relay


class Scene:
    """One walk's directories and settings, and what was said to do."""

    def __init__(self, testbed: Testbed, postfix: Postfix, base: tuple[str, str]) -> None:
        """Use a Postfix whose main.cf and master.cf were ``base`` when it started."""
        self.testbed = testbed
        self.postfix = postfix
        self.base = base
        self.config = postfix.layout.base / "config"
        self.state = postfix.layout.base / "state"
        self.env: dict[str, str] = {}
        self.said = ""
        #: What a walk has started or changed; the next one begins without it.
        self.daemons = ExitStack()
        #: True where ``apply`` is to see what the walk changed in this process.
        self.is_here = False

    def reset(self, walk: Walk) -> None:
        """Have nothing of the walk before left, and write what this one begins with."""
        self._forget()
        self.env = dict(walk.env)
        self.said = ""
        self.is_here = False
        for name, content in walk.files.items():
            self.write(name, content)
        for name, text, more in zip(_FILES, self.base, (walk.main, walk.master), strict=True):
            write_old(self.postfix.config / name, text + self.fill(more))
        self.testbed.ledger.clear()

    def _forget(self) -> None:
        """Take everything back. Where a table vanishes in use, master(8) waits a minute before it starts a daemon again."""
        with suppress(PostfixError):
            self.postfix.wait_until_queue_empty(PATIENCE)
        self.postfix.command("postsuper", "-d", "ALL")
        for name, text in zip(_FILES, self.base, strict=True):
            write_old(self.postfix.config / name, text)
        self.postfix.renew()
        self.daemons.close()
        for path in self.postfix.config.iterdir():
            if path != self.postfix.layout.authority and path.name not in _FILES:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for directory in (self.config, self.state):
            shutil.rmtree(directory, ignore_errors=True)
        self.config.mkdir()

    def fill(self, text: str) -> str:
        """Return a text with directories, and with addresses in place of ``{r.test}``."""
        words = {"config": self.config, "postfix": self.postfix.config, "ca": self.postfix.layout.authority}
        hosts = {name: f"[{relay.host}]" for name, relay in self.testbed.relays.items()}
        for word, meant in (words | hosts).items():
            text = text.replace(f"{{{word}}}", str(meant))
        return text

    def path(self, name: str) -> Path:
        """Return the path of an input; ``vhost`` and what begins with ``postfix/`` stands in Postfix's directory."""
        directory = self.postfix.config if name == "vhost" or name.startswith("postfix/") else self.config
        return directory / name.removeprefix("postfix/")

    def write(self, name: str, content: str | None, mode: int = 0o600) -> None:
        """Write a file, or remove it."""
        path = self.path(name)
        if content is None:
            path.unlink()
        else:
            write_old(path, self.fill(content), mode)

    def run(self, command: str) -> str:
        """Run a command, and return what ours says; Postfix's own and ours are for these directories. It must succeed."""
        program, *arguments = shlex.split(command)
        if program == "dms-relay" and self.is_here:
            self._apply_here()
        elif program == "dms-relay":
            done = Inputs(self.config, **self.settings()).run(self.postfix, *arguments)
            assert done.returncode == 0, done.stderr
            return done.stdout + done.stderr
        elif program in {"postfix", "postconf"}:
            self.postfix.command(program, *arguments)
            # Every other program of Postfix would wait for main.cf, as that was written a moment ago.
            write_old(self.postfix.config / "main.cf", (self.postfix.config / "main.cf").read_text())
        else:
            assert program in {"chmod", "chown", "rm"}, program
            for word in arguments:
                self.testbed_path(word)
            subprocess.run([program, *arguments], cwd=self.config, check=True)
        return ""

    def settings(self) -> dict[str, str]:
        """Return the environment of a command."""
        settings = {name: self.fill(value) for name, value in self.env.items()}
        return {"DMS_RELAY_STATE_DIR": str(self.state), **settings}

    def _apply_here(self) -> None:
        paths = Paths(self.config, self.postfix.config, self.state)
        config = merge(read(paths, {name: self.fill(value) for name, value in self.env.items()}))
        apply(plan(render(config, paths), find(paths)), paths)

    def testbed_path(self, name: str) -> Path:
        """Return a path, which must be one of ours."""
        path = self.config / name
        assert path.is_relative_to(self.postfix.layout.base), name
        return path

    def findings(self) -> list[Finding]:
        """Return what is found."""
        env = {name: self.fill(value) for name, value in self.env.items()}
        return list(check(Paths(self.config, self.postfix.config, self.state), env).findings)

    def arrivals(self, walk: Walk) -> Arrivals:
        """Send a message for each that is to arrive; return where they are, with which login."""
        self.postfix.renew()
        self.testbed.ledger.clear()
        ways = {str(number): way for number, way in enumerate(walk.arrives)}
        for number, way in ways.items():
            sender, recipient = (way, BOB) if isinstance(way, str) else way
            self.postfix.send(sender, [recipient], number)
        return {ways[one.message_id]: shown(one) for one in self.testbed.ledger.wait_for(len(ways), PATIENCE)}


def shown(received: Received) -> str:
    """Return the relay of a message and the user name of the session; TLS is said where it should be and is not."""
    is_open = received.relay not in WITHOUT_TLS and received.tls is None
    return " ".join(filter(None, (received.relay, received.user, "without TLS" if is_open else "")))


def rules(findings: list[Finding]) -> Counter[str]:
    """Count the findings of each rule."""
    return Counter(finding.rule for finding in findings)
