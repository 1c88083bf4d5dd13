"""OAuth2 of the one default relay, from the environment (``RELAY_OAUTH2_…``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay import Paths, merge, read
from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, NO_TOKEN, REFRESH_TOKEN
from dms_relay.sources.environment import NAMES, OAUTH2
from dms_relay.sources.near_misses import meant_by
from dms_relay.sources.secrets import secret_places

if TYPE_CHECKING:
    from dms_relay.model import LoginEntry
    from tests.support.sandbox import Sandbox

SECRET = "s3cret-P4ss"
ROUTED = {"DEFAULT_RELAY_HOST": "[smtp.office365.com]:587", "RELAY_ROUTING": "transports", "RELAY_USER": "me@a.test"}
MICROSOFT = {
    "RELAY_OAUTH2_PROVIDER": "microsoft",
    "RELAY_OAUTH2_TENANT": "contoso.onmicrosoft.com",
    "RELAY_OAUTH2_CLIENT_ID": "4711",
    "RELAY_OAUTH2_CLIENT_SECRET": SECRET,
}


def entry(sandbox: Sandbox, env: dict[str, str]) -> LoginEntry:
    """Read and merge, which must succeed, and return the only login."""
    config = merge(read(Paths(sandbox.config_dir, sandbox.postfix_dir, sandbox.config_dir / "state"), env))
    assert config.transports is not None
    assert [str(warning) for warning in config.warnings] == []
    (service,) = config.transports.services
    assert service.relay.mechanisms == ("xoauth2", "oauthbearer")
    (login,) = service.logins
    return login


def problems(sandbox: Sandbox, env: dict[str, str]) -> list[str]:
    """Return all that is wrong; no part of the secret is in it."""
    found = [str(p) for p in read(Paths(sandbox.config_dir, sandbox.postfix_dir), env).problems if p.is_error]
    assert SECRET not in str(found)
    return found


def test_microsoft(sandbox: Sandbox) -> None:
    """Provider and tenant make the endpoint and the scope; the login is that of RELAY_USER, without a token as yet."""
    found = entry(sandbox, {**ROUTED, **MICROSOFT})
    assert (found.key, found.login.username, found.login.password) == (
        "[smtp.office365.com]:587",
        "me@a.test",
        NO_TOKEN,
    )
    assert str(found.origin) == "env RELAY_USER, env RELAY_OAUTH2_PROVIDER"
    oauth2 = found.login.oauth2
    assert oauth2 is not None
    assert (oauth2.grant, oauth2.client_secret) == (CLIENT_CREDENTIALS, SECRET)
    assert oauth2.token_url == "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
    assert oauth2.scope == "https://outlook.office365.com/.default"
    assert SECRET not in repr(found)


def test_secret_files(sandbox: Sandbox) -> None:
    """Each secret can stand in a file that NAME__FILE or NAME_FILE names, and in relay.env."""
    token = sandbox.write("token", f"{SECRET}\n")
    env = {
        **ROUTED,
        "RELAY_OAUTH2_TOKEN_URL": "https://id.test/token",
        "RELAY_OAUTH2_CLIENT_ID": "4711",
        "RELAY_OAUTH2_REFRESH_TOKEN__FILE": str(token),
        "RELAY_OAUTH2_SCOPE": "smtp",
    }
    oauth2 = entry(sandbox, env).login.oauth2
    assert oauth2 is not None
    assert (oauth2.grant, oauth2.refresh_token, oauth2.scope) == (REFRESH_TOKEN, SECRET, "smtp")
    del env["RELAY_OAUTH2_REFRESH_TOKEN__FILE"]
    sandbox.write("relay.env", f"RELAY_OAUTH2_REFRESH_TOKEN_FILE={token}\n")
    assert entry(sandbox, env).login.oauth2 == oauth2


@pytest.mark.parametrize(
    ("env", "wrong"),
    [
        (
            {"RELAY_ROUTING": "maps"},
            (
                "env RELAY_OAUTH2_PROVIDER: OAuth2 needs a relay with a service of its own, and RELAY_ROUTING is maps --"
                " set RELAY_ROUTING=transports"
            ),
        ),
        ({"RELAY_USER": ""}, "OAuth2 without RELAY_USER -- set RELAY_USER to the address of the mailbox"),
        (
            {"RELAY_PASSWORD": SECRET},
            "env RELAY_PASSWORD: RELAY_PASSWORD together with RELAY_OAUTH2_… -- keep only one",
        ),
        ({"RELAY_OAUTH2_PROVIDER": SECRET}, "the value is not one of those allowed -- write one of microsoft, google"),
        (
            {"RELAY_OAUTH2_TENANT": ""},
            (
                "env RELAY_OAUTH2_PROVIDER: provider microsoft needs the tenant --"
                " set RELAY_OAUTH2_TENANT=contoso.onmicrosoft.com"
            ),
        ),
        ({"RELAY_OAUTH2_TENANT": "a/b"}, "env RELAY_OAUTH2_TENANT: not a tenant -- write its domain"),
        (
            {"RELAY_OAUTH2_TOKEN_URL": "http://id.test"},
            "env RELAY_OAUTH2_TOKEN_URL: over http: the secret and the token",
        ),
        ({"RELAY_OAUTH2_CLIENT_SECRET": f"{SECRET}\n"}, "env RELAY_OAUTH2_CLIENT_SECRET: more than one line -- write"),
        ({"RELAY_OAUTH2_CLIENT_ID": ""}, "RELAY_OAUTH2_CLIENT_ID is missing -- set RELAY_OAUTH2_CLIENT_ID=…"),
        (
            {"RELAY_OAUTH2_CLIENT_KEY": SECRET},
            "env RELAY_OAUTH2_CLIENT_KEY: the file that it names contains no private key",
        ),
        ({"RELAY_OAUTH2_CA_FILE": "/gone.pem"}, "env RELAY_OAUTH2_CA_FILE: the file that it names cannot be read"),
    ],
)
def test_wrong_settings(sandbox: Sandbox, env: dict[str, str], wrong: str) -> None:
    """Each is an error that names the variable and says what to set."""
    (found,) = problems(sandbox, {**ROUTED, **MICROSOFT, **env})
    assert wrong in found


def test_passwords_may_not_share_its_relay(sandbox: Sandbox) -> None:
    """A login with a password at the same relay would go by the mechanisms of tokens."""
    sandbox.write("postfix-sasl-password.cf", "@b.test u:p\n")
    sandbox.write("postfix-relaymap.cf", "@b.test [smtp.office365.com]:587\n")
    result = sandbox.run("plan", env={**ROUTED, **MICROSOFT})
    assert result.code != 0
    assert "write a second relay in relay.yaml with the same host, for this login" in result.err


def test_slips_are_named() -> None:
    """A name that differs by a letter is told what is meant."""
    for name in NAMES:
        if name.startswith(OAUTH2):
            assert meant_by(name.lower()) == name
    assert meant_by("RELAY_OAUTH2_CLIENTID") == "RELAY_OAUTH2_CLIENT_ID"
    assert meant_by("RELAY_OAUTH2_TENNANT") == "RELAY_OAUTH2_TENANT"


def test_places_of_secrets_are_known(sandbox: Sandbox) -> None:
    """What checks the rights of files that hold passwords looks at these as well."""
    key = sandbox.write("secret", SECRET)
    how = f"{{token_url: https://id.test/t, client_id: c, client_secret_file: {key}, scope: x}}"
    text = f"version: 1\nrelays:\n  r: {{host: r.test, login: {{username: u, oauth2: {how}}}}}\ndefault: r\n"
    sandbox.write("relay.yaml", text)
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    assert [place.path for place in secret_places(paths, {}, read(paths, {}))] == [key]
    env = {**ROUTED, **MICROSOFT}
    (sandbox.config_dir / "relay.yaml").unlink()
    (place,) = secret_places(paths, env, read(paths, env))
    assert (str(place.origin), place.path) == ("env RELAY_OAUTH2_CLIENT_SECRET", None)
