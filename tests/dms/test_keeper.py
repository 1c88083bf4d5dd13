"""The keeper inside docker-mailserver: what the change detector does not see, and both at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.dms.conftest import DEFAULT
from tests.image.engine import wait_for
from tests.image.test_keeper import NUMBER, shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dms.conftest import Boot, Mailserver, Relays

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(2)
MAP = "postfix-relaymap.cf"
#: Edits in the test of both, and seconds between two of them.
EDITS, PAUSE = 8, 0.7


def wait_for_keeper(server: Mailserver, but: str = "") -> str:
    """Wait until a keeper runs that is not the previous one, and has read the inputs; return its process number."""
    server.wait_inside(
        f"""n=$({NUMBER}) && test "$n" != '{but}' && grep -q '"pid": '$n, /var/lib/dms-relay/keeper.json"""
    )
    server.wait_inside("""grep -q '"children": {}' /var/lib/dms-relay/keeper.json""")
    return shell(server, NUMBER)


def settle(server: Mailserver) -> None:
    """Wait until nothing is left to do."""
    wait_for(lambda: "nothing to do" in server.execute("dms-relay", "plan"), "both to be through")


@pytest.mark.long
def test_what_the_change_detector_does_not_see(boot: Boot, relays: Relays, config: Path) -> None:
    """A changed relay.env counts by itself. What was set by hand after the set-up stood until then, also over a kill."""
    (config / "relay.env").write_text("DEFAULT_RELAY_HOST=[relay.test]:587\n")
    server = boot.ready(RELAY_USER="user", RELAY_PASSWORD="secret", RELAY_WATCH_INTERVAL="0.5")
    number = wait_for_keeper(server)
    server.execute("postconf", "-e", "smtp_sasl_security_options=noanonymous,noplaintext")
    shell(server, f"kill -KILL {number}")
    wait_for_keeper(server, number)
    wait_for(lambda: "dms-relay watch ended by itself, with exit code 137" in server.log(), "the line about it")
    assert server.execute("postconf", "-h", "smtp_sasl_security_options") == "noanonymous,noplaintext\n"
    (config / "relay.env").write_text("DEFAULT_RELAY_HOST=[other.test]:587\n")
    wait_for(lambda: server.execute("postconf", "-h", "relayhost") == "[other.test]:587\n", "the change")
    settle(server)
    assert relays.taker(server, "example.test") == "user at other.test"
    code, seconds = server.stop()
    print(f"stop: {seconds:.2f} s")
    assert code == 0


@pytest.mark.long
def test_both_at_once(boot: Boot, relays: Relays, config: Path) -> None:
    """Changes that both see, one after the other and several at once: what is in force at the end is what the files say."""
    server = boot.ready(**DEFAULT)
    wait_for_keeper(server)
    accounts = (config / "postfix-accounts.cf").read_text()
    for number in range(EDITS):
        host = ("relay.test", "other.test")[number % 2]
        server.edit(MAP, f"@example.test [{host}]:587\n")
        server.edit("postfix-sasl-password.cf", f"@example.test user{number}:secret\n")
        accounts += f"user@new{number}.test|{{SHA512-CRYPT}}x\n"
        server.edit("postfix-accounts.cf", accounts)
        time.sleep(PAUSE)
    server.wait_inside(f"grep -q new{EDITS - 1}.test /etc/postfix/vhost")
    settle(server)
    assert relays.taker(server, "example.test") == f"user{EDITS - 1} at other.test"
    assert relays.taker(server, f"new{EDITS - 1}.test") == "user at relay.test"
    said = server.log() + server.detector_log()
    assert [line for line in said.splitlines() if "ERROR" in line or "fatal" in line or "panic" in line] == []


def test_no_keeper(boot: Boot) -> None:
    """With RELAY_WATCH=no there is none, and supervisord leaves it alone."""
    server = boot.ready(RELAY_WATCH="no", **DEFAULT)
    server.wait_inside("supervisorctl status dms-relay | grep -q EXITED")
    assert shell(server, NUMBER) == ""
