"""What ``merge`` makes of relay.yaml beside the environment and ``.cf`` files: who comes first, who keeps a login."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dms_relay import Paths
from dms_relay.postfix.master_cf import PREFIX
from dms_relay.render import render
from tests.support.merged import ENV, HEAD, KEEP, LOGINS, NAME, RELAYMAP, USED, merged

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

# Who comes first.


def test_a_sender_in_a_cf_file_and_in_relay_yaml(sandbox: Sandbox) -> None:
    """The ``.cf`` file comes first, in whatever letter case; a warning names both places."""
    result = merged(sandbox, f"{USED}  a.test: s\n", {RELAYMAP: "@A.test [x.test]:25\n"})
    assert result.ways == {"@A.test": "x-test-25", "@used.test": "s"}
    assert result.warnings == [f"{NAME}:8:3: this route of @a.test is ignored, because {RELAYMAP}:1 {KEEP}"]


def test_a_sender_in_relay_yaml_and_in_relay_host(sandbox: Sandbox) -> None:
    """What RELAY_HOST says of all managed domains gives way to what relay.yaml says of one; nobody wrote that twice."""
    result = merged(
        sandbox, f"{USED}  a.test: s\n", {"vhost": "A.test\nb.test\n"}, RELAY_HOST="x.test", RELAY_PORT="25"
    )
    assert result.ways == {"@used.test": "s", "@a.test": "s", "@b.test": "x-test-25"}
    assert result.warnings == []


def test_an_opt_out_in_a_cf_file_and_a_sender_in_relay_yaml(sandbox: Sandbox) -> None:
    """An opt-out is a way as any other."""
    result = merged(sandbox, f"{USED}  a.test: s\n", {RELAYMAP: "@a.test\n"})
    assert result.ways == {"@a.test": None, "@used.test": "s"}
    assert result.warnings == [f"{NAME}:8:3: this route of @a.test is ignored, because {RELAYMAP}:1 {KEEP}"]


def test_two_defaults(sandbox: Sandbox) -> None:
    """relay.yaml comes before DEFAULT_RELAY_HOST, also with ``direct``."""
    for default, relay in (("s", "s"), ("direct", None)):
        result = merged(sandbox, f"{HEAD}senders: {{a.test: r, b.test: s}}\ndefault: {default}\n", **ENV)
        assert result.transports.default is not None
        assert result.transports.default[0] == relay
        assert f"env DEFAULT_RELAY_HOST: this default relay is ignored, because {NAME}:6:10 {KEEP}" in result.warnings


def test_the_default_of_the_environment(sandbox: Sandbox) -> None:
    """It stands where relay.yaml says none."""
    result = merged(sandbox, f"{HEAD}senders: {{a.test: r, b.test: s}}\n", DEFAULT_RELAY_HOST="x.test")
    assert result.transports.default is not None
    assert result.transports.default[0] == "x-test"
    assert result.warnings == []


@pytest.mark.parametrize("key", ["[r.test]:587", "[R.test]:587", "r.test"])
def test_a_login_by_nexthop_in_a_cf_file(sandbox: Sandbox, key: str) -> None:
    """It comes before the relay's own in relay.yaml; by the nexthop, or by its host (``[host]`` alone)."""
    result = merged(sandbox, USED, {LOGINS: f"{key} cf-user:p\n"})
    assert result.logins("r") == {"[r.test]:587": "cf-user"}
    assert result.logins("s") == {}
    assert result.warnings == [f"{NAME}:3:28: this login at [r.test]:587 is ignored, because {LOGINS}:1 {KEEP}"]


def test_two_logins_at_one_nexthop(sandbox: Sandbox) -> None:
    """The second one of a ``.cf`` file is dropped, and the keys are named by which each sender has a login of its own."""
    result = merged(sandbox, USED, {LOGINS: "[r.test]:587 a:1\n[R.test]:587 b:2\n"})
    assert result.logins("r") == {"[r.test]:587": "a"}
    by_sender = "the login of a sender has @domain or user@domain as its key"
    text = f"{LOGINS}:2: this login for [R.test]:587 is ignored, because {LOGINS}:1 {KEEP}; {by_sender}"
    assert text in result.warnings


def test_a_login_in_all_three(sandbox: Sandbox) -> None:
    """The ``.cf`` file before relay.yaml before the environment; each that is dropped is named."""
    text = f"{HEAD}senders: {{a.test: s}}\n"
    result = merged(sandbox, text, {LOGINS: "[r.test]:587 cf-user:p\n"}, **ENV)
    user = "env RELAY_USER, env RELAY_PASSWORD"
    assert result.logins("r") == {"[r.test]:587": "cf-user"}
    assert result.warnings == [
        f"{user}: this login at [r.test]:587 is ignored, because {LOGINS}:1 {KEEP}",
        f"{NAME}:3:28: this login at [r.test]:587 is ignored, because {LOGINS}:1 {KEEP}",
    ]
    (sandbox.config_dir / LOGINS).unlink()
    result = merged(sandbox, text, **ENV)
    assert result.logins("r") == {"[r.test]:587": "r-user"}
    assert result.warnings == [f"{user}: this login at [r.test]:587 is ignored, because {NAME}:3:28 {KEEP}"]


def test_a_login_of_a_sender_in_both(sandbox: Sandbox) -> None:
    """The ``.cf`` file comes first, and the warning names both places."""
    text = f"{USED}  a.test: {{relay: r, login: {{username: own, password: p}}}}\n"
    result = merged(sandbox, text, {LOGINS: "@a.test cf-user:p\n"})
    assert result.logins("r") == {"@a.test": "cf-user", "[r.test]:587": "r-user"}
    assert result.warnings == [f"{NAME}:8:29: this login of @a.test is ignored, because {LOGINS}:1 {KEEP}"]


def test_a_login_of_a_sender_that_goes_elsewhere(sandbox: Sandbox) -> None:
    """A login in relay.yaml is for the relay beside it: where the ``.cf`` file names another, nobody is offered it."""
    text = f"{USED}  a.test: {{relay: r, login: {{username: own, password: p}}}}\n"
    result = merged(sandbox, text, {RELAYMAP: "@a.test [x.test]:25\n"})
    assert result.ways["@a.test"] == "x-test-25"
    assert [result.logins(name) for name in ("r", "s", "x-test-25")] == [{"[r.test]:587": "r-user"}, {}, {}]
    result = merged(sandbox, text, {RELAYMAP: "@a.test\n"})
    assert result.ways["@a.test"] is None
    assert [result.logins(name) for name in ("r", "s")] == [{"[r.test]:587": "r-user"}, {}]


def test_a_login_of_a_sender_that_goes_to_the_same_relay(sandbox: Sandbox) -> None:
    """Where the ``.cf`` file names the hosts of that very relay, the login stays."""
    text = f"{USED}  a.test: {{relay: r, login: {{username: own, password: p}}}}\n"
    result = merged(sandbox, text, {RELAYMAP: "@a.test [R.test]:587\n"})
    assert result.ways["@a.test"] == "r"
    assert result.logins("r") == {"@a.test": "own", "[r.test]:587": "r-user"}


def test_a_login_without_a_relay(sandbox: Sandbox) -> None:
    """A login of the ``.cf`` file whose key no relay has is not used, and said."""
    result = merged(sandbox, USED, {LOGINS: "[x.test] x:p\n"})
    remedy = "write the key exactly like the nexthop, with brackets and port"
    assert result.warnings == [f"{LOGINS}:1: no relay has this lookup key, so the login is not used -- {remedy}"]


ENV_LOGIN = {"RELAY_USER": "u", "RELAY_PASSWORD": "p"}
MOVE = "move the login to its relay in relay.yaml (login), and remove RELAY_USER and RELAY_PASSWORD"


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ({"DEFAULT_RELAY_HOST": "[x.test]:587"}, "[x.test]:587"),
        ({"DEFAULT_RELAY_HOST": "[x.test]:587, [y.test]:587"}, "[x.test]:587"),
        ({"RELAY_HOST": "x.test"}, "[x.test]:25"),
    ],
)
def test_a_login_of_the_environment_that_no_relay_gets(sandbox: Sandbox, env: dict[str, str], key: str) -> None:
    """The variables are named, once, and where the login is to be written; nobody who sets them has written a key."""
    text = f"{HEAD}senders: {{a.test: r}}\ndefault: s\n"
    result = merged(sandbox, text, **env, **ENV_LOGIN)
    not_used = f"RELAY_USER and RELAY_PASSWORD are not used: they are the login at {key}, where no mail goes -- {MOVE}"
    assert [one for one in result.warnings if "not used:" in one and "RELAY_USER" in one] == [
        f"env RELAY_USER, env RELAY_PASSWORD: {not_used}"
    ]
    assert not [one for one in result.warnings if "lookup key" in one]


def test_a_login_of_the_environment_beside_relay_yaml(sandbox: Sandbox) -> None:
    """Without a relay of the environment the remedy is not to set one: relay.yaml has the relays."""
    result = merged(sandbox, USED, **ENV_LOGIN)
    none = "RELAY_USER and RELAY_PASSWORD have no effect: there is no default relay"
    assert result.warnings == [f"env RELAY_USER: {none} -- {MOVE}"]


# Relays of the environment and the .cf files.


def test_the_same_nexthop_is_one_relay(sandbox: Sandbox) -> None:
    """A nexthop of the environment or a ``.cf`` file that a relay of relay.yaml has, is that relay, with its TLS."""
    text = f"{HEAD}senders: {{used.test: s}}\n"
    result = merged(sandbox, text, {RELAYMAP: "@a.test [S.test]:587\n"}, DEFAULT_RELAY_HOST="[r.test]:587")
    assert [service.relay.name for service in result.transports.services] == ["r", "s"]
    assert result.transports.default is not None
    assert result.transports.default[0] == "r"
    assert result.ways == {"@a.test": "s", "@used.test": "s"}
    assert result.service("r").relay.tls.level == "secure"
    assert result.warnings == []


NEXTHOPS = (
    "[smtp.example.com]:587",
    "smtp.example.com:587",
    "[smtp.example.com]",
    "smtp.example.com",
    "smtp-example.com",
    "[2001:db8::1]:25",
    "[192.0.2.1]:submission",
    "[bücher.test]:587",
    "[bäcker.test]:587",
    "ü",
    "direct",
    "[" + "a" * 60 + "." + "b" * 60 + "]:587",
    "[" + "a" * 60 + "." + "c" * 60 + "]:587",
    "[a.test]:587, [b.test]:587",
    "[b.test]:587, [a.test]:587",
)


def test_each_nexthop_becomes_a_relay_with_a_name(sandbox: Sandbox) -> None:
    """Distinct ones get distinct names, which could stand in relay.yaml; letter case makes no other relay."""
    lines = [f"@a{n}.test {nexthops}\n" for n, nexthops in enumerate(NEXTHOPS)]
    lines.append(f"@again.test {NEXTHOPS[0].upper()}\n")
    result = merged(sandbox, "", {RELAYMAP: "".join(lines)})
    names = [service.relay.name for service in result.transports.services]
    assert names[:3] == ["smtp-example-com-587", names[1], "smtp-example-com"]
    assert len(set(names)) == len(NEXTHOPS)
    assert all(re.fullmatch("[a-z0-9-]{1,64}", name) for name in names)
    assert "direct" not in names
    assert result.ways["@again.test"] == names[0]
    nexthops = {service.relay.nexthops.text for service in result.transports.services}
    assert nexthops == set(NEXTHOPS)


def test_names_do_not_depend_on_what_else_there_is(sandbox: Sandbox) -> None:
    """A relay keeps its name when another comes: mail that waits in the queue goes by it."""
    first = merged(sandbox, "", {RELAYMAP: "@b.test [smtp.example.com]:587\n"})
    later = merged(sandbox, "", {RELAYMAP: "@a.test [x.test]:587\n@b.test [smtp.example.com]:587\n"})
    assert first.ways["@b.test"] == later.ways["@b.test"] == "smtp-example-com-587"


def test_a_name_that_relay_yaml_has(sandbox: Sandbox) -> None:
    """A name that is taken gets a checksum."""
    text = "version: 1\nrelays: {x-test-25: {host: r.test}}\ndefault: x-test-25\n"
    result = merged(sandbox, text, {RELAYMAP: "@a.test [x.test]:25\n"})
    assert result.service("x-test-25").relay.nexthops.text == "[r.test]:587"
    assert result.ways["@a.test"] not in {"x-test-25", None}
    assert str(result.ways["@a.test"]).startswith("x-test-25-")


@pytest.mark.parametrize("level", ["", "secure", "verify", "dane-only", "dane", "encrypt", "may", "none"])
def test_the_level_of_the_environment(sandbox: Sandbox, level: str) -> None:
    """It is that of the relays that relay.yaml does not know; ``encrypt`` where it is not set."""
    result = merged(sandbox, USED, {RELAYMAP: "@a.test [x.test]:25\n"}, RELAY_TLS_LEVEL=level)
    assert result.service("x-test-25").relay.tls.level == (level or "encrypt")
    assert result.service("r").relay.tls.level == "secure"
    assert not result.service("x-test-25").relay.tls.implicit


@pytest.mark.parametrize("port", ["465", "submissions", "smtps"])
def test_implicit_tls_of_the_environment(sandbox: Sandbox, port: str) -> None:
    """Port 465 is implicit TLS there as well, under each of its names."""
    result = merged(sandbox, "", DEFAULT_RELAY_HOST=f"[x.test]:{port}")
    assert result.service(f"x-test-{port}").relay.tls.implicit


def test_an_opt_out_under_default_relay_host(sandbox: Sandbox) -> None:
    """An opt-out is direct also where there is a default relay, which maps cannot do."""
    result = merged(sandbox, "", {RELAYMAP: "@a.test\n"}, **ENV)
    assert result.ways == {"@a.test": None}
    assert result.transports.default is not None
    assert result.warnings == []
    text = f"{HEAD}default: r\nsenders: {{b.test: direct, c.test: s}}\n"
    assert merged(sandbox, text, {RELAYMAP: "@a.test\n"}).ways == {"@a.test": None, "@b.test": None, "@c.test": "s"}


def test_an_opt_out_of_a_domain_that_is_mapped(sandbox: Sandbox) -> None:
    """The mapping stands, and a warning says so."""
    result = merged(sandbox, USED, {RELAYMAP: "@a.test\n@A.test [r.test]:587\n"})
    assert result.ways["@A.test"] == "r"
    assert result.warnings == [
        f"{RELAYMAP}:1: the opt-out of @a.test has no effect: {RELAYMAP}:2 maps it -- keep only one of the two lines"
    ]


USES = ("default: s", "senders: {a.test: s}", "senders: {a.test: {relay: s}}", "recipients: {a.test: s}")


@pytest.mark.parametrize("use", USES)
def test_relays_that_nobody_uses(sandbox: Sandbox, use: str) -> None:
    """Each is a warning at its name; a default, a sender or a recipient uses one."""
    warning = "relay {} is not used -- make it the default, add it to a sender, or remove it"
    assert merged(sandbox, f"{HEAD}{use}\n").warnings == [f"{NAME}:3:3: {warning.format('r')}"]
    assert merged(sandbox, HEAD).warnings == [
        f"{NAME}:3:3: {warning.format('r')}",
        f"{NAME}:4:3: {warning.format('s')}",
    ]


# A sender without a login of its own uses the relay's.

DOMAIN = "senders:\n  a.test: {relay: r, login: {username: own, password: p}}\n"


def test_a_sender_whose_domain_has_a_login_there(sandbox: Sandbox) -> None:
    """Postfix would find the domain's login for the address: an entry with the relay's stands before it."""
    result = merged(sandbox, f"{HEAD}{DOMAIN}  boss@a.test: r\n  b.test: s\n")
    assert result.ways == {"@a.test": "r", "boss@a.test": "r", "@b.test": "s"}
    assert result.logins("r") == {"@a.test": "own", "boss@a.test": "r-user", "[r.test]:587": "r-user"}


def test_a_sender_whose_domain_has_a_login_elsewhere(sandbox: Sandbox) -> None:
    """The domain's login is not there, so there is nothing to stand before."""
    result = merged(sandbox, f"{HEAD}{DOMAIN}  boss@a.test: s\n")
    assert result.ways == {"@a.test": "r", "boss@a.test": "s"}
    assert result.logins("r") == {"@a.test": "own", "[r.test]:587": "r-user"}
    assert result.logins("s") == {}


def test_a_sender_whose_domain_has_a_login_at_a_relay_that_has_none(sandbox: Sandbox) -> None:
    """No entry can say "none": the address goes by a service that does not look at senders."""
    text = f"{HEAD}{DOMAIN.replace('relay: r', 'relay: s')}  boss@a.test: s\n  b.test: r\n"
    result = merged(sandbox, text)
    assert result.ways == {"@a.test": "s", "boss@a.test": "s*", "@b.test": "r"}
    assert result.logins("s") == {"@a.test": "own"}
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    services = render(result.config, paths).services
    assert services.keys() == {f"{PREFIX}r", f"{PREFIX}s", f"{PREFIX}s_shared"}
    shared = services[f"{PREFIX}s_shared"]
    assert (shared["smtp_sasl_auth_enable"], shared["smtp_sasl_password_maps"]) == ("no", "")
    assert render(result.config, paths).tables["relay.d/sender_transport"].splitlines()[1] == (
        "boss@a.test\trelay-s_shared:[s.test]:587"
    )


def test_a_sender_whose_domain_has_a_login_at_hosts_with_several(sandbox: Sandbox) -> None:
    """Where each host has another login, no single entry is right, so it is the service that does not look at senders."""
    text = "version: 1\nrelays:\n  r: {hosts: [x.test, y.test]}\n" + DOMAIN + "  boss@a.test: r\n"
    result = merged(sandbox, text, {LOGINS: "[x.test]:587 x-user:p\n[y.test]:587 y-user:p\n"})
    assert result.ways == {"@a.test": "r", "boss@a.test": "r*"}
    assert result.logins("r") == {"@a.test": "own", "[x.test]:587": "x-user", "[y.test]:587": "y-user"}


def test_addresses_of_a_cf_file_use_the_login_of_their_domain(sandbox: Sandbox) -> None:
    """Between lines of the ``.cf`` files it is as Postfix does: the domain's login serves its addresses."""
    files = {
        RELAYMAP: "@a.test [r.test]:587\nboss@a.test [r.test]:587\n",
        LOGINS: "@a.test cf-user:p\n[r.test]:587 relay-user:p\n",
    }
    result = merged(sandbox, "", files)
    assert result.logins("r-test-587") == {"@a.test": "cf-user", "[r.test]:587": "relay-user"}
