"""Each example of docs/relay-yaml.md, and examples/relay.yaml, tried: on a real Postfix, with relays of the names it has.

Each example is used as it is, except for what no testbed can have: the authority that signs the certificates is added where
one is asked, passwords lie in files of the test, and a fingerprint is that of the relay that is there.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from testbed import PATIENCE, Auth, Inputs, Mode, Postfix, Testbed, Tls
from tests.running.needs import require_postfix

ROOT = Path(__file__).parents[2]
WORLD = "somewhere.example"
STRANGER = "anybody@stranger.example"
"""A sender that no example names."""
SERVICES = {
    "Amazon SES": "email-smtp.us-west-2.amazonaws.com",
    "Mailgun": "smtp.mailgun.org",
    "Mailjet": "in-v3.mailjet.com",
    "SendGrid": "smtp.sendgrid.net",
    "Postmark": "smtp.postmarkapp.com",
    "Brevo": "smtp-relay.brevo.com",
    "Microsoft 365": "smtp.office365.com",
    "Gmail": "smtp.gmail.com",
    "Fastmail": "smtp.fastmail.com",
    "A peer in a VPN, without a login": "mail.vpn.example",
}
"""The services that are documented, and the host of each."""
_FENCED = re.compile(r"^```yaml\n(version: 1\n.*?)^```$", re.MULTILINE | re.DOTALL)

Document = dict[str, Any]
"""A relay.yaml."""


def documented() -> dict[str, Document]:
    """Return the example below each heading of docs/relay-yaml.md."""
    _, _, text = (ROOT / "docs" / "relay-yaml.md").read_text("utf-8").partition("\n## Services\n")
    sections = (section.partition("\n") for section in text.split("\n### ")[1:])
    return {name: yaml.safe_load(block) for name, _, rest in sections for block in _FENCED.findall(rest)}


def takes_a_password(document: Document) -> bool:
    """Return False for an example with OAuth2: its page is followed with a token endpoint (tests/together/test_pages.py)."""
    return "'oauth2'" not in str(document)


EXAMPLES = {
    **{name: document for name, document in documented().items() if takes_a_password(document)},
    "examples/relay.yaml": yaml.safe_load((ROOT / "examples" / "relay.yaml").read_text("utf-8")),
}


class Host(NamedTuple):
    """A host of a relay, and what it offers and demands."""

    name: str
    port: int
    mode: Mode


def hosts_of(relay: Mapping[str, Any]) -> list[Host]:
    """Return the hosts of a relay as it stands in relay.yaml, by the rules of docs/relay-yaml.md."""
    port = relay.get("port", 25 if relay.get("mx") else 587)
    pairs = (str(text).partition(":") for text in relay.get("hosts", [relay.get("host")]))
    return [Host(name, int(own or port), mode_of(relay, int(own or port))) for name, _, own in pairs]


def mode_of(relay: Mapping[str, Any], port: int) -> Mode:
    """Return a server without TLS where the relay takes that, else one that demands it; with a login where there is one."""
    is_plain = relay.get("tls", {}).get("level") in {"may", "none"}
    encrypted = Tls.IMPLICIT if port == 465 else Tls.DEMANDED
    return Mode(Tls.NONE if is_plain else encrypted, Auth.DEMANDED if "login" in relay else Auth.NONE)


def all_hosts() -> dict[str, Host]:
    """Return the hosts of all examples; no two of them have one name."""
    hosts = [host for example in EXAMPLES.values() for relay in example["relays"].values() for host in hosts_of(relay)]
    assert len({host.name for host in hosts}) == len(hosts)
    return {host.name: host for host in hosts}


@dataclass(frozen=True)
class Scene:
    """One Postfix, a relay for each host that an example names, and the rest of the world."""

    testbed: Testbed
    postfix: Postfix
    inputs: Inputs


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Yield a scene; all examples are applied to it, one after the other."""
    require_postfix()
    with Testbed() as testbed:
        for host in all_hosts().values():
            testbed.relay(host.name, host.mode, host.port)
        testbed.world(WORLD, Mode(Tls.NONE, Auth.OFFERED))
        yield Scene(testbed, testbed.postfix(), Inputs(tmp_path_factory.mktemp("config")))


class Trial:
    """One example, made ready for the testbed."""

    def __init__(self, scene: Scene, document: Document) -> None:
        """Take an example as it is written."""
        self.scene = scene
        self.document = deepcopy(document)
        self.passwords: dict[str, str] = {}

    def ready(self) -> Document:
        """Return the example with what the testbed has in place of what only the services have."""
        for relay in self.document["relays"].values():
            self._trust(relay)
            self._place(relay)
            self._hide(relay)
        for sender in self.document.get("senders", {}).values():
            if isinstance(sender, dict):
                self._hide(sender)
        return self.document

    def _trust(self, relay: dict[str, Any]) -> None:
        tls = relay.setdefault("tls", {})
        tls["ca_file"] = str(self.scene.postfix.layout.authority)
        if "fingerprints" in tls:
            tls["fingerprints"] = [self.scene.testbed.relays[relay["host"]].fingerprint]

    def _place(self, relay: dict[str, Any]) -> None:
        """Put the testbed's address in the place of one that only a VPN has."""
        if relay.get("host", "").replace(".", "").isdigit():
            relay["host"] = self.scene.testbed.relays[relay["host"]].host

    def _hide(self, owner: dict[str, Any]) -> None:
        """Put the password of a login into a file, or where else the example has it."""
        if not (login := owner.get("login")):
            return
        password = self.passwords[login["username"]] = f"password of {login['username']}"
        if "password_file" in login:
            path = self.scene.inputs.directory / Path(login["password_file"]).name
            path.write_text(f"{password}\n")
            login["password_file"] = str(path)
        elif "password_env" in login:
            self.scene.inputs.settings[login["password_env"]] = password
        else:
            login["password"] = password

    def arrival(self, route: Any) -> tuple[str, str | None, str | None, bool]:  # noqa: ANN401 -- whatever stands there
        """Return where mail of a route must arrive, with which user name and password, and whether over TLS."""
        name = route["relay"] if isinstance(route, dict) else route
        if name == "direct":
            return WORLD, None, None, False
        relay = self.document["relays"][name]
        host = hosts_of(relay)[0].name
        server = next(server for server in self.scene.testbed.relays.values() if host in {server.name, server.host})
        login = (route if isinstance(route, dict) else relay).get("login", relay.get("login"))
        user = login["username"] if login else None
        return server.name, user, self.passwords[user] if user else None, server.mode.tls is not Tls.NONE

    def expected(self) -> dict[tuple[str, str], Any]:
        """Give, for a message of each sender and to each recipient that the example names, where it must arrive."""
        senders = {STRANGER: self.document["default"], **self.document.get("senders", {})}
        recipients = self.document.get("recipients", {})
        return {
            **{(_address(key), f"friend@{WORLD}"): self.arrival(route) for key, route in senders.items()},
            **{(STRANGER, _address(key)): self.arrival(route) for key, route in recipients.items()},
        }


def _address(key: str) -> str:
    """Return an address that a key is for."""
    return key if key == "<>" or "@" in key else f"somebody@{'deep' if key.startswith('.') else ''}{key}"


def test_every_service_is_there() -> None:
    """Each well-known service has an example, with its host."""
    found = {name: relay["host"] for name, document in documented().items() for relay in document["relays"].values()}
    assert found == SERVICES


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, scene: Scene) -> None:
    """Mail of each sender, and to each recipient, that the example names arrives at the relay, with that login, over TLS."""
    trial = Trial(scene, EXAMPLES[name])
    scene.inputs.write("relay.yaml", yaml.safe_dump(trial.ready()))
    scene.inputs.apply(scene.postfix)
    expected = trial.expected()
    scene.testbed.ledger.clear()
    for number, (sender, recipient) in enumerate(expected):
        scene.postfix.send(sender, [recipient], str(number))
    received = scene.testbed.ledger.wait_for(len(expected), PATIENCE)
    scene.postfix.wait_until_queue_empty()
    found = {
        int(r.message_id): (r.relay, r.user, r.login.password if r.login else None, r.tls is not None) for r in received
    }
    assert {pair: found[number] for number, pair in enumerate(expected)} == expected
    offered = {(attempt.relay, attempt.login.user) for attempt in scene.testbed.ledger.attempts()}
    assert offered == {(relay, user) for relay, user, _, _ in expected.values() if user}
    assert len(received) == len(expected)
