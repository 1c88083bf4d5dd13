"""A token endpoint, relays that take exactly the tokens it has issued, a Postfix with the plugin, and a keeper beside it.

Each relay has a name, which is also the domain of the senders whose mail it gets. A scene can have more endpoints than one,
so that each relay has a trouble of its own.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

import yaml

from dms_relay import tokens
from dms_relay.tokens import in_force
from testbed import Inputs, Mode
from testbed.token_rules import OAuth2Client
from testbed.token_server import TokenServer
from tests.together.watching import readable
from tests.watch.keeping import PATIENCE, Keeping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dms_relay.tokens import Kept
    from testbed import Postfix, Relay, Testbed
    from tests.sasl.plugin import Plugin
    from tests.together.watching import ArgumentLists

CLIENT, SECRET = "us", "of-the-Cl1ent"  # tests of other processes have passwords of their own in arguments
FRIEND = "friend@elsewhere.test"
#: As all the services do that take tokens and passwords.
ALL_MECHANISMS = ("XOAUTH2", "OAUTHBEARER", "PLAIN", "LOGIN")
#: Seconds from one message to the next.
PACE = 0.03


class Together:
    """All parts; a context manager, at the end of which nothing runs."""

    def __init__(self, testbed: Testbed, plugin: Plugin, root: Path) -> None:
        """Prepare it."""
        self.testbed, self._plugin, self._root = testbed, plugin, root
        self.servers: dict[str, TokenServer] = {}
        self.relays: dict[str, Relay] = {}
        self.oauth2: dict[str, dict[str, str]] = {}
        self.passwords: dict[str, str] = {}
        """Of relays that take no tokens: what is tried there."""
        self.by_sender: set[str] = set()
        """Relays at which only the sender has a login, and not the relay."""
        self.inputs = Inputs(root / "inputs")
        self.state = root / "keeper" / "state"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it all."""
        self._stack.close()

    def relay(self, name: str, **mode: Any) -> TokenServer:  # noqa: ANN401 -- what Mode takes
        """Start a relay for senders of NAME.test, with an endpoint of its own, and return that."""
        server = self._stack.enter_context(TokenServer(self.testbed.authority))
        server.clients[CLIENT] = OAuth2Client(secret=SECRET)
        self.servers[name] = server
        self.relays[name] = self.testbed.relay(
            name, Mode(tokens=server.accepts, mechanisms=ALL_MECHANISMS, logins={}, **mode)
        )
        self.oauth2[name] = {"token_url": server.token_url, "client_id": CLIENT, "client_secret": SECRET}
        return server

    def secret_file(self, name: str, key: str, content: str) -> Path:
        """Have a key of a relay's `oauth2` name a file, which has this content."""
        path = self._root / f"{name}-{key}"
        path.write_text(f"{content}\n")
        path.chmod(0o600)
        self.oauth2[name][key] = str(path)
        return path

    def start(self, **settings: str) -> None:
        """Start Postfix, write relay.yaml, apply it, and start the keeper."""
        found = {"import_environment": self._plugin.import_environment}
        self.postfix: Postfix = self.testbed.postfix(found | settings)
        self.inputs.settings["DMS_RELAY_STATE_DIR"] = str(self.state)
        self.write()
        self.state.parent.mkdir(exist_ok=True)
        self.said = self.inputs.apply(self.postfix)
        self.keeping = self._stack.enter_context(Keeper(self._root / "keep", self.inputs, self.postfix))
        self.keeping.state = self.state
        self.keeping.start()

    def document(self) -> dict[str, Any]:
        """Return what relay.yaml says."""
        authority = str(self.postfix.layout.authority)
        logins = {name: {"username": f"me@{name}.test", **self._how(name, authority)} for name in self.relays}
        relays: dict[str, dict[str, Any]] = {
            name: {"host": relay.name, "port": relay.port, "tls": {"ca_file": authority}}
            for name, relay in self.relays.items()
        }
        senders: dict[str, Any] = {f"{name}.test": name for name in relays}
        for name, login in logins.items():
            if name in self.by_sender:
                senders[f"anna@{name}.test"] = {"relay": name, "login": login}
            else:
                relays[name]["login"] = login
        return {"version": 1, "relays": relays, "default": next(iter(relays)), "senders": senders}

    def _how(self, name: str, authority: str) -> dict[str, Any]:
        if name in self.passwords:
            return {"password": self.passwords[name]}
        return {"oauth2": {"ca_file": authority, **self.oauth2[name]}}

    def write(self) -> None:
        """Write relay.yaml."""
        self.inputs.write("relay.yaml", yaml.safe_dump(self.document()))

    def kept(self, name: str) -> Kept:
        """Return what the store has of a relay's login."""
        (login,) = (login for login in in_force.load(self.state) if login.relay == name)
        return tokens.load(self.state, login.id)

    def send(self, name: str, number: int | str) -> None:
        """Hand in one message for a relay."""
        self.postfix.send(f"anna@{name}.test", [FRIEND], f"{name}-{number}")

    def send_while(self, is_so: Callable[[], bool], at_least: int = 0) -> int:
        """Hand in mail for all relays, one message after the other, until something is so; return how many."""
        sent, deadline = 0, time.monotonic() + 10 * PATIENCE
        while is_so() or sent < at_least:
            assert time.monotonic() < deadline, self.evidence()
            for name in self.relays:
                self.send(name, sent)
                sent += 1
            time.sleep(PACE)
        return sent

    def arrived(self, sent: int, patience: float = PATIENCE) -> None:
        """Wait for so many messages, and see that each is there once, and nothing bounced."""
        received = self.testbed.ledger.wait_for(sent, patience)
        self.postfix.wait_until_queue_empty()
        ids = [message.message_id for message in received]
        assert len(ids) == len(set(ids)) == sent
        assert "bounced" not in self.postfix.statuses()
        assert all(message.relay == message.message_id.partition("-")[0] for message in received)

    def secrets(self) -> set[str]:
        """Return whatever must not be seen: secrets, access tokens, refresh tokens."""
        found = {SECRET}
        for server in self.servers.values():
            found |= {issued.token for issued in server.issued} | set(server.refresh_tokens)
            found |= {client.secret for client in server.clients.values()}
        return found - {""}

    def has_kept_secrets(self, seen: ArgumentLists) -> None:
        """See that no secret was in a log, an argument list, or a file that others may read."""
        secrets = self.secrets()
        said = [self.said, self.keeping.log(), self.postfix.log(), (self.state / "keeper.json").read_text()]
        assert [secret for secret in secrets if any(secret in text for text in said)] == []
        assert seen.with_any(secrets) == []
        assert readable([self.state, self.postfix.config], secrets) == []

    def evidence(self) -> str:
        """Return what everybody has said."""
        return f"{self.keeping.log()}\n{self.keeping.record()}\n{self.postfix.complaints()[-20:]}"


class Keeper(Keeping):
    """A keeper on the inputs of a running Postfix."""

    def __init__(self, root: Path, inputs: Inputs, postfix: Postfix) -> None:
        """Take both directories."""
        path = f"/usr/sbin:/sbin:{os.environ['PATH']}"
        super().__init__(root, **inputs.settings | {"PATH": path})
        self.sandbox.config_dir, self.sandbox.postfix_dir = inputs.directory, postfix.config

    def kill_all(self) -> None:
        """Kill it, and whatever works for it."""
        assert self.process
        children = self.record().get("children") or {}
        self.process.kill()
        self.process.wait()
        for pid in children.values():
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
