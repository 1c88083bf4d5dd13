"""Shared parts of the sources that are images: parameters, a login in a table, and what our image needs for the same.

Facts about these images come from their own start scripts, which each source names.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING

from dms_relay.errors import InputError
from dms_relay.migrate.draft import Left, Name, TakenLogin
from dms_relay.migrate.given import Given
from dms_relay.migrate.refusals import view_of
from dms_relay.migrate.rendering import OWN_IMAGE, TAKEN, in_own_image, rendered
from dms_relay.model import Origin, Problem
from dms_relay.model.values import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dms_relay.migrate.environment import Variables

#: The password table for a login.
TABLE = "sasl_passwd"
_KEEP = "write it into postfix-main.cf, with its table: relay.yaml cannot express it"
_THEN = (
    "mount the directory at /tmp/docker-mailserver in our image, and start it with the variables (docs/migrate.md)",
    "test it there: dms-relay test",
)
#: Networks from which our own image always accepts mail.
_OWN_NETWORKS = frozenset({"127.0.0.0/8", "::1/128", "127.0.0.0/104"})


@frozen
class Image:
    """The configuration that an image derives from its environment.

    ``main`` are its parameters; ``own`` the names of those that an operator chose, which move to ``postfix-main.cf``.
    ``login`` is the one of its table, under a key; ``variables`` are those for our own image.
    """

    source: str
    main: Mapping[str, str] = field(repr=False)
    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str = ""
    login: TakenLogin | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    left: tuple[Left, ...] = ()
    senders: tuple[Name, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


def given_of(image: Image, directory: Path) -> Given:
    """Write the image's configuration into a directory, and return it for the import."""
    tables, main = {}, dict(image.main)
    if image.login:
        tables[TABLE] = f"{image.key} {image.login.username}:{image.login.password}\n"
        main["smtp_sasl_password_maps"] = f"texthash:{directory}/image/{TABLE}"
    postfix = rendered(directory / "image", main, tables)
    view = view_of(postfix, directory, main, image.origins)
    kept = {name: value for name, value in image.own.items() if name not in TAKEN}
    value = f"{image.login.username}:{image.login.password}" if image.login else ""
    return Given(
        source=image.source,
        view=view,
        postfix=postfix,
        after=lambda inputs, own: in_own_image(directory / "own", inputs, main.get("myhostname", ""), own),
        senders=image.senders,
        logins={value: image.login} if image.login else {},
        parameters=kept,
        direct=_direct(main),
        then=_THEN,
        keep=_KEEP,
        variables=image.variables,
        left=image.left,
        origins=image.origins,
    )


def _direct(main: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters for direct mail that differ from our own image's."""
    level = main.get("smtp_tls_security_level") or ("may" if main.get("smtp_use_tls") == "yes" else "")
    if level and level != OWN_IMAGE["smtp_tls_security_level"]:
        return {"smtp_tls_security_level": level}
    return {}


def networks(text: str, origin: str) -> tuple[str, list[Left]]:
    """Return a list of networks for RELAY_PERMIT, and the words that it cannot contain."""
    found, left = [], []
    for word in filter(None, re.split(r"[\s,]+", text)):
        bare = re.sub(r"\[(.*?)\]", r"\1", word)
        try:
            network = str(ip_network(bare, strict=False))
        except ValueError:
            text = f"{word} is not a network" if ":" not in word else "a lookup table of networks"
            left.append(Left(origin, text, "write its networks into RELAY_PERMIT"))
        else:
            found += [network] if network not in _OWN_NETWORKS else []
    return ", ".join(dict.fromkeys(found)), left


def password_of(variables: Variables, name: str, file: str, *, first_line: bool = False) -> tuple[str, str, list[Left]]:
    """Return a password, its file (empty if there is none, or its contents are read differently), and notes."""
    if variables.get(name) or not variables.get(file):
        return variables.get(name), "", []
    path, text = variables.get(file), variables.file(file)
    if not path.startswith("/"):
        origin = Origin(variables.origin(file))
        raise InputError(
            [Problem(origin, "is not the absolute path of a file", "name it from the root: /run/secrets/relay")]
        )
    if text is None:
        remedy = f"make sure that {path} exists where dms-relay runs, with the password in it"
        return (
            "",
            path,
            [
                Left(
                    variables.origin(file),
                    f"{path} cannot be read here, but relay.yaml names it",
                    remedy,
                    is_note=True,
                )
            ],
        )
    password = text.split("\n")[0].strip() if first_line else text.rstrip("\n")
    is_same = password == text.removesuffix("\n").removesuffix("\r")
    return password, path if is_same else "", []
