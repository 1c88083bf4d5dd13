"""What goes wrong between the parts: mail waits at worst, it never bounces, and it goes when the trouble is over."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from testbed.token_http import Fault
from testbed.token_rules import Refusal
from tests.support.amounts import amount
from tests.together.scene import FRIEND
from tests.watch.keeping import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.token_server import TokenServer
    from tests.together.scene import Together

#: Each takes seconds of both processors.
pytestmark = pytest.mark.one_in(2)
#: How a relay refuses a token.
STYLES = {"google": "334", "microsoft": "535"}
#: For each relay: so many that Postfix takes it for dead after the first of them.
MESSAGES = 8
#: As Postfix has them by default: what was deferred waits for minutes, unless somebody has it tried again.
PATIENT = {"queue_run_delay": "300s", "minimal_backoff_time": "300s"}


def down(server: TokenServer) -> None:
    """Have nobody listen."""
    server.stop()


def silent(server: TokenServer) -> None:
    """Take the request, and say nothing."""
    server.fault = Fault.SILENT


def error(server: TokenServer) -> None:
    """Answer 500."""
    server.fault = Fault.ERROR


def busy(server: TokenServer) -> None:
    """Answer 429."""
    server.fault = Fault.TOO_MANY


def page(server: TokenServer) -> None:
    """Show the login page of a hotel."""
    server.fault = Fault.LOGIN_PAGE


def cut(server: TokenServer) -> None:
    """End the connection in the middle of the answer."""
    server.fault = Fault.CUT


def refused(server: TokenServer) -> None:
    """Refuse, so that only a person can act."""
    server.refusal = Refusal("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.")


TROUBLES = {one.__name__: one for one in (down, silent, error, busy, page, cut, refused)}
#: After which the keeper asks again by itself, and seconds until it does so: pauses of 15, 30 and 60 s, on a slow machine.
PAUSE = 60.0
SHORT = frozenset(TROUBLES) - {"refused"}


def heal(server: TokenServer) -> None:
    """Have all well again."""
    server.stop()
    server.fault, server.refusal = Fault.NONE, None
    server.start()


def statuses(together: Together, name: str) -> set[str]:
    """Return how the deliveries to one relay have ended."""
    found = {line for line in together.postfix.log().splitlines() if f"relay={name}[" in line and "status=" in line}
    return {line.partition(" status=")[2].split(" ", 1)[0] for line in found}


def renew(together: Together, *names: str) -> None:
    """Renew as the remedy says."""
    done = together.inputs.run(together.postfix, "renew", *names)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.soak
def test_endpoint_and_relay_in_trouble(together: Together) -> None:
    """Whatever an endpoint does, or a relay that has revoked a token: other mail goes, this mail waits, then it goes too.

    In a soak the keeper heals what it can by itself; else the command does that the remedy names. A token that is revoked
    is always its own affair: it is renewed at once, long before its end, and only once.
    """
    servers = {
        name: together.relay(name, token_refusal=STYLES.get(name, "334")) for name in ("well", *TROUBLES, *STYLES)
    }
    for name, trouble in TROUBLES.items():
        trouble(servers[name])
    together.start(**PATIENT)
    wait_until(lambda: together.keeping.record().get("queue", {}).get("at"), "a first look at the queue")
    for name in STYLES:
        servers[name].revoke_all()
    for name in servers:
        together.postfix.send(f"anna@{name}.test", [FRIEND], name, MESSAGES)
    together.relays["well"].wait_for(MESSAGES)
    wait_until(lambda: all("deferred" in statuses(together, name) for name in {*TROUBLES, *STYLES}), "mail waits")
    wait_until(lambda: together.keeping.health()[0] == "wrong", "red health")
    assert all(any(f"relay {name}," in line for line in together.keeping.health()) for name in TROUBLES)
    assert all(not together.relays[name].attempts for name in TROUBLES)
    for name in TROUBLES:
        heal(servers[name])
    by_itself = SHORT if amount(0, 1) else set()
    renew(together, *sorted(set(TROUBLES) - by_itself))
    together.arrived(MESSAGES * len(servers), PAUSE + PATIENCE if by_itself else PATIENCE)
    assert all(len(servers[name].issued) == 2 for name in STYLES)
    assert statuses(together, "well") == {"sent"}
    assert together.keeping.log().count("the relay refuses the token, so it is renewed") == len(STYLES)
    wait_until(lambda: together.keeping.health() == ["ok"], "green health")


def fill(path: Path) -> None:
    """Write until there is no space."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@contextmanager
def small_disk(together: Together) -> Iterator[None]:
    """Have a small disk of its own for the state directory."""
    state = together.state
    state.mkdir(parents=True)
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", state], check=True)
    except subprocess.CalledProcessError:
        pytest.skip("this place has no mount(8)")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", state], check=True)


@pytest.mark.long
@pytest.mark.parametrize("grant", ["client", "refresh"])
def test_full_disk(together: Together, grant: str) -> None:
    """A full disk in the state directory: mail goes to the token's end, then waits; no refresh token is lost; it heals."""
    server = together.relay("relay")
    server.lifetime, server.rotates = 6, True
    if grant == "refresh":
        together.secret_file("relay", "refresh_token_file", server.new_refresh_token("us", "me@relay.test"))
    with small_disk(together):
        together.start(**PATIENT)
        together.send("relay", 0)
        together.testbed.ledger.wait_for(1)
        filler = together.state / "filler"
        fill(filler)
        server.revoke_all()
        together.send("relay", 1)
        wait_until(lambda: "deferred" in together.postfix.statuses(), "mail waits")
        wait_until(lambda: "No space left" in together.keeping.log(), "the reason is in the log")
        filler.unlink()
        together.arrived(2)
        wait_until(lambda: together.keeping.health() == ["ok"], "green health")
        together.keeping.__exit__()


@pytest.mark.long
def test_whose_token_is_refused(together: Together) -> None:
    """A relay that refuses a password is no reason to renew a token of another one; one that only a sender has is known."""
    server, own = together.relay("token"), together.relay("own")
    together.relay("word")
    together.passwords["word"] = "wr0ng"
    together.by_sender.add("own")
    together.start(**PATIENT)
    wait_until(lambda: together.keeping.record().get("queue", {}).get("at"), "a first look at the queue")
    own.revoke_all()
    for name in ("word", "own"):
        together.send(name, 0)
    wait_until(lambda: "sent" in statuses(together, "own"), "the sender's token is renewed, and its mail goes")
    assert statuses(together, "word") == {"deferred"}
    assert len(own.issued) == 2
    assert len(server.issued) == 1
    assert together.keeping.log().count("refuses the token") == 1
