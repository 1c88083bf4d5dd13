"""Walks through remedies that depend on what is around Postfix: docker-mailserver, our image, Docker's secrets.

What tells that place from others is a path; it is another one here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import dms_relay.sources
from dms_relay.checks import secrets
from dms_relay.render import transports
from tests.running.walks import (
    A_TO_R,
    ALL,
    ANNA,
    AT_R,
    BEN,
    CARL,
    DEFAULT,
    FULL,
    LOGINS,
    MAIN,
    PASSWORD,
    RELAYMAP,
    RELAYS,
    TRANSPORTS,
    YAML,
    R,
    Walk,
    apply,
    edit,
    run,
    write,
)

if TYPE_CHECKING:
    from types import ModuleType

    from tests.running.walks import Arrivals, Deed
    from tests.running.walks.scene import Scene

OWN_TABLE = "inline:{ @own.test=smtp:[own.test]:587 }"
OWN_RECIPIENTS = "inline:{ own.test=smtp:[own.test]:587 }"
TO_A = f"{RELAYS.partition('  s: ')[0]}recipients: {{plain.test: r}}\ndefault: direct\nsenders: {{b.test: r}}\n"
FRONT = "{0} = texthash:$config_directory/relay.d/{1}, {2}"


def place(name: str, value: str, *modules: ModuleType) -> Deed:
    """Return the deed of being where a path is another one."""

    def do(scene: Scene) -> None:
        for module in modules:
            path = scene.fill(value)
            was = getattr(module, name)
            scene.daemons.enter_context(
                patch.object(module, name, type(was)(path) if isinstance(was, str) else Path(path))
            )
        scene.is_here = True

    return do


def authority(scene: Scene) -> None:
    """Install the certificates of authorities."""
    scene.write("authorities.crt", scene.postfix.layout.authority.read_text())


in_docker_mailserver = place("DMS_START", "/", dms_relay.sources)
in_our_image = place("USER_FILES_HOOK", "/bin/sh", dms_relay.sources)


def overwritten(name: str, table: str, own: str, files: dict[str, str], arrives: Arrivals) -> Walk:
    """Return the walk of a line that docker-mailserver writes into main.cf after us, as it does then."""
    line = FRONT.format(name, table, own)
    return Walk(
        "user-file-conflict",
        f"write {line}",
        {**files, MAIN: f"{name} = {own}\n"},
        TRANSPORTS,
        (write({MAIN: f"{line}\n"}), apply, run(f"postconf -e '{line}'")),
        arrives,
        choice=name,
        before=(in_docker_mailserver,),
        leads_to=frozenset({"mail-not-relayed"} if RELAYMAP in files else ()),
    )


WALKS = (
    overwritten(
        "sender_dependent_default_transport_maps",
        "sender_transport",
        OWN_TABLE,
        {**A_TO_R, **AT_R},
        {ANNA: "r.test user"},
    ),
    overwritten(
        "transport_maps",
        "recipient_transport",
        OWN_RECIPIENTS,
        {YAML: TO_A},
        {(ANNA, CARL): "r.test user", (ANNA, "x@own.test"): "own.test", BEN: "r.test user"},
    ),
    Walk(
        "opt-out-needs-tls",
        "set smtp_tls_security_level = may in postfix-main.cf: each relay keeps its own level",
        {**A_TO_R, LOGINS: R, MAIN: "smtp_tls_security_level = encrypt\n"},
        TRANSPORTS,
        (edit(MAIN, "encrypt", "may"),),
        {ANNA: "r.test user", (BEN, CARL): "plain.test"},
        before=(in_our_image, apply),
    ),
    Walk(
        "secret-readable",
        "set mode: 0400 where the service lists the secret, or run chmod 600 on its source file",
        {"secret": PASSWORD},
        {**DEFAULT, "RELAY_USER": "user", "RELAY_PASSWORD__FILE": "{config}/secret"},
        (run("chmod 600 secret"),),
        ALL,
        before=(place("_SECRETS", "{config}", secrets), run("chmod 444 secret")),
    ),
    Walk(
        "no-authorities",
        "install ca-certificates",
        env={**FULL, **TRANSPORTS, "RELAY_TLS_LEVEL": "secure"},
        follow=(authority,),
        arrives=ALL,
        before=(place("SYSTEM_AUTHORITIES", "{config}/authorities.crt", dms_relay.sources, transports),),
    ),
)
