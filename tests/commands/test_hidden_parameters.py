"""A parameter that holds logins is shown without them, wherever it stands and however its value looks."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from dms_relay.mask import mask_parameter, mask_parameters
from dms_relay.postfix.public_parameters import PUBLIC_PARAMETERS

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

#: Not as pytest writes it into the names of directories.
SECRET = "Hunter-2"
DEFAULT = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
YAML = {"relay.yaml": "version: 1\nrelays: {r: {host: r.test, port: 587}}\ndefault: r\n"}
#: What an operator may write for a table of logins, right or wrong (postconf(5), DATABASE_README).
VALUES = (
    SECRET,
    f"static:me:{SECRET}",
    f"static:{{me:{SECRET}}}",
    f"inline:{{[r.test]=me:{SECRET}}}",
    f"inline:{{{{[r.test]:587 = me:{SECRET}}}}}",
    f"hash:/etc/postfix/sasl,static:me:{SECRET}",
    f"proxy:static:me:{SECRET}",
    f"unionmap:{{static:me:{SECRET},hash:/x}}",
    f"me:{SECRET}",
    f"{SECRET}:me",
    f"texthash:{SECRET}",
    f"me@a.test:{SECRET}",
    f"{SECRET},{SECRET}",
)
#: Parameters of Postfix that hold a secret, those of tables that stand in main.cf (ldap_table(5)), and operators' own.
NAMES = (
    "smtp_sasl_password_maps",
    "lmtp_sasl_password_maps",
    "my_sasl_password_maps",
    "ldap_bind_pw",
    "accounts_password",
    "relay_passwd",
    "api_token",
    "my_secret",
    "relay_apikey",
    "relay_credentials",
)
COMMANDS = (
    ("plan",),
    ("show",),
    ("show", "--json"),
    ("list",),
    ("explain", "a@a.test"),
    ("explain", "--json", "a@a.test"),
    ("check",),
    ("check", "--json"),
    ("apply", "--no-reload"),
    ("plan",),
    ("show",),
)


def assert_hidden(sandbox: Sandbox, env: dict[str, str]) -> None:
    """No command shows the secret."""
    for command in COMMANDS:
        result = sandbox.run(*command, env=env)
        assert SECRET not in result.out + result.err, command


@pytest.mark.one_in(3)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("way", ["maps", "transports"])
def test_inputs(sandbox: Sandbox, value: str, way: str) -> None:
    """The operator's files for Postfix, with each way of routing."""
    if way == "transports":
        sandbox.write("relay.yaml", YAML["relay.yaml"])
    env = {"LOG_LEVEL": "trace"} | ({} if way == "transports" else DEFAULT)
    sandbox.write("postfix-main.cf", "".join(f"{name} = {value}\n" for name in NAMES))
    write_master(sandbox, "")
    assert_hidden(sandbox, env)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("names", [NAMES[:3], NAMES[3:]])
def test_services(sandbox: Sandbox, names: tuple[str, ...], value: str) -> None:
    """The operator's file for single services; tables of logins are refused there, and nothing of them is said."""
    services = ("smtp/unix", "relay/unix", "lmtp/unix")
    sandbox.write("postfix-master.cf", "".join(f"{s}/{name}={value}\n" for s in services for name in names))
    write_master(sandbox, "")
    assert_hidden(sandbox, DEFAULT)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("form", ["-o {name}={value}", "-o {{ {name} = {value} }}"])
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("way", ["maps", "transports"])
def test_postfix(sandbox: Sandbox, form: str, value: str, way: str) -> None:
    """What stands in main.cf and master.cf by now, in services of ours and in others."""
    if way == "transports":
        sandbox.write("relay.yaml", YAML["relay.yaml"])
    env = {"LOG_LEVEL": "trace"} | ({} if way == "transports" else DEFAULT)
    write_master(sandbox, "")
    sandbox.apply(**env)
    text = sandbox.main_cf.read_text("utf-8")
    sandbox.write_main_cf(text + "".join(f"{name} = {value}\n" for name in NAMES))
    write_master(sandbox, "".join(f"  {form.format(name=name, value=value)}\n" for name in NAMES))
    assert sandbox.run("plan", env=env).code == 0
    assert_hidden(sandbox, env)


def write_master(sandbox: Sandbox, overrides: str) -> None:
    """Write a master.cf, or add these lines to each service in the one that is there, those that are ours included."""
    path = sandbox.postfix_dir / "master.cf"
    heads = ("smtp unix - - n - - smtp", "relay unix - - n - - smtp", "lmtp unix - - n - - lmtp")
    text = path.read_text("utf-8") if path.exists() else "".join(f"{head}\n" for head in heads)
    path.write_text(re.sub(r"^\S.* - - [sl]mtp\n(?: .*\n)*", rf"\g<0>{overrides}", text, flags=re.MULTILINE), "utf-8")


@pytest.mark.parametrize("value", [f"user:{SECRET}@r.test", f"smtp://user:{SECRET}@r.test:587", f"{SECRET}@r.test"])
def test_relayhost(value: str) -> None:
    """A login that was put into relayhost, where Postfix has no place for one, is hidden; the host is shown."""
    shown = mask_parameter("relayhost", value)
    assert SECRET not in shown
    assert "r.test" in shown


def test_a_name_that_a_login_takes_its_value_from() -> None:
    """What a table of logins refers to holds logins, whatever it is called."""
    values = {"smtp_sasl_password_maps": "static:me:$first", "first": "${second}", "second": SECRET, "third": "shown"}
    lines = mask_parameters({}, values)[1]
    assert SECRET not in "".join(lines)
    assert "third = shown" in lines


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("smtp_sasl_password_maps", "hash:/etc/postfix/sasl_passwd", "hash:/etc/postfix/sasl_passwd"),
        ("smtp_sasl_password_maps", "static:me:x", "static:********"),
        ("smtp_sasl_password_maps", "x", "********"),
        ("smtp_sasl_password_maps", "", ""),
        ("smtp_tls_key_file", "/etc/ssl/key.pem", "/etc/ssl/key.pem"),
        ("relayhost", "[r.test]:587", "[r.test]:587"),
        ("smtp_tls_policy_maps", "static:encrypt", "static:encrypt"),
        ("smtp_tls_policy_maps", "inline:{[r.test]:587=secure}", "inline:{[r.test]:587=secure}"),
        ("smtpd_sender_login_maps", "hash:/etc/postfix/senders", "hash:/etc/postfix/senders"),
        ("virtual_alias_maps", "inline:{root=me@a.test}", "inline:{root=me@a.test}"),
        ("smtpd_null_access_lookup_key", "<>", "<>"),
        ("virtual_alias_maps", "mysql://me:x@db.test/mail", "********"),
        ("tls_server_sni_maps", "inline:{a.test=key}", "********"),
        ("my_maps", "static:me:x", "********"),
    ],
)
def test_what_is_shown(name: str, value: str, shown: str) -> None:
    """What holds no login is shown as it is, and of what does, the kind of table."""
    assert mask_parameter(name, value) == shown


def test_plan_shows_what_is_no_secret(sandbox: Sandbox) -> None:
    """What a service for a relay overrides is shown where no login can be in it."""
    sandbox.write("relay.yaml", YAML["relay.yaml"])
    write_master(sandbox, "")
    shown = sandbox.run("plan").out
    assert "\n+  -o smtp_tls_policy_maps=inline:{" in shown
    assert "********" not in shown


@pytest.mark.skipif(shutil.which("postconf") is None, reason="there is no Postfix")
def test_the_list_is_of_postfix() -> None:
    """Each name that is never masked is one that Postfix knows, and none is of a table of passwords or keys."""
    done = subprocess.run(["postconf", "-d"], capture_output=True, text=True, check=True)
    known = {line.partition(" =")[0] for line in done.stdout.splitlines()}
    assert known >= PUBLIC_PARAMETERS
    assert not {name for name in PUBLIC_PARAMETERS if name.endswith(("_password_maps", "sni_maps"))}
