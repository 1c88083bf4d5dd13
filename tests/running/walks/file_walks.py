"""Walks through the remedies of docs/checks.md, Secrets and postfix-main.cf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.running.walks import (
    A_TO_R,
    ALL,
    ANNA,
    AT_R,
    BEN,
    DEFAULT,
    ENV_FILE,
    FULL,
    LOGINS,
    MAIN,
    MASTER,
    PASSWORD,
    RELAYS,
    TRANSPORTS,
    WITH_LOGIN,
    YAML,
    R,
    S,
    Walk,
    printed,
    put,
    run,
    write,
)

if TYPE_CHECKING:
    from tests.running.walks import Deed
    from tests.running.walks.scene import Scene

ONE = RELAYS.partition("  s: ")[0]
IN_FILE = {"RELAY_USER": "user", "RELAY_PASSWORD__FILE": "{config}/secret"}
ONE_DEFAULT = f"{ONE}default: r\n"
OF_FILE = ONE_DEFAULT.replace(f"password: {PASSWORD}", "password_file: {config}/secret")
OF_VARIABLE = ONE_DEFAULT.replace(f"password: {PASSWORD}", "password_env: SECRET")
STATIC = {MAIN: f"smtp_sasl_password_maps = static:user:{PASSWORD}\n"}
THE_DEFAULT = "remove the line, and set DEFAULT_RELAY_HOST to the relay that is meant"
UNLESS = "remove the line, unless you want that"
ROUTE_ELSEWHERE = "remove the line, and set the route of that mail in relay.yaml"
NO_TABLE = "remove that table from the line, or set up relays with RELAY_ROUTING=transports"


def mode(name: str, bits: int) -> Deed:
    """Return the deed of giving a file a mode."""
    return lambda scene: scene.path(name).chmod(bits)


def volume(bits: int) -> Deed:
    """Return the deed of mounting a volume as Kubernetes does it, whose files have a mode."""

    def do(scene: Scene) -> None:
        links, files = scene.path("volume"), scene.path(f"..{bits:o}")
        files.mkdir()
        (files / "password").write_text(PASSWORD)
        (files / "password").chmod(bits)
        links.mkdir(exist_ok=True)
        for link, target in (("..data", str(files)), ("password", "..data/password")):
            (links / link).unlink(missing_ok=True)
            (links / link).symlink_to(target)

    return do


def readable(name: str, bits: int, said: str, files: dict[str, str], **env: str) -> Walk:
    """Return the walk of a file that others may read; the command is printed."""
    command = f"chmod {said} {{config}}/{name}"
    return Walk(
        "secret-readable",
        f"run {command}",
        files,
        env,
        (printed(command),),
        ALL,
        choice=f"{name} {bits:o}",
        before=(mode(name, bits),),
    )


def undone(line: str, remedy: str = UNLESS, instead: str | None = None, *, rule: str = "user-file-undoes") -> Walk:
    """Return the walk of a line of postfix-main.cf that takes away what else is set."""
    return Walk(
        rule, remedy, {MAIN: line, **AT_R}, DEFAULT, (write({MAIN: instead}),), ALL, choice=line.partition(" = ")[0]
    )


WALKS = (
    readable(LOGINS, 0o644, "600", AT_R, **DEFAULT),
    readable(LOGINS, 0o640, "600", AT_R, **DEFAULT),
    readable(ENV_FILE, 0o644, "600", {ENV_FILE: f"RELAY_USER=user\nRELAY_PASSWORD={PASSWORD}\n"}, **DEFAULT),
    readable("secret", 0o444, "400", {"secret": PASSWORD}, **DEFAULT, **IN_FILE),
    readable("secret", 0o755, "700", {"secret": PASSWORD}, **DEFAULT, **IN_FILE),
    readable(YAML, 0o644, "600", {YAML: ONE_DEFAULT}),
    readable("secret", 0o604, "600", {"secret": PASSWORD, YAML: OF_FILE}),
    readable(MAIN, 0o644, "600", {**STATIC, **A_TO_R, LOGINS: R}, **DEFAULT),
    Walk(
        "secret-readable",
        "set defaultMode: 0400 at the volume, in the pod",
        env={**DEFAULT, "RELAY_USER": "user", "RELAY_PASSWORD__FILE": "{config}/volume/password"},
        follow=(volume(0o400),),
        arrives=ALL,
        before=(volume(0o644),),
    ),
    Walk(
        "secret-in-environment",
        "set RELAY_PASSWORD__FILE instead",
        {"secret": PASSWORD},
        FULL,
        (put(RELAY_PASSWORD=None, **IN_FILE),),
        ALL,
    ),
    Walk(
        "secret-in-environment",
        "write password_file instead",
        {"secret": PASSWORD, YAML: OF_VARIABLE},
        {"SECRET": PASSWORD},
        (put(SECRET=None), write({YAML: OF_FILE})),
        ALL,
    ),
    Walk(
        "login-in-main-cf",
        "remove the line, and add the login to postfix-sasl-password.cf",
        {**STATIC, LOGINS: f"@a.test u:{PASSWORD}\n"},
        DEFAULT,
        (write({MAIN: None, LOGINS: f"@a.test u:{PASSWORD}\n{R}"}),),
        {ANNA: "r.test u", BEN: "r.test user"},
    ),
    # postfix-main.cf.
    Walk(
        "user-file-conflict",
        ROUTE_ELSEWHERE,
        {MAIN: "relayhost = [s.test]:587\n", YAML: f"{ONE}senders: {{a.test: r}}\n"},
        follow=(write({MAIN: None, YAML: f"{WITH_LOGIN}senders: {{a.test: r}}\ndefault: s\n"}),),
        arrives={ANNA: "r.test user", BEN: "s.test s-user"},
    ),
    Walk(
        "user-file-conflict",
        "remove the line, and set DEFAULT_RELAY_HOST (relay.yaml: default) to the relay that is meant",
        {MAIN: "default_transport = smtp:[s.test]:587\n", **AT_R},
        {**DEFAULT, **TRANSPORTS},
        (write({MAIN: None}),),
        ALL,
        choice="default_transport",
    ),
    Walk(
        "user-file-conflict",
        NO_TABLE,
        {MAIN: "transport_maps = texthash:{postfix}/relay.d/recipient_transport\n", **AT_R},
        DEFAULT,
        (write({MAIN: None}),),
        ALL,
        choice="remove that table",
    ),
    Walk(
        "user-file-conflict",
        NO_TABLE,
        {
            MAIN: "sender_dependent_default_transport_maps = texthash:{postfix}/relay.d/sender_transport\n",
            **A_TO_R,
            **AT_R,
        },
        follow=(put(**TRANSPORTS),),
        arrives={ANNA: "r.test user"},
        choice="transports",
        leads_to=frozenset({"mail-not-relayed"}),
    ),
    undone("relayhost = [s.test]:587\n", THE_DEFAULT),
    Walk(
        "user-file-undoes",
        THE_DEFAULT,
        {MAIN: "relayhost = [s.test]:587\n", LOGINS: S},
        DEFAULT,
        (put(DEFAULT_RELAY_HOST="[s.test]:587"), write({MAIN: None})),
        {ANNA: "s.test s-user"},
        choice="relayhost, that of the file",
    ),
    undone("smtp_sasl_password_maps = inline:{ own.test=x:y }\n"),
    undone("smtp_sasl_auth_enable = no\n"),
    Walk(
        "user-file-undoes",
        UNLESS,
        {MAIN: "smtp_sender_dependent_authentication = no\n", LOGINS: f"{R}@a.test u:{PASSWORD}\n"},
        DEFAULT,
        (write({MAIN: None}),),
        {ANNA: "r.test u", BEN: "r.test user"},
        choice="smtp_sender_dependent_authentication",
    ),
    Walk(
        "user-file-undoes",
        UNLESS,
        {MAIN: "sender_dependent_relayhost_maps = inline:{ @x.test=[own.test]:587 }\n", **A_TO_R, LOGINS: R},
        DEFAULT,
        (write({MAIN: None}),),
        ALL,
        choice="sender_dependent_relayhost_maps",
    ),
    undone(
        "smtp_sasl_security_options = noanonymous, noplaintext\n",
        "remove noplaintext",
        "smtp_sasl_security_options = noanonymous\n",
    ),
    Walk(
        "user-file-not-applied",
        "set it with postconf -e instead, and remove the line",
        {MAIN: "smtp_helo_name = helo.test\n"},
        FULL,
        (run("postconf -e smtp_helo_name=helo.test"), write({MAIN: None})),
        ALL,
    ),
    Walk(
        "user-file-not-applied",
        "set it with postconf -e instead, and remove the lines",
        {MAIN: "smtp_helo_name = helo.test\nmessage_size_limit = 5000\n"},
        FULL,
        (run("postconf -e smtp_helo_name=helo.test message_size_limit=5000"), write({MAIN: None})),
        ALL,
    ),
    Walk(
        "user-file-not-applied",
        "set it with postconf -P instead, and remove the line",
        {MASTER: "smtp/unix/smtp_helo_name=helo.test\n"},
        FULL,
        (run("postconf -P smtp/unix/smtp_helo_name=helo.test"), write({MASTER: None})),
        ALL,
    ),
)
