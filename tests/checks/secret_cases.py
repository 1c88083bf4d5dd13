"""Rules of secrets: files that others may read, passwords in the environment, a login in main.cf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.given import (
    DEFAULT,
    ENV_FILE,
    LOGIN,
    LOGINS,
    MAIN,
    PRIVATE,
    SECRET,
    YAML,
    Case,
    findings,
    given,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.checks.rules import Finding
    from tests.checks.given import Run
    from tests.support.sandbox import Sandbox

USER = {"RELAY_USER": "u"}
AT_R = {LOGINS: f"[r.test]:587 u:{SECRET}\n"}
_YAML = "version: 1\nrelays:\n  r: {{host: r.test, login: {{username: u, {}}}}}\ndefault: r\n"
INLINE = {YAML: _YAML.format(f"password: {SECRET}")}
STATIC = {MAIN: f"smtp_sasl_password_maps = static:u:{SECRET}\n"}


def secret_file(mode: int, *, variable: str = "RELAY_PASSWORD__FILE") -> Run:
    """Return what is found where a variable names a file that holds the password."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        path = sandbox.write("secret", SECRET)
        path.chmod(mode)
        return findings(sandbox, {**DEFAULT, **USER, variable: str(path)})

    return run


def secret_of_yaml(mode: int) -> Run:
    """Return what is found where relay.yaml names a file that holds the password, for two relays."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        path = sandbox.write("secret", SECRET)
        path.chmod(mode)
        write(sandbox, {YAML: _YAML.format(f"password_file: {path}")})
        return findings(sandbox, {})

    return run


def file_in_relay_env(mode: int) -> Run:
    """Return what is found where relay.env names a file that holds the password; relay.env itself is no secret then."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        path = sandbox.write("secret", SECRET)
        path.chmod(mode)
        write(sandbox, {ENV_FILE: f"RELAY_USER=u\nRELAY_PASSWORD_FILE={path}\n"}, 0o644)
        return findings(sandbox, DEFAULT)

    return run


def public_main_cf(files: dict[str, str], mode: int) -> Run:
    """Return what is found where every user may read main.cf, or not."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        sandbox.main_cf.chmod(mode)
        return given(files, DEFAULT, LOGIN)(sandbox)

    return run


CASES = (
    Case(
        "secret-readable",
        given(AT_R, DEFAULT, mode=0o644),
        LOGINS,
        "mode 0644 lets other users read it",
        given(AT_R, DEFAULT, mode=PRIVATE),
    ),
    Case(
        "secret-readable",
        given(AT_R, DEFAULT, mode=0o640),
        LOGINS,
        "mode 0640 lets other users read it",
        # No login stands in it.
        given({LOGINS: "# none\n"}, DEFAULT, mode=0o644),
    ),
    Case(
        "secret-readable",
        given({ENV_FILE: f"RELAY_USER=u\nRELAY_PASSWORD={SECRET}\n"}, DEFAULT, mode=0o644),
        f"{ENV_FILE}:2",
        "relay.env holds a password",
        given({ENV_FILE: "RELAY_HOST=h.test\n"}, DEFAULT, LOGIN, mode=0o644),
    ),
    Case("secret-readable", secret_file(0o444), "env RELAY_PASSWORD__FILE", "mode 0444", secret_file(0o400)),
    Case(
        "secret-readable",
        secret_file(0o644, variable="RELAY_PASSWORD_FILE"),
        "env RELAY_PASSWORD_FILE",
        "mode 0644",
        given({}, DEFAULT, USER, {"RELAY_PASSWORD": SECRET}),
    ),
    Case("secret-readable", file_in_relay_env(0o644), f"{ENV_FILE}:2", "/secret holds", file_in_relay_env(0o600)),
    Case(
        "secret-readable",
        given(INLINE, mode=0o644),
        YAML,
        "relay.yaml holds a password",
        given({YAML: _YAML.format("password_env: SECRET")}, {"SECRET": SECRET}, mode=0o644),
    ),
    Case("secret-readable", secret_of_yaml(0o644), f"{YAML}:3:57", "/secret holds", secret_of_yaml(0o600)),
    Case(
        "secret-readable",
        given(STATIC, DEFAULT, mode=0o644),
        MAIN,
        "holds a password",
        given({MAIN: "smtp_sasl_password_maps = texthash:/etc/postfix/own\n"}, DEFAULT, mode=0o644),
    ),
    Case(
        "secret-in-environment",
        given({}, DEFAULT, LOGIN),
        "env RELAY_PASSWORD",
        "in the environment",
        secret_file(0o600),
    ),
    Case(
        "secret-in-environment",
        given({YAML: _YAML.format("password_env: SECRET")}, {"SECRET": SECRET}),
        f"{YAML}:3:56",
        "in the environment",
        given({YAML: _YAML.format("password_env: SECRET"), ENV_FILE: f"SECRET={SECRET}\n"}),
    ),
    Case(
        "secret-in-environment",
        given({LOGINS: f"[r.test]:587 u:{SECRET}\n"}, DEFAULT, LOGIN),
        "env RELAY_PASSWORD",
        "in the environment",
        given({ENV_FILE: f"RELAY_USER=u\nRELAY_PASSWORD={SECRET}\n"}, DEFAULT),
    ),
    Case("login-in-main-cf", public_main_cf(STATIC, 0o644), MAIN, "can hold a login", public_main_cf(STATIC, 0o640)),
)
