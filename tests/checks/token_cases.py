"""Rules of access tokens, and of passwords where a service wants tokens."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dms_relay import tokens
from dms_relay.checks import check
from dms_relay.checks.context import examine
from dms_relay.files.keeper_lock import LOCK
from dms_relay.model import Paths
from dms_relay.postfix.sasl_plugin import PLUGIN
from dms_relay.tokens import Failure, Kept
from dms_relay.tokens.credentials import digests
from tests.checks.given import DEFAULT, LOGIN, LOGINS, RELAYMAP, SECRET, YAML, Case, given, write
from tests.support.machine import MASTER_CF
from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from dms_relay.checks.rules import Finding
    from tests.checks.given import Run
    from tests.support.sandbox import Sandbox

_AT = "version: 1\nrelays:\n  r: {{host: {}, login: {{username: u, password: {}}}}}\ndefault: r\n"
#: An app password as Google shows it, which is none.
APP_PASSWORD = "abcd efgh ijkl mnop"
_TOKEN = (
    "version: 1\nrelays:\n  r: {{host: r.test, tls: {{level: {}}}, login: {{username: u, oauth2: {}}}}}\ndefault: r\n"
)


def token_yaml(level: str = "secure", more: str = f"client_secret: {SECRET}") -> str:
    """Return a relay.yaml with a login that takes a token."""
    return _TOKEN.format(level, f"{{token_url: https://id.test/token, client_id: c, {more}}}")


FAILURE = Failure(0.0, "invalid_client", "the token endpoint says that the secret is wrong", "write the right one")
#: 2100-01-01 and 2026-01-01.
LATER, BEFORE = 4_102_444_800.0, 1_767_225_600.0
VALID: dict[str, Any] = {"access_token": SECRET, "expires_at": LATER}


def kept(text: str, *, is_kept: bool = True, has_plugin: bool = True, **fields: Any) -> Run:  # noqa: ANN401 -- of Kept
    """Return what is found where so much is kept of the token, a keeper runs or not, and the plugin is there or not."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        write(sandbox, {YAML: text})
        plugins(sandbox, *([PLUGIN] if has_plugin else []))
        paths = Paths(sandbox.config_dir, sandbox.postfix_dir, sandbox.config_dir.parent / "state")
        context = examine(paths, {}).context
        assert context
        (login,) = {use.entry.login for use in context.assignments if use.entry}
        assert login.oauth2
        if fields:
            of = {"credentials": digests(login.oauth2), **fields}
            tokens.save(paths.state_dir, tokens.login_id("r", login.username, login.oauth2), Kept(**of))
        with keeper(paths.state_dir, is_kept=is_kept):
            return check(paths, {}).findings

    return run


@contextmanager
def keeper(state_dir: Path, *, is_kept: bool) -> Iterator[None]:
    """Hold the lock of a keeper."""
    state_dir.mkdir(exist_ok=True)
    with (state_dir / LOCK).open("w") as lock:
        if is_kept:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def plugins(sandbox: Sandbox, *names: str, more: str = "") -> None:
    """Have Postfix look for plugins of Cyrus SASL where these files are."""
    directory = sandbox.postfix_dir / "sasl2"
    directory.mkdir()
    for name in names:
        (directory / name).touch()
    sandbox.write_main_cf(f"{BASE_MAIN_CF}import_environment = SASL_PATH={directory}\n{more}")
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)


def beside(
    *names: str, files: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None, more: str = ""
) -> Run:
    """Return what is found where these plugins are installed, with these inputs: by default a token's."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        plugins(sandbox, *names, more=more)
        write(sandbox, {YAML: token_yaml()} if files is None else files)
        return check(
            Paths(sandbox.config_dir, sandbox.postfix_dir, sandbox.config_dir.parent / "state"), env or {}
        ).findings

    return run


FULL = {**DEFAULT, **LOGIN}

CASES = (
    Case(
        "no-token",
        kept(token_yaml(), failure=FAILURE),
        f"{YAML}:3:50",
        "the token endpoint says that the secret is wrong",
        kept(token_yaml(), **VALID),
    ),
    Case(
        "no-token",
        kept(token_yaml(), access_token=SECRET, expires_at=BEFORE),
        f"{YAML}:3:50",
        "it expired at 2026-01-01 00:00 UTC",
        kept(token_yaml(), **VALID, failure=FAILURE),
    ),
    Case(
        "no-token",
        kept(token_yaml(more="device_url: https://id.test/device")),
        f"{YAML}:3:50",
        "none was requested yet",
        # A password is no token.
        given({YAML: _AT.format("r.test", SECRET)}),
    ),
    Case(
        "token-renewal-fails",
        kept(token_yaml(), **VALID, failure=FAILURE),
        f"{YAML}:3:50",
        "could not be renewed, and expires at 2100-01-01 00:00 UTC",
        kept(token_yaml(), **VALID),
    ),
    Case(
        "token-not-renewed",
        kept(token_yaml(), **VALID, is_kept=False),
        f"{YAML}:3:50",
        "no dms-relay watch runs",
        kept(token_yaml(), **VALID),
    ),
    Case(
        "token-of-other-secrets",
        kept(token_yaml(), **VALID, credentials="00"),
        f"{YAML}:3:50",
        "with other secrets than the inputs have now",
        kept(token_yaml(), **VALID),
    ),
    Case(
        "token-plugin-missing",
        kept(token_yaml(), **VALID, has_plugin=False),
        f"{YAML}:3:50",
        "libdmsrelayoauth2.so is missing",
        kept(token_yaml(), **VALID),
    ),
    Case(
        "other-token-plugin",
        beside(PLUGIN, "libsasl-xoauth2.so"),
        f"{YAML}:3:50",
        "libsasl-xoauth2.so instead of our plugin",
        # Where no login takes a token.
        beside("libsasl-xoauth2.so", files={}, env=DEFAULT),
    ),
    Case(
        "password-as-token",
        beside(PLUGIN, files={}, env=FULL, more="smtp_sasl_mechanism_filter = plain, xoauth2\n"),
        "env RELAY_USER, env RELAY_PASSWORD",
        "service smtp permits xoauth2, by which",
        beside(PLUGIN, files={}, env=FULL, more="smtp_sasl_mechanism_filter = plain, login\n"),
    ),
    Case(
        "password-as-token",
        beside("libsasl-xoauth2.so", files={}, env=FULL, more="smtp_sasl_mechanism_filter = !xoauth2, static:all\n"),
        "env RELAY_USER, env RELAY_PASSWORD",
        "service smtp permits oauthbearer",
        # Without a plugin Cyrus SASL has no mechanism for tokens.
        beside(files={}, env=FULL),
    ),
    Case(
        "token-to-unverified-server",
        kept(token_yaml("encrypt"), **VALID),
        f"{YAML}:4:10",
        "at level encrypt",
        kept(token_yaml(), **VALID),
    ),
    Case(
        "password-login-ends",
        given({YAML: _AT.format("smtp.office365.com", SECRET)}),
        f"{YAML}:3:40",
        "turns passwords for SMTP off by default at the end of December 2026",
        given({YAML: _AT.format("smtp.office365.com.test", SECRET)}),
    ),
    Case(
        "password-login-ends",
        given({RELAYMAP: "@a.test [SMTP.Gmail.com]:587\n", LOGINS: f"@a.test me@gmail.com:{SECRET}\n"}),
        f"{LOGINS}:1",
        "only an app password or an access token",
        given({RELAYMAP: "@a.test [smtp.gmail.com]:587\n", LOGINS: f"@a.test me@gmail.com:{APP_PASSWORD}\n"}),
    ),
    Case(
        "password-login-ends",
        given(
            {"vhost": "a.test\n"},
            {"RELAY_HOST": "smtp-mail.outlook.com", "RELAY_USER": "u", "RELAY_PASSWORD": SECRET, "RELAY_PORT": "587"},
        ),
        "env RELAY_USER, env RELAY_PASSWORD",
        "has accepted no passwords for SMTP since September 2024",
        # Mail goes there, but no login does.
        given({"vhost": "a.test\n"}, {"RELAY_HOST": "smtp-mail.outlook.com", "RELAY_PORT": "587"}),
    ),
)
