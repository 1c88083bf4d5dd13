"""Files whose names look like an input's and are none: a warning names the file that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.sources.near_files import INPUTS
from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

YAML, ENV, MAP, LOGINS = "relay.yaml", "relay.env", "postfix-relaymap.cf", "postfix-sasl-password.cf"
NOT_READ = "this file is not an input and is not read"
NEAR = {
    "relay.yml": YAML,
    "relays.yaml": YAML,
    "Relay.yaml": YAML,
    "relays.yml": YAML,
    "relay.yaml.txt": YAML,
    "relay-config.yaml": YAML,
    "dms-relay.yaml": YAML,
    "relay.json": YAML,
    "realy.yaml": YAML,
    "rely.yaml": YAML,
    "relay.evn": ENV,
    "relay.env.txt": ENV,
    "relays.env": ENV,
    "RELAY.ENV": ENV,
    "postfix-relay-map.cf": MAP,
    "postfix_relaymap.cf": MAP,
    "postfix-relaymap.conf": MAP,
    "postfix-relaymap": MAP,
    "postfix-relaymaps.cf": MAP,
    "postfix-relaymap.cf.txt": MAP,
    "postfix-realymap.cf": MAP,
    "postfix-relayhost.cf": MAP,
    "relaymap.cf": MAP,
    "relay.cf": MAP,
    "relayhost_map": MAP,
    "sender_dependent_relayhost_maps": MAP,
    "sasl_passwd": LOGINS,
    "sasl-password.cf": LOGINS,
    "postfix-sasl_passwd.cf": LOGINS,
    "postfix-sasl-passwd.cf": LOGINS,
    "postfix-sasl-passwords.cf": LOGINS,
    "postfix-sasl-pasword.cf": LOGINS,
    "postfix-sasl.cf": LOGINS,
    "main.cf": "postfix-main.cf",
    "postfix_main.cf": "postfix-main.cf",
    "postfix-main.conf": "postfix-main.cf",
    "master.cf": "postfix-master.cf",
    "postfix-account.cf": "postfix-accounts.cf",
    "postfix_virtual.cf": "postfix-virtual.cf",
}
#: What docker-mailserver and others keep there, secrets, and copies that are put aside.
OTHERS = (
    *("postfix-aliases.cf", "postfix-regexp.cf", "postfix-send-access.cf", "postfix-receive-access.cf"),
    *("postfix-sender-login-maps.pcre", "dovecot.cf", "dovecot-quotas.cf", "dovecot-masters.cf", "dovecot-oauth2.cf"),
    *(
        "fail2ban-jail.cf",
        "fail2ban-fail2ban.cf",
        "ldap-users.cf",
        "amavis.cf",
        "user-patches.sh",
        "opendkim",
        "rspamd",
    ),
    *("whitelist_clients.local", "spamassassin-rules.cf", "before.dovecot.sieve", "getmail-x.cf", "relay", "relays"),
    *("relay.yaml.bak", "relay.yaml.example", "postfix-relaymap.cf~", ".relay.env", "sasl_passwd.db", "relay.d"),
    *(
        "relay-password",
        "password",
        "relay.pem",
        "relay.md",
        "compose.yaml",
        "docker-compose.yml",
        ".env",
        "mailserver.env",
    ),
)


@pytest.mark.parametrize(("name", "meant"), NEAR.items())
def test_near_miss(sandbox: Sandbox, name: str, meant: str) -> None:
    """The file that is meant is said, and nothing of what stands in it; after the renaming nothing is said."""
    file = sandbox.write(name, "")
    result = sandbox.apply()
    assert of_level(result, "warn") == [f"{name}: {NOT_READ} -- rename it to {meant}"]
    file.unlink()
    sandbox.write(meant, "version: 1\n" if meant == YAML else "")
    assert NOT_READ not in sandbox.apply().err


def test_beside_the_right_one(sandbox: Sandbox) -> None:
    """Where the right file is there as well, renaming would lose it."""
    for name in ("relay.yml", YAML):
        sandbox.write(name, "version: 1\n")
    assert f"{NOT_READ} -- move what is needed from it to {YAML}, and remove it" in sandbox.apply().err


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_none_of_our_business(sandbox: Sandbox, name: str) -> None:
    """A file that is not meant to be an input is not spoken of."""
    sandbox.write(name, "")
    assert NOT_READ not in sandbox.apply().err


@pytest.mark.parametrize("name", INPUTS)
def test_right_name(sandbox: Sandbox, name: str) -> None:
    """No input is a near miss of another one."""
    sandbox.write(name, "version: 1\n" if name == YAML else "")
    assert NOT_READ not in sandbox.apply().err


def test_a_file_that_an_input_names(sandbox: Sandbox) -> None:
    """A secret, or a table of the operator's own, is in use whatever its name is."""
    secret = sandbox.write("sasl_passwd", "s3cret")
    env = {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD__FILE": str(secret)}
    assert NOT_READ not in sandbox.apply(**env).err
    sandbox.write("postfix-main.cf", f"smtp_sasl_password_maps = texthash:{secret}\n")
    assert NOT_READ not in sandbox.apply().err


def test_in_the_directory_of_postfix(sandbox: Sandbox) -> None:
    """Where the inputs lie in Postfix's own directory, its files and our tables there are no near misses."""
    for name in ("main.cf", "master.cf", "sasl_passwd", "relayhost_map"):
        sandbox.write(name, "")
    assert NOT_READ not in sandbox.apply().err
