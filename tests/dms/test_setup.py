"""``setup relay`` inside docker-mailserver: each command, with its effect on mail, and what is left of the original."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from tests.dms.conftest import CONFIG_DIR, DEFAULT, Boot, new_config
from tests.image.conftest import Starter
from tests.image.engine import EngineError, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dms.conftest import Mailserver, Relays
    from tests.image.engine import Engine

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(2)
SETUP = "/usr/local/bin/setup"


@pytest.fixture(scope="module")
def server(engine: Engine, image: str, network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailserver]:
    """Start a mail server with a default relay, for all tests; each leaves its files as it found them."""
    starter = Starter(engine, image, network)
    yield Boot(starter, new_config(tmp_path_factory.mktemp("setup"))).ready(**DEFAULT)
    starter.clean_up()


@pytest.mark.long
def test_commands_count_at_once(server: Mailserver, relays: Relays) -> None:
    """Each command that changes a route or a login counts for the next message."""

    def setup(*words: str, feed: str = "") -> None:
        server.execute("setup", "relay", *words, feed=feed)

    def taker() -> str:
        return relays.taker(server, "example.test")

    assert taker() == "user at relay.test"
    setup("add-auth", "example.test", "mine", "--password-stdin", feed="s3cr et\\n\n")
    assert taker() == "mine at relay.test"
    setup("add-domain", "example.test", "other.test", "587")
    assert taker() == "mine at other.test"
    setup("remove-auth", "example.test")
    setup("add-auth", "[other.test]:587", "theirs", "--password-stdin", feed="other\n")
    assert taker() == "theirs at other.test"
    setup("remove-domain", "example.test")
    assert taker() == "user at relay.test"
    setup("remove-auth", "[other.test]:587")


def test_an_excluded_domain_goes_past_the_relay(server: Mailserver, relays: Relays) -> None:
    """exclude-domain takes a domain's mail off RELAY_HOST, and remove-domain gives it back."""
    lookup = ("postmap", "-q", "@example.test", "texthash:/etc/postfix/relayhost_map")
    assert server.execute(*lookup) == "[relay.test]:587\n"
    server.execute("setup", "relay", "exclude-domain", "example.test")
    with pytest.raises(EngineError, match="exit code 1"):
        server.execute(*lookup)
    sender = send(server, "example.test")
    server.wait_for_log(f"from=<{sender}>", "Name service error for name=elsewhere.test")
    server.execute("setup", "relay", "remove-domain", "example.test")
    assert relays.taker(server, "example.test") == "user at relay.test"
    assert relays.relay.received(sender) == []


def test_list(server: Mailserver) -> None:
    """List shows senders with relays and logins, and no password."""
    server.execute("setup", "relay", "add-domain", "example.test", "other.test", "587")
    said = server.execute("setup", "relay", "list")
    server.execute("setup", "relay", "remove-domain", "example.test")
    assert "[other.test]:587" in said
    assert DEFAULT["RELAY_PASSWORD"] not in said


@pytest.mark.usefixtures("relays")
def test_what_is_asked_when_mail_does_not_go(server: Mailserver) -> None:
    """Check finds nothing that counts, explain shows the way that mail takes here, and test logs in at the relay."""
    assert "error" not in server.execute("setup", "relay", "check")
    said = server.execute("setup", "relay", "explain", "someone@example.test", "someone@elsewhere.test")
    assert "goes by smtp to [relay.test]:587\n" in said
    assert "login  user, by nexthop [relay.test]:587" in said
    assert "  ok  " in server.execute("setup", "relay", "test", "[relay.test]:587")


def test_help(server: Mailserver) -> None:
    """Help names the commands, under the words that were typed."""
    assert server.execute("setup", "relay", "help").startswith("usage: setup relay ")
    assert "usage: setup relay add-domain " in server.execute("setup", "relay", "help", "add-domain")


def test_a_refusal_looks_like_docker_mailservers(server: Mailserver) -> None:
    """An error of a command is one of docker-mailserver's log lines, and the exit code is ours."""
    with pytest.raises(EngineError, match=r"exit code 2\n\S+ \S+ ERROR dms-relay: ") as refused:
        server.execute("setup", "relay", "add-domain", "example.test", "relay.test", "70000")
    assert "70000" in str(refused.value)


@pytest.mark.parametrize("words", [("nonsense",), (), ("complete", "domains")])
def test_other_words_are_refused_as_before(server: Mailserver, words: tuple[str, ...]) -> None:
    """What is no command of ours is docker-mailserver's to refuse, with its text and exit code 2."""
    with pytest.raises(EngineError, match=r"exit code 2\nThe command 'relay.*' is invalid\."):
        server.execute("setup", "relay", *words)


def test_one_line_is_new_in_setup(engine: Engine, base: str, image: str) -> None:
    """Of docker-mailserver's setup nothing is changed but one arm, which stands before the default arm of relay."""
    before, after = (engine.call("run", "--rm", which, "cat", SETUP).splitlines() for which in (base, image))
    changes = [line for line in difflib.ndiff(before, after) if not line.startswith("  ")]
    [arm] = changes
    assert arm.startswith("+         ( apply | ")
    assert arm.endswith(' ) shift ; setup-relay "${@}" ;;')
    assert after[after.index(arm[2:]) + 1] == '        ( *              ) _invalid_command "${@}" ;;'


def test_modes(server: Mailserver) -> None:
    """What was replaced or added belongs to root and is executable; setup keeps its mode."""
    names = ("setup", "setup-relay", "addrelayhost", "addsaslpassword", "excluderelaydomain", "helpers/relay.sh")
    said = server.execute("stat", "-c", "%a %U", *(f"/usr/local/bin/{name}" for name in names))
    assert said == "755 root\n" * len(names)


def test_other_commands_of_setup_work(server: Mailserver) -> None:
    """The rest of setup does what it did, relay.sh sourced by it or not."""
    assert server.execute("setup", "email", "list") == "no accounts\n"
    assert server.execute("setup", "debug", "login", "echo in") == "in\n"


def test_a_container_for_one_command(engine: Engine, image: str, tmp_path: Path) -> None:
    """`run --rm IMAGE setup relay …` edits the file, and does not say that its Postfix, which is gone, had the change."""
    config = new_config(tmp_path)
    words = ("setup", "relay", "add-domain", "example.test", "other.test", "587")
    said = engine.call("run", "--rm", f"--volume={config}:{CONFIG_DIR}", "--env=RELAY_HOST=relay.test", image, *words)
    assert "not applied: this container ends with this command" in said
    assert "applied: " not in said.replace("not applied: ", "")
    assert (config / "postfix-relaymap.cf").read_text() == "@example.test  [other.test]:587\n"
