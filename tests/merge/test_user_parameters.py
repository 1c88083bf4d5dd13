"""What the operator's own main.cf (``postfix-main.cf``) may say beside relays with a transport of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay.sources
from dms_relay import Paths
from dms_relay.render import render
from tests.support.merged import HEAD, MAIN, NAME, errors, merged

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

WOULD_TAKE = "would relay mail that must go directly, and RELAY_ROUTING=transports needs it empty"
TAKE_AWAY = "remove the line, and set the route of that mail in relay.yaml"
PLACES = f"{HEAD}default: r\nsenders: {{a.test: s}}\nrecipients: {{b.test: s}}\n"


@pytest.mark.parametrize("name", ["relayhost", "sender_dependent_relayhost_maps"])
def test_a_parameter_that_would_take_mail_away(sandbox: Sandbox, name: str) -> None:
    """``direct`` is direct only where these are empty: an error at the line that sets them."""
    assert errors(sandbox, PLACES, {MAIN: f"# own\n{name} = x.test\n"}) == [
        f"{MAIN}:2: {name} {WOULD_TAKE} -- {TAKE_AWAY}"
    ]
    assert merged(sandbox, PLACES, {MAIN: f"{name} =\n"}).warnings == []


def test_a_default_transport_of_the_operator(sandbox: Sandbox) -> None:
    """It is an error beside a default relay, and none where it names that relay's service, or where there is no default."""
    assert errors(sandbox, PLACES, {MAIN: "default_transport = smtp:[x.test]\n"}) == [
        (
            f"{MAIN}:1: default_transport would override relay r, the default of {NAME}:5:10 -- remove the line, and set"
            " DEFAULT_RELAY_HOST (relay.yaml: default) to the relay that is meant"
        )
    ]
    assert merged(sandbox, PLACES, {MAIN: "default_transport = relay-r:[r.test]:587\n"}).warnings == []
    direct = PLACES.replace("default: r", "default: direct").replace("b.test: s", "b.test: r")
    assert merged(sandbox, direct, {MAIN: "default_transport = smtp:[x.test]\n"}).warnings == []


TABLES = {
    "transport_maps": "relay.d/recipient_transport",
    "sender_dependent_default_transport_maps": "relay.d/sender_transport",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_the_operator(sandbox: Sandbox, name: str) -> None:
    """Ours is put in front of them; where his line has ours in it already, the line stays as it is."""
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    ours = f"texthash:{sandbox.postfix_dir}/{TABLES[name]}"
    for own, wanted in (
        ("texthash:/own", f"{ours}, texthash:/own"),
        ("", ours),
        (f"texthash:/own, {ours}", f"texthash:/own, {ours}"),
    ):
        result = merged(sandbox, PLACES, {MAIN: f"{name} = {own}\n"})
        assert render(result.config, paths).parameters[name] == wanted
        assert result.warnings == []


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_the_operator_in_docker_mailserver(
    sandbox: Sandbox, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There that file is put into main.cf after us: an error that shows the line to write, and that line is right."""
    monkeypatch.setattr(dms_relay.sources, "DMS_START", Path(__file__))
    front = f"{name} = texthash:$config_directory/{TABLES[name]}"
    for own, wanted in (("texthash:/own", f"{front}, texthash:/own"), ("", front)):
        assert errors(sandbox, PLACES, {MAIN: f"{name} = {own}\n"}) == [
            (
                f"{MAIN}:1: docker-mailserver writes {name} to main.cf after this, "
                f"so the managed routes would be lost -- write {wanted}"
            )
        ]
        assert merged(sandbox, PLACES, {MAIN: f"{wanted}\n"}).warnings == []
    alone = "version: 1\nrelays: {r: {host: r.test}}\ndefault: r\n"
    assert merged(sandbox, alone, {MAIN: f"{name} = texthash:/own\n"}).warnings == []
