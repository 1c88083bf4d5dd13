"""Which SASL mechanisms the service of a relay permits: what Postfix may choose of a server's list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from dms_relay import Paths, merge, read, render

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

PASSWORD = "s3cret-P4ss"
FILTER = "smtp_sasl_mechanism_filter"


def relay_yaml(level: str, mechanisms: str) -> str:
    """Return a file with one relay."""
    login = f"{{username: u, password: {PASSWORD}{mechanisms}}}"
    tls = f"{{level: {level}, allow_cleartext_login: true}}"
    return f"version: 1\nrelays:\n  r: {{host: r.test, login: {login}, tls: {tls}}}\ndefault: r\n"


@pytest.mark.parametrize(
    ("level", "mechanisms", "wanted"),
    [
        *((level, "", "plain,login") for level in ("secure", "verify", "encrypt", "dane-only")),
        *((level, "", "cram-md5,plain,login") for level in ("may", "none", "dane")),
        ("secure", ", mechanisms: [SCRAM-SHA-256, plain]", "scram-sha-256,plain"),
        ("none", ", mechanisms: plain", "plain"),
    ],
)
def test_filter_of_a_service(sandbox: Sandbox, level: str, mechanisms: str, wanted: str) -> None:
    """A relay permits PLAIN and LOGIN, and where a login can travel in the clear CRAM-MD5; or what its login says."""
    sandbox.write("relay.yaml", relay_yaml(level, mechanisms))
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    services = render(merge(read(paths, {})), paths).services
    assert [service[FILTER] for service in services.values()] == [wanted]


def test_filter_of_a_relay_of_the_environment(sandbox: Sandbox) -> None:
    """Relays of the environment and of ``.cf`` files have a service as any other, and the same mechanisms."""
    env = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_ROUTING": "transports"}
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    services = render(merge(read(paths, env)), paths).services
    assert [service[FILTER] for service in services.values()] == ["plain,login"]


def test_main_cf_of_maps_has_no_filter_of_ours(sandbox: Sandbox) -> None:
    """With maps the filter is the operator's."""
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    env = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD": PASSWORD}
    assert FILTER not in render(merge(read(paths, env)), paths).parameters


def test_show(sandbox: Sandbox) -> None:
    """``show`` names mechanisms that are not the usual ones; with ``--json`` it names all."""
    sandbox.write("relay.yaml", relay_yaml("secure", ", mechanisms: [SCRAM-SHA-256, plain]"))
    assert (
        "  r  [r.test]:587  TLS secure, starttls, AUTH scram-sha-256 plain  relay.yaml:3:3\n" in sandbox.run("show").out
    )
    (relay,) = json.loads(sandbox.run("show", "--json").out)["relays"]
    assert relay["mechanisms"] == ["scram-sha-256", "plain"]
    sandbox.write("relay.yaml", relay_yaml("secure", ""))
    assert "AUTH" not in sandbox.run("show").out
    (relay,) = json.loads(sandbox.run("show", "--json").out)["relays"]
    assert relay["mechanisms"] == ["plain", "login"]


def test_explain(sandbox: Sandbox) -> None:
    """``explain`` says of a login that it is offered by certain mechanisms alone, where these are not the usual ones."""
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - y - - smtp\n")
    remark = "smtp_sasl_mechanism_filter permits only these mechanisms: scram-sha-256, plain"
    for mechanisms in ("", ", mechanisms: [SCRAM-SHA-256, plain]"):
        sandbox.write("relay.yaml", relay_yaml("secure", mechanisms))
        assert sandbox.run("apply").code == 0
        assert (remark in sandbox.run("explain", "a@any.test", "b@else.test").out) == bool(mechanisms)


def test_explain_is_silent_of_what_keeps_passwords_from_going_as_tokens(sandbox: Sandbox) -> None:
    """The filter that we set for all mail, where the plugin is, keeps two mechanisms out, and is no news to anybody."""
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - y - - smtp\n")
    sandbox.write("postfix-relaymap.cf", "@any.test [r.test]:587\n")
    sandbox.write("postfix-sasl-password.cf", "@any.test me:pw\n")
    assert sandbox.run("apply").code == 0
    with (sandbox.postfix_dir / "main.cf").open("a") as main_cf:
        main_cf.write(f"{FILTER} = !xoauth2, !oauthbearer, static:all\n")
    said = sandbox.run("explain", "a@any.test", "b@else.test").out
    assert "login  me" in said
    assert "alone" not in said
