"""What is said of ports and TLS names no port that has just failed, and what can be written where the relay is.

Each remedy is followed to the letter: then the relay accepts the login, and mail arrives.
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dms_relay.model import RELAY_YAML, Origin
from dms_relay.relay_test.demand import Demand
from dms_relay.relay_test.diagnosis import diagnose
from dms_relay.relay_test.outcome import Detail, Failure, Observations, Result, StepError
from dms_relay.relay_test.targets import Target
from testbed import SMTPS, SUBMISSION, Inputs, Testbed
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from pathlib import Path

    from testbed import Mode

PASSWORD = "s3cret-P4ss"
PORTS = (25, 465, 587, 2465, 2525, 8025)
KINDS = (
    *(Failure.REFUSED, Failure.TIMED_OUT, Failure.BLOCKED, Failure.NOT_SMTP, Failure.NO_TLS, Failure.NO_AUTH),
    *(Failure.IMPLICIT_TLS, Failure.STARTTLS, Failure.CERTIFICATE),
)
PLACES = {"maps": Origin("env DEFAULT_RELAY_HOST"), "env": Origin("env RELAY_HOST"), "file": Origin(RELAY_YAML, 3, 5)}


def remedy(kind: Failure, port: int, place: str, *, implicit: bool = False, detail: Detail = Detail.NONE) -> str:
    """Return what is said of a failure at a port."""
    demand = Demand("encrypt", implicit=implicit)
    target = Target("r", f"[r.test]:{port}", demand, by_maps=place == "maps", origins=(PLACES[place],))
    found = diagnose(Result(target, Observations(), 0.0, StepError(kind, "what", detail=detail)))
    assert found is not None
    return found.remedy


@pytest.mark.parametrize(("kind", "port", "place"), list(product(KINDS, PORTS, PLACES)))
@pytest.mark.parametrize("implicit", [False, True])
def test_no_remedy_names_the_port_that_failed(kind: Failure, port: int, place: str, *, implicit: bool) -> None:
    """Nor does one offer implicit TLS with maps, or a key of relay.yaml where there is no such file, as if that could be."""
    said = remedy(kind, port, place, implicit=implicit)
    words = said.replace(f"with which port {port} works", "").replace(",", " ").replace(";", " ").split()
    assert str(port) not in words
    if place == "maps":
        assert "465 with implicit TLS" not in said
    if place != "file" and "tls: {" in said:
        assert "relay.yaml" in said


@pytest.mark.parametrize(
    ("kind", "port", "place", "implicit", "said"),
    [
        (Failure.REFUSED, 465, "maps", False, "usually 587"),
        (Failure.REFUSED, 465, "file", True, "usually 587"),
        (Failure.REFUSED, 587, "file", False, "usually 465 with implicit TLS"),
        (Failure.REFUSED, 587, "maps", False, "usually 465 with RELAY_ROUTING=transports"),
        (Failure.REFUSED, 465, "maps", True, "usually 587 without smtp_tls_wrappermode in main.cf"),
        (Failure.REFUSED, 25, "env", False, "usually 587, or 465 with implicit TLS"),
        (Failure.BLOCKED, 2525, "maps", False, "587, or 465 with RELAY_ROUTING=transports; or have"),
        (Failure.BLOCKED, 465, "env", True, "offers it: 587 or 2525; or have"),
        (Failure.IMPLICIT_TLS, 2465, "maps", False, "set RELAY_ROUTING=transports, with which port 2465 works; or"),
        (
            Failure.IMPLICIT_TLS,
            587,
            "file",
            False,
            "write tls: {mode: implicit} (with level encrypt or a stronger one)",
        ),
        (Failure.STARTTLS, 465, "file", True, "write tls: {mode: starttls}; or use port 587"),
        (Failure.STARTTLS, 465, "maps", True, "remove smtp_tls_wrappermode from main.cf"),
        (Failure.STARTTLS, 8025, "maps", True, "remove smtp_tls_wrappermode from main.cf; or use port 465"),
    ],
)
def test_what_is_said(kind: Failure, port: int, place: str, said: str, *, implicit: bool) -> None:
    """The port, the way of routing and the place decide."""
    assert said in remedy(kind, port, place, implicit=implicit)


class Try(NamedTuple):
    """What listens, at which port, what is written first, what is said, and what it says to write."""

    mode: Mode
    port: int
    before: dict[str, str]
    said: str
    after: dict[str, str]
    other_port: int = 0


MAPS, ENV = {"RELAY_ROUTING": "maps"}, {"RELAY_ROUTING": "transports"}
TRIES = {
    "465 with maps": Try(SMTPS, 465, MAPS, "set RELAY_ROUTING=transports, with which port 465 works", ENV),
    "8465 with maps": Try(SMTPS, 8465, MAPS, "write the relay in relay.yaml, with tls: {mode: implicit}", {}),
    "8465 with transports": Try(SMTPS, 8465, ENV, "write the relay in relay.yaml, with tls: {mode: implicit}", {}),
    "STARTTLS at 465": Try(SUBMISSION, 465, ENV, "write the relay in relay.yaml, with tls: {mode: starttls}", {}),
    "refused at 465 with maps": Try(SUBMISSION, 0, MAPS | {"at": "465"}, "usually 587", MAPS, 587),
    "refused at 587 with maps": Try(
        SMTPS, 0, MAPS | {"at": "587"}, "usually 465 with RELAY_ROUTING=transports", ENV, 465
    ),
    "refused at 587": Try(SMTPS, 0, ENV | {"at": "587"}, "usually 465 with implicit TLS", ENV, 465),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", TRIES)
def test_remedy_is_followed(tmp_path: Path, name: str) -> None:
    """Once what is said is written, ``dms-relay test`` says ok, and mail arrives, with the login and inside TLS."""
    require_postfix()
    case = TRIES[name]
    with Testbed() as testbed:
        relay = testbed.relay("r.test", case.mode, case.other_port or case.port)
        settings = {"RELAY_USER": "user", "RELAY_PASSWORD": PASSWORD, **case.before}
        at = settings.pop("at", str(case.port))
        inputs = Inputs(tmp_path, DEFAULT_RELAY_HOST=f"[{relay.host}]:{at}", **settings)
        postfix = testbed.postfix()
        (result,) = json.loads(inputs.run(postfix, "test", "--json", "--timeout", "3").stdout)["results"]
        assert case.said in result["failure"]["remedy"]
        if case.after:
            port = case.other_port or case.port
            inputs.settings |= {"DEFAULT_RELAY_HOST": f"[{relay.host}]:{port}", **case.after}
        else:
            inputs.settings = {}
            inputs.write("relay.yaml", _yaml(relay.host, case.said.rpartition(", with ")[2], case.port))
        inputs.apply(postfix)
        done = inputs.run(postfix, "test", "--json")
        assert done.returncode == 0, done.stdout
        postfix.send("anna@a.test", ["bob@world.test"], "0")
        (message,) = relay.wait_for(1)
        assert (message.message_id, message.user, message.tls is not None) == ("0", "user", True)


def _yaml(host: str, tls: str, port: int) -> str:
    """Return the relay with what is said of TLS."""
    keys = tls.removesuffix("}") + ", level: encrypt}"
    login = f"login: {{username: user, password: {PASSWORD}}}"
    return f"version: 1\nrelays:\n  r: {{host: {host}, port: {port}, {keys}, {login}}}\ndefault: r\n"
