"""``explain`` says what maps cannot do for a message and ``RELAY_ROUTING=transports`` can; elsewhere it says nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.explain.test_command import MASTER_CF

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

RELAYMAP, LOGINS = "postfix-relaymap.cf", "postfix-sasl-password.cf"
LOGIN = {"RELAY_USER": "u", "RELAY_PASSWORD": "s3cret-P4ss"}
DEFAULT = {"DEFAULT_RELAY_HOST": "[r.test]:587", **LOGIN}
SWITCH = "RELAY_ROUTING=transports"


def all_notes(sandbox: Sandbox, env: dict[str, str]) -> list[str]:
    """Return every note of a message."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    found: list[str] = json.loads(sandbox.run("explain", "--json", "a@a.test", env=env).out)["notes"]
    return found


def notes(sandbox: Sandbox, env: dict[str, str], sender: str = "anna@a.test") -> list[str]:
    """Return the notes that name the switch, before and after ``apply``: they must be the same."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    found = []
    for _ in range(2):
        document = json.loads(sandbox.run("explain", "--json", sender, "bob@gmail.test", env=env).out)
        found.append([note for note in document["notes"] if SWITCH in note])
        sandbox.apply(**env)
    assert found[0] == found[1]
    return found[0]


def test_an_opt_out_from_the_default(sandbox: Sandbox) -> None:
    """It has no effect with maps; senders of other domains, and one with a route, hear nothing of it."""
    sandbox.write(RELAYMAP, "@A.test\nanna@b.test [r.test]:587\n@b.test\n")
    text = "the opt-out of @A.test has no effect: its mail still goes to DEFAULT_RELAY_HOST"
    assert notes(sandbox, DEFAULT) == [f"{RELAYMAP}:1: {text} -- set {SWITCH}, which sends it directly"]
    assert notes(sandbox, DEFAULT, "anna@b.test") == []
    assert notes(sandbox, DEFAULT, "anna@c.test") == []
    assert notes(sandbox, {**DEFAULT, "RELAY_ROUTING": "transports"}) == []


def test_implicit_tls(sandbox: Sandbox) -> None:
    """With maps no mail leaves by port 465, unless main.cf has every connection begin with TLS."""
    env = {"DEFAULT_RELAY_HOST": "[r.test]:465", **LOGIN}
    (said,) = notes(sandbox, env)
    assert said.startswith("env DEFAULT_RELAY_HOST: [r.test]:465 needs implicit TLS")
    assert notes(sandbox, {**env, "RELAY_ROUTING": "transports"}) == []
    sandbox.write_main_cf(sandbox.main_cf.read_text() + "smtp_tls_wrappermode = yes\n")
    assert notes(sandbox, env) == []


def test_a_login_that_goes_to_another_relay(sandbox: Sandbox) -> None:
    """The login of a domain is offered to the relay of one of its addresses as well."""
    sandbox.write(RELAYMAP, "@a.test [r.test]:587\nanna@a.test [s.test]:587\n")
    sandbox.write(LOGINS, "@a.test u:s3cret-P4ss\n")
    (said,) = notes(sandbox, {})
    assert f"is also offered to [s.test]:587 -- give anna@a.test its own login, or set {SWITCH}" in said
    assert notes(sandbox, {}, "ben@a.test") == []


@pytest.mark.parametrize("own", ["", "smtp_tls_security_level = encrypt\n"])
def test_direct_mail_at_the_level_of_relays(sandbox: Sandbox, own: str) -> None:
    """The level that is set for logins holds for direct mail as well; one that the operator has chosen is his."""
    sandbox.write(RELAYMAP, "@a.test [r.test]:587\n")
    sandbox.write(LOGINS, "@a.test u:s3cret-P4ss\n")
    sandbox.write("postfix-main.cf", own)
    text = "smtp_tls_security_level = encrypt is for the relays, but this mail goes directly, and waits if"
    told = [f"{text} the server has no TLS -- set {SWITCH}, which gives each relay its own level"]
    assert notes(sandbox, {}, "ben@b.test") == ([] if own else told)
    assert notes(sandbox, {}) == []


NO_RELAY = "no relay is set, so all mail goes directly -- set DEFAULT_RELAY_HOST, or write relay.yaml"
TYPO = "env DEFAULT_RELAYHOST: DEFAULT_RELAYHOST is not a setting and has no effect -- set DEFAULT_RELAY_HOST"
NOBODY = (
    "env RELAY_HOST: RELAY_HOST is not used: there is no managed domain -- set DEFAULT_RELAY_HOST, or add an account to"
    " postfix-accounts.cf"
)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({}, [NO_RELAY]),
        ({"DEFAULT_RELAYHOST": "[r.test]:587"}, [NO_RELAY, TYPO]),
        ({"RELAY_HOST": "r.test", **LOGIN}, [NOBODY]),
        ({"RELAY_HOST": "r.test", "RELAY_ROUTING": "transports"}, [NOBODY]),
        ({**DEFAULT, "DEFAULT_RELAYHOST": "[r.test]:587"}, []),
    ],
)
def test_why_mail_goes_directly(sandbox: Sandbox, env: dict[str, str], told: list[str]) -> None:
    """Where nothing is relayed, explain says what was meant to relay it; the other way of routing would not help there."""
    assert all_notes(sandbox, env) == told
