"""relay.yaml inside docker-mailserver: at the start, after a change, and beside the operator's postfix-main.cf."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dms.conftest import Boot, Relays

RELAY_YAML = """\
version: 1
relays:
  one:
    host: relay.test
    login: {{username: {username}, password: secret}}
    tls: {{level: encrypt}}
  two:
    host: other.test
    login: {{username: of-two, password: secret}}
    tls: {{level: encrypt}}
{routes}"""


def test_relay_yaml_is_taken_up(boot: Boot, relays: Relays, config: Path) -> None:
    """At the start, and when told to after a change: each sender's mail goes by its relay, with that relay's login.

    The keeper, which may be quicker than the command, is not there.
    """
    routes = "default: one\nsenders:\n  second.test: two\n"
    (config / "relay.yaml").write_text(RELAY_YAML.format(username="of-one", routes=routes))
    server = boot.ready(RELAY_WATCH="no")
    assert relays.taker(server, "example.test") == "of-one at relay.test"
    assert relays.taker(server, "second.test") == "of-two at other.test"
    assert server.execute("postconf", "-h", "relayhost", "smtp_tls_security_level").split() == ["may"]
    (config / "relay.yaml").write_text(RELAY_YAML.format(username="renamed", routes="default: one\n"))
    assert "applied" in server.execute("dms-relay", "apply")
    assert relays.taker(server, "second.test") == "renamed at relay.test"


@pytest.mark.long
def test_transport_maps_of_the_operator(boot: Boot, relays: Relays, config: Path) -> None:
    """docker-mailserver writes postfix-main.cf after us, so its line must name our table: the error says how."""
    routes = "default: one\nrecipients:\n  elsewhere.test: two\n"
    (config / "relay.yaml").write_text(RELAY_YAML.format(username="of-one", routes=routes))
    (config / "postfix-main.cf").write_text("transport_maps = inline:{ far.test=error:no }\n")
    server = boot()
    server.wait_until_ended()
    line = "transport_maps = texthash:$config_directory/relay.d/recipient_transport, inline:{ far.test=error:no }"
    assert f"write {line}" in server.log()
    (config / "postfix-main.cf").write_text(f"{line}\n")
    server = boot.ready()
    assert server.execute("postconf", "-n", "transport_maps").strip() == line
    assert relays.taker(server, "example.test") == "of-two at other.test"
