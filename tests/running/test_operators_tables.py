"""A login for a nexthop of an operator's own table, of every type, parameter and place: what is said is what is seen."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay.sources
from dms_relay.checks import check
from dms_relay.cli import main
from dms_relay.model import Paths
from testbed import SUBMISSION, Inputs, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.layout import write_old

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed import Postfix, Relay

PATIENCE = 15.0
SENDER, RECIPIENT = "anna@own.test", "bob@blocked.test"
RULE = "login-without-relay"
RECIPIENTS, SENDERS = "transport_maps", "sender_dependent_default_transport_maps"
ROUTES = "sender_dependent_relayhost_maps"
#: Each type with its file: literal keys, patterns, or none.
TEXTS = ("texthash", "hash", "btree", "cdb", "lmdb")
PATTERNS = ("regexp", "pcre")
#: The keys of a table, by parameter; a pattern matches the same and more.
KEYS = {RECIPIENTS: "blocked.test", SENDERS: "@own.test", ROUTES: "@own.test"}


@dataclass
class Scene:
    """A Postfix with a relay of the inputs, and one that only the operator names."""

    testbed: Testbed
    postfix: Postfix
    mapped: Relay
    blocked: Relay
    base: dict[str, str]
    types: frozenset[str]

    def begin(self, inputs: Inputs, more: str = "", rewrite: str = "", own: str = "") -> None:
        """Have a machine with these lines in main.cf, in its ``rewrite`` service, and in the operator's postfix-main.cf."""
        for name in ("relayhost_map", "sasl_passwd", "dms-relay.state.json"):
            (self.postfix.config / name).unlink(missing_ok=True)
        master = self.base["master.cf"].replace("trivial-rewrite\n", f"trivial-rewrite\n{rewrite}")
        write_old(self.postfix.config / "master.cf", master)
        write_old(self.postfix.config / "main.cf", f"{self.base['main.cf']}{more}")
        inputs.write(RELAYMAP, f"@one.test {self.mapped.nexthop}\n")
        inputs.write(LOGINS, f"{self.blocked.nexthop} me:pw\n")
        inputs.write("postfix-main.cf", own or None)
        self.testbed.ledger.clear()

    def table(self, kind: str, key: str, value: str) -> str:
        """Make a table of a type, with one entry; return its name."""
        kind, proxy = kind.removeprefix("proxy:"), "proxy:" * kind.startswith("proxy:")
        if kind == "inline":
            return f"{proxy}inline:{{ {{{key} = {value}}} }}"
        if kind == "static":
            return f"{proxy}static:{{{value}}}"
        path = self.postfix.config / f"own.{kind}"
        pattern = key.replace(".", "\\.")
        key = f"/{pattern}$/" if kind in PATTERNS else key
        write_old(path, f"# Ours.\n{key} {value}\n")
        if kind not in {"texthash", *PATTERNS}:
            self.postfix.command("postmap", f"{kind}:{path}")
        return f"{proxy}{kind}:{path}"


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Yield one Postfix for all cases."""
    with Testbed() as testbed:
        mapped, blocked = testbed.relay("mapped", SUBMISSION), testbed.relay("blocked", SUBMISSION)
        postfix = testbed.postfix()
        base = {name: (postfix.config / name).read_text() for name in ("main.cf", "master.cf")}
        types = frozenset(postfix.command("postconf", "-m").stdout.split())
        yield Scene(testbed, postfix, mapped, blocked, base, types)


def findings(inputs: Inputs, postfix: Postfix) -> list[dict[str, str]]:
    """Return what ``check`` finds."""
    said: dict[str, list[dict[str, str]]] = json.loads(inputs.run(postfix, "check", "--json").stdout)
    return said["findings"]


def found(inputs: Inputs, postfix: Postfix) -> list[str]:
    """Return what is said of the login."""
    return [one["text"] for one in findings(inputs, postfix) if one["id"] == RULE]


def arrival(scene: Scene, inputs: Inputs) -> tuple[str, str | None]:
    """Return the relay and the user name that ``explain`` says, once both are seen at the relay."""
    said = inputs.run(scene.postfix, "explain", "--json", SENDER, RECIPIENT)
    way = json.loads(said.stdout)["now"]
    assert way["failure"] is None
    scene.postfix.renew()
    scene.postfix.send(SENDER, [RECIPIENT], "1")
    (received,) = scene.testbed.ledger.wait_for(1, PATIENCE)
    scene.postfix.wait_until_queue_empty(PATIENCE)
    (hop,) = way["hops"]
    explained = {relay.nexthop: relay.name for relay in scene.testbed.relays.values()}[hop["nexthop"]]
    assert (explained, hop["login"] and hop["login"]["username"]) == (received.relay, received.user)
    return received.relay, received.user


@pytest.mark.one_in(4)
@pytest.mark.parametrize("place", ["main.cf", "master.cf"])
@pytest.mark.parametrize("parameter", [RECIPIENTS, SENDERS])
@pytest.mark.parametrize("kind", ["inline", "static", *TEXTS, *PATTERNS, "proxy:texthash", "proxy:regexp", "proxy:cdb"])
def test_login_of_a_table(scene: Scene, tmp_path: Path, kind: str, parameter: str, place: str) -> None:
    """A key that is a nexthop of the table is in use; without that entry, it is not."""
    if kind.removeprefix("proxy:") not in scene.types:
        pytest.skip(f"this Postfix has no {kind}")
    inputs = Inputs(tmp_path / "config")
    for nexthop, is_used in ((scene.mapped.nexthop, False), (scene.blocked.nexthop, True)):
        table = scene.table(kind, KEYS[parameter], f"relay:{nexthop}")
        proxy = f"proxy_read_maps = {table}\n"
        here = {
            "main.cf": (f"{parameter} = {table}\n{proxy}", ""),
            "master.cf": (proxy, f"  -o {{ {parameter} = {table} }}\n"),
        }
        scene.begin(inputs, *here[place])
        scene.postfix.renew()
        said = inputs.run(scene.postfix, "apply").stderr
        assert bool(found(inputs, scene.postfix)) != is_used
        assert "is not used" not in said
    assert arrival(scene, inputs) == ("blocked", "me")


def test_proxied_table_without_postfix(testbed: Testbed, tmp_path: Path) -> None:
    """Where Postfix does not run, nobody waits for its proxymap(8): the table itself is asked."""
    relay = testbed.relay("relay", SUBMISSION)
    postfix = testbed.postfix(start=False)
    path = postfix.config / "own"
    write_old(path, f"blocked.test relay:{relay.nexthop}\n")
    text = (postfix.config / "main.cf").read_text()
    write_old(postfix.config / "main.cf", f"{text}transport_maps = proxy:texthash:{path}\n")
    said = Inputs(tmp_path / "config").run(postfix, "explain", "--json", SENDER, RECIPIENT)
    assert json.loads(said.stdout)["now"]["nexthop"] == relay.nexthop


@pytest.mark.parametrize("kind", ["proxy:regexp", *PATTERNS])
@pytest.mark.parametrize(
    ("parameter", "pattern"), [(RECIPIENTS, "/./"), (RECIPIENTS, "/@/"), (SENDERS, "/@one\\.test$/")]
)
def test_patterns_for_all(scene: Scene, tmp_path: Path, kind: str, parameter: str, pattern: str) -> None:
    """Patterns that take mail away from a relay are found; the remedy has the mail arrive there."""
    if kind.removeprefix("proxy:") not in scene.types:
        pytest.skip(f"this Postfix has no {kind}")
    inputs, path = Inputs(tmp_path / "config"), scene.postfix.config / "own.patterns"
    scene.begin(inputs, f"{parameter} = {kind}:{path}\n")
    inputs.write(LOGINS, f"{scene.mapped.nexthop} me:pw\n{scene.blocked.nexthop} me:pw\n")
    for text, names in ((f"{pattern} relay:{scene.blocked.nexthop}\n", "blocked"), ("/^x$/ relay:\n", "mapped")):
        write_old(path, text)
        inputs.apply(scene.postfix)
        scene.postfix.renew()
        said = {one["id"] for one in findings(inputs, scene.postfix)}
        assert ("routes-not-used" in said) == (names == "blocked")
        scene.testbed.ledger.clear()
        scene.postfix.send("u@one.test", [RECIPIENT], "1")
        (received,) = scene.testbed.ledger.wait_for(1, PATIENCE)
        scene.postfix.wait_until_queue_empty(PATIENCE)
        assert (received.relay, received.user) == (names, "me")


@pytest.mark.parametrize("name", ["sender_dependent_relayhost_maps", "relayhost"])
def test_service_without_our_routes(scene: Scene, tmp_path: Path, name: str) -> None:
    """What the service of trivial-rewrite(8) overrides has no effect, which is said; as the remedy has it, mail arrives."""
    inputs = Inputs(tmp_path / "config")
    scene.begin(inputs, rewrite=f"  -o {name}=\n")
    inputs.write(LOGINS, f"{scene.mapped.nexthop} me:pw\n")
    if name == "relayhost":
        inputs.write(RELAYMAP, None)
        inputs.settings = {"DEFAULT_RELAY_HOST": scene.mapped.nexthop}
    inputs.apply(scene.postfix)
    (one,) = (f for f in findings(inputs, scene.postfix) if f["id"] == "routes-not-used")
    assert one["remedy"] == f"remove {name} from that service (rewrite unix) in master.cf; then run postfix reload"
    way = json.loads(inputs.run(scene.postfix, "explain", "--json", "u@one.test", RECIPIENT).stdout)["now"]
    assert way["nexthop"] == "blocked.test"
    write_old(scene.postfix.config / "master.cf", scene.base["master.cf"])
    scene.postfix.renew()
    assert "routes-not-used" not in {f["id"] for f in findings(inputs, scene.postfix)}
    scene.postfix.send("u@one.test", [RECIPIENT], "1")
    (received,) = scene.testbed.ledger.wait_for(1, PATIENCE)
    assert (received.relay, received.user) == ("mapped", "me")


def test_own_routes_by_sender(scene: Scene, tmp_path: Path) -> None:
    """A nexthop of the operator's ``sender_dependent_relayhost_maps`` is in use, also before ``apply``."""
    inputs = Inputs(tmp_path / "config")
    table = scene.table("texthash", KEYS[ROUTES], scene.blocked.nexthop)
    scene.begin(inputs, own=f"{ROUTES} = {table}\n")
    assert found(inputs, scene.postfix) == []
    assert "is not used" not in inputs.run(scene.postfix, "apply").stderr
    assert found(inputs, scene.postfix) == []
    assert arrival(scene, inputs) == ("blocked", "me")


@pytest.mark.parametrize("parameter", [RECIPIENTS, SENDERS])
def test_own_transports_before_apply(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], parameter: str
) -> None:
    """Where postfix-main.cf is ours to apply, what it is about to set counts already, in ``check`` and in ``apply``."""
    monkeypatch.setattr(dms_relay.sources, "USER_FILES_HOOK", Path(sys.executable))
    inputs = Inputs(tmp_path / "config")
    table = scene.table("texthash", KEYS[parameter], f"relay:{scene.blocked.nexthop}")
    scene.begin(inputs, own=f"{parameter} = {table}\n")
    assert RULE not in {one.rule for one in check(Paths(inputs.directory, scene.postfix.config), {}).findings}
    directories = ["--config-dir", str(inputs.directory), "--postfix-dir", str(scene.postfix.config)]
    assert main([*directories, "apply"], {}) == 0
    assert "is not used" not in capfd.readouterr().err
    assert arrival(scene, inputs) == ("blocked", "me")


def test_unknown_is_said(scene: Scene, tmp_path: Path) -> None:
    """Of a pattern whose value is made of what it matched, it is said that this is not known; the login is used."""
    inputs, path = Inputs(tmp_path / "config"), scene.postfix.config / "own.patterns"
    write_old(path, f"/^(bob)@blocked\\.test$/ relay:{scene.blocked.nexthop}\n/^(.*)@x\\.test$/ relay:[$1]\n")
    scene.begin(inputs, f"{RECIPIENTS} = regexp:{path}\n")
    scene.postfix.renew()
    (said,) = found(inputs, scene.postfix)
    assert said.endswith(f"{RECIPIENTS} = regexp:{path} cannot be read here")
    inputs.apply(scene.postfix)
    assert arrival(scene, inputs) == ("blocked", "me")
