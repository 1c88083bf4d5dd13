"""Remedies that `check` prints, followed to the word: the finding is gone, no other came, and the mail arrives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from testbed import SUBMISSION, Inputs, Login, Mode, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.modes import Auth, Tls

if TYPE_CHECKING:
    from testbed import Postfix, Relay

MAIN_CF = "postfix-main.cf"
PASSWORD = "s3cret"
#: A catcher of mail on a developer's network, as MailHog: it takes logins, and has no TLS.
CATCHER = Mode(Tls.NONE, Auth.OFFERED)


def found(inputs: Inputs, postfix: Postfix) -> dict[str, str]:
    """Return the remedy of each finding, by its rule."""
    said = json.loads(inputs.run(postfix, "check", "--json").stdout)
    return {finding["id"]: finding["remedy"] for finding in said["findings"]}


def entry(relay: Relay, postfix: Postfix, **tls: object) -> dict[str, object]:
    """Return a relay as it stands in relay.yaml, with its login."""
    login = {"username": relay.name, "password": PASSWORD}
    return {
        "host": relay.name,
        "port": relay.port,
        "login": login,
        "tls": tls or {"ca_file": str(postfix.layout.authority)},
    }


def test_a_relay_without_tls_beside_one_with_it(testbed: Testbed, inputs: Inputs) -> None:
    """cleartext-login: in relay.yaml, each with a level of its own, both get their mail, and the login is protected."""
    relays = [testbed.relay("tls.test", SUBMISSION), testbed.relay("catcher.test", CATCHER)]
    postfix = testbed.postfix()
    inputs.write(RELAYMAP, "".join(f"@{r.name} [{r.name}]:{r.port}\n" for r in relays))
    inputs.write(LOGINS, "".join(f"[{r.name}]:{r.port} {r.name}:{PASSWORD}\n" for r in relays))
    inputs.write(MAIN_CF, "smtp_tls_security_level = may\n")
    before = found(inputs, postfix)
    remedy = "write encrypt; if a relay has no TLS, write the relays in relay.yaml, each with a level of its own"
    assert before["cleartext-login"] == remedy
    for name in (RELAYMAP, LOGINS, MAIN_CF):
        inputs.write(name, None)
    tls, catcher = relays
    document = {
        "version": 1,
        "relays": {
            "tls": entry(tls, postfix),
            "catcher": entry(catcher, postfix, level="none", allow_cleartext_login=True),
        },
        "senders": {tls.name: "tls", catcher.name: "catcher"},
    }
    inputs.write("relay.yaml", yaml.safe_dump(document))
    inputs.apply(postfix)
    for number, relay in enumerate(relays):
        postfix.send(f"anna@{relay.name}", ["friend@elsewhere.test"], str(number))
    received = {r.relay: (r.login, r.tls is not None) for r in testbed.ledger.wait_for(2)}
    assert received == {
        tls.name: (Login(tls.name, PASSWORD), True),
        catcher.name: (Login(catcher.name, PASSWORD), False),
    }
    assert set(found(inputs, postfix)) <= set(before)
    assert "cleartext-login" not in found(inputs, postfix)
