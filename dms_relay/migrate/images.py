"""What the sources that are images share: parameters, a login in a table, and what our own image needs for the same.

Facts about these images are those of their own start scripts, which each source names.
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

#: The password table that is made for a login.
TABLE = "sasl_passwd"
_KEEP = "write it into postfix-main.cf, with its table: relay.yaml has no words for it"
_THEN = (
    "mount the directory at /tmp/docker-mailserver in our image, and start it with the variables (docs/migrate.md)",
    "test it there: dms-relay test",
)
#: Networks that our own image always takes mail from.
_OWN_NETWORKS = frozenset({"127.0.0.0/8", "::1/128", "127.0.0.0/104"})


@frozen
class Image:
    """What an image makes of its environment.

    ``main`` are its parameters; ``own`` the names of those that an operator chose, which go on in ``postfix-main.cf``.
    ``login`` is the one of its table, under a key; ``variables`` are those of our own image.
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
    """Write what the image would have into a directory, and return it to be imported."""
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
    """Return what mail that goes directly needs, where that is not what our own image has for it."""
    level = main.get("smtp_tls_security_level") or ("may" if main.get("smtp_use_tls") == "yes" else "")
    if level and level != OWN_IMAGE["smtp_tls_security_level"]:
        return {"smtp_tls_security_level": level}
    return {}


def networks(text: str, origin: str) -> tuple[str, list[Left]]:
    """Return a list of networks as RELAY_PERMIT takes it, and what of it cannot be taken."""
    found, left = [], []
    for word in filter(None, re.split(r"[\s,]+", text)):
        bare = re.sub(r"\[(.*?)\]", r"\1", word)
        try:
            network = str(ip_network(bare, strict=False))
        except ValueError:
            text = f"{word} is no network" if ":" not in word else "a lookup table of networks"
            left.append(Left(origin, text, "write its networks into RELAY_PERMIT"))
        else:
            found += [network] if network not in _OWN_NETWORKS else []
    return ", ".join(dict.fromkeys(found)), left


def password_of(variables: Variables, name: str, file: str, *, first_line: bool = False) -> tuple[str, str, list[Left]]:
    """Return a password, the file that holds it, empty where none does or another reading counts, and what is to be said."""
    if variables.get(name) or not variables.get(file):
        return variables.get(name), "", []
    path, text = variables.get(file), variables.file(file)
    if not path.startswith("/"):
        origin = Origin(variables.origin(file))
        raise InputError(
            [Problem(origin, "is not the absolute path of a file", "name it from the root: /run/secrets/relay")]
        )
    if text is None:
        remedy = f"make sure that {path} is there where dms-relay runs, with the password in it"
        return (
            "",
            path,
            [
                Left(
                    variables.origin(file),
                    f"{path} cannot be read here; it is named all the same",
                    remedy,
                    is_note=True,
                )
            ],
        )
    password = text.split("\n")[0].strip() if first_line else text.rstrip("\n")
    is_same = password == text.removesuffix("\n").removesuffix("\r")
    return password, path if is_same else "", []
