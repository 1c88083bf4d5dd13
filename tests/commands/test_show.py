"""``dms-relay show``: the merged configuration, each value with its origin, passwords masked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.model import Domain, Login, LoginEntry, Origin, PostfixConfig, Setting, UserParameter
from dms_relay.plan.state import ManagedParameter, TableFile
from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

SECRET = "s3cret-P4ss"
ENV = {
    "DEFAULT_RELAY_HOST": "[default.test]:587",
    "RELAY_HOST": "relay.test",
    "RELAY_PORT": "2525",
    "RELAY_USER": "user",
    "RELAY_PASSWORD": SECRET,
}
FILES = {
    "postfix-relaymap.cf": "# relays\n@a.test [a.test]:587, [b.test]:587\n@b.test\n",
    "postfix-sasl-password.cf": f"@a.test a:{SECRET}\n[relay.test]:2525 ü:{SECRET}\n",
    "postfix-main.cf": f"smtp_tls_security_level = may\nsmtp_sasl_password_maps = static:u:{SECRET}\n",
    "vhost": "a.test\nb.test\nc.test\n",
}
TEXT = """\
relays by sender:
  @a.test  [a.test]:587, [b.test]:587  postfix-relaymap.cf:2
  @c.test  [relay.test]:2525           env RELAY_HOST
every other sender:
  *  [default.test]:587  env DEFAULT_RELAY_HOST
opted out:
  @b.test  not through RELAY_HOST  postfix-relaymap.cf:3
logins:
  @a.test             a:********     postfix-sasl-password.cf:1
  [relay.test]:2525   ü:********     postfix-sasl-password.cf:2
  [default.test]:587  user:********  env RELAY_USER, env RELAY_PASSWORD
parameters:
  relayhost                             [default.test]:587        env DEFAULT_RELAY_HOST
  sender_dependent_relayhost_maps       texthash:{relayhost_map}  dms-relay
  smtp_sasl_password_maps               static:********           postfix-main.cf:2
  smtp_sasl_auth_enable                 yes                       dms-relay
  smtp_sasl_security_options            noanonymous               dms-relay
  smtp_tls_security_level               may                       postfix-main.cf:1
  smtp_sender_dependent_authentication  yes                       dms-relay
"""


def fill(sandbox: Sandbox) -> None:
    """Write every input."""
    for name, text in FILES.items():
        sandbox.write(name, text)


def squeezed(text: str) -> list[list[str]]:
    """Return the words of each line: a path's length moves the columns."""
    return [line.split() for line in text.splitlines()]


def test_show(sandbox: Sandbox) -> None:
    """Each relay, login and parameter stands with its origin; no password is shown, nothing is written."""
    fill(sandbox)
    before = sandbox.snapshot()
    result = sandbox.run("show", env=ENV)
    assert squeezed(result.out) == squeezed(TEXT.format(relayhost_map=sandbox.postfix_dir / "relayhost_map"))
    assert result.code == 0
    assert [text.partition(" -- ")[0] for text in of_level(result, "warn")] == [
        "postfix-relaymap.cf:3: the opt-out of @b.test has no effect: its mail still goes to DEFAULT_RELAY_HOST"
    ]
    assert SECRET not in result.out
    assert sandbox.snapshot() == before


def test_columns_are_aligned(sandbox: Sandbox) -> None:
    """In each block, values and origins begin in the same column."""
    fill(sandbox)
    lines = sandbox.run("show", env=ENV).out.splitlines()
    logins = lines[lines.index("logins:") + 1 :][:3]
    assert len({line.index("*") - len(line.split()[1].partition("*")[0]) for line in logins}) == 1
    assert len({line.index(origin) for line, origin in zip(logins, ("postfix-", "postfix-", "env "), strict=True)}) == 1


def test_show_json(sandbox: Sandbox) -> None:
    """``--json`` gives one object with the same values, for programs."""
    fill(sandbox)
    result = sandbox.run("show", "--json", env={**ENV, "RELAYHOST": "x"})
    document = json.loads(result.out)
    parameters = document.pop("parameters")
    assert document == {
        "enabled": True,
        "routing": "maps",
        "relayhost": {"value": "[default.test]:587", "origin": "env DEFAULT_RELAY_HOST"},
        "routes": [
            {"sender": "@a.test", "nexthop": "[a.test]:587, [b.test]:587", "origin": "postfix-relaymap.cf:2"},
            {"sender": "@c.test", "nexthop": "[relay.test]:2525", "origin": "env RELAY_HOST"},
        ],
        "opted_out": [{"domain": "b.test", "origin": "postfix-relaymap.cf:3"}],
        "logins": [
            {"key": "@a.test", "username": "a", "password": "********", "origin": "postfix-sasl-password.cf:1"},
            {
                "key": "[relay.test]:2525",
                "username": "ü",
                "password": "********",
                "origin": "postfix-sasl-password.cf:2",
            },
            {
                "key": "[default.test]:587",
                "username": "user",
                "password": "********",
                "origin": "env RELAY_USER, env RELAY_PASSWORD",
            },
        ],
        "warnings": [
            {
                "origin": "env RELAYHOST",
                "text": "RELAYHOST is not a setting and has no effect",
                "remedy": "set DEFAULT_RELAY_HOST or RELAY_HOST",
            },
            {
                "origin": "postfix-relaymap.cf:3",
                "text": "the opt-out of @b.test has no effect: its mail still goes to DEFAULT_RELAY_HOST",
                "remedy": "set RELAY_ROUTING=transports, which sends it directly",
            },
        ],
    }
    assert parameters["smtp_sasl_password_maps"] == {"value": "static:********", "origin": "postfix-main.cf:2"}
    assert parameters["smtp_sasl_auth_enable"] == {"value": "yes", "origin": "dms-relay"}
    assert len(parameters) == 7
    assert SECRET not in result.out + result.err


def test_show_where_nothing_is_set(sandbox: Sandbox) -> None:
    """Without a relay there is nothing to show but that."""
    assert sandbox.run("show").out == "no relay is set: Postfix keeps its own configuration\n"
    assert json.loads(sandbox.run("show", "--json").out) == {
        "enabled": False,
        "routing": "maps",
        "relayhost": None,
        "routes": [],
        "opted_out": [],
        "logins": None,
        "parameters": {},
        "warnings": [],
    }


def test_show_needs_no_postfix(sandbox: Sandbox) -> None:
    """``show`` reads the inputs only: it works where there is no main.cf."""
    sandbox.main_cf.unlink()
    assert sandbox.run("show", env={"DEFAULT_RELAY_HOST": "r.test"}).code == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("relayhost = [own.test]\n", "*  [own.test]  postfix-main.cf:1"),
        ("relayhost =\n", "*  no relay  postfix-main.cf:1"),
    ],
)
def test_show_the_operators_own_relayhost(sandbox: Sandbox, text: str, shown: str) -> None:
    """What ``postfix-main.cf`` sets in place of ours is what is shown."""
    sandbox.write("postfix-main.cf", text)
    assert shown in [line.strip() for line in sandbox.run("show", env=ENV).out.splitlines()]


@pytest.mark.parametrize(
    ("source", "origin"),
    [("RELAY_PASSWORD__FILE", "env RELAY_PASSWORD__FILE"), ("RELAY_PASSWORD_FILE", "env RELAY_PASSWORD_FILE")],
)
def test_origin_of_a_secret_file(sandbox: Sandbox, source: str, origin: str) -> None:
    """A login from a file is shown with the variable that names the file."""
    path = sandbox.write("secret", f"{SECRET}\n")
    env = {"DEFAULT_RELAY_HOST": "r.test", "RELAY_USER": "user", source: str(path)}
    result = sandbox.run("show", env=env)
    assert f"r.test  user:********  env RELAY_USER, {origin}" in result.out
    assert SECRET not in result.out


def test_origin_in_relay_env(sandbox: Sandbox) -> None:
    """A setting in ``relay.env`` is shown with its line."""
    sandbox.write("relay.env", f"# x\nRELAY_USER=user\n\nRELAY_PASSWORD='{SECRET}'\n")
    result = sandbox.run("show", env={"DEFAULT_RELAY_HOST": "r.test"})
    assert "r.test  user:********  relay.env:2, relay.env:4" in result.out


ORIGIN = Origin("postfix-sasl-password.cf", 3)


@pytest.mark.parametrize(
    "value",
    [
        Login("user", SECRET),
        LoginEntry("@a.test", Login("user", SECRET), ORIGIN),
        Setting(SECRET, ORIGIN),
        UserParameter(f"static:user:{SECRET}", ORIGIN),
        PostfixConfig({"sasl_passwd": SECRET}, {"smtp_sasl_password_maps": SECRET}),
        ManagedParameter(SECRET, (SECRET,)),
        TableFile(SECRET.encode(), 0o600, 0, 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_model_shows_a_password(value: Any) -> None:  # noqa: ANN401 -- any of our models
    """Neither ``repr`` nor ``str`` of a value that can hold a password shows it, nor an exception that carries it."""
    assert SECRET not in repr(value) + str(value) + repr([value]) + str(ValueError(value))


def test_models_that_hold_no_password_show_themselves() -> None:
    """What is no secret can be read in a traceback."""
    assert (
        repr(Domain("a.test", ORIGIN))
        == "Domain(name='a.test', origin=Origin(source='postfix-sasl-password.cf', line=3))"
    )
    assert repr(Login("user", SECRET)) == "Login(username='user')"
