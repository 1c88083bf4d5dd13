"""The intermediate value of an import: relays, who uses which, and what could not be imported. Frozen values.

No ``repr`` shows a password.
"""

from __future__ import annotations

from dms_relay.model.values import field, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Left:
    """What was not imported, its place, and what to do; ``is_note``: worth knowing, but routes do not change."""

    origin: str
    text: str
    remedy: str
    is_note: bool = False

    def __str__(self) -> str:
        """Return one line: origin, text, remedy."""
        return f"{self.origin}: {self.text} -- {self.remedy}"


@frozen
class TakenLogin:
    """A login. ``path`` is a file that has the password already: it is named, not copied.

    ``oauth2`` says, instead of a password, how to obtain an access token: keys of ``relay.yaml`` and their values.
    """

    username: str
    password: str = field(default="", repr=False)
    path: str = ""
    mechanisms: tuple[str, ...] = ()
    oauth2: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@frozen
class Host:
    """One host of a relay, without brackets; ``is_domain``: its MX hosts are looked up."""

    name: str
    port: int
    is_domain: bool = False


@frozen
class TakenRelay:
    """A relay: hosts in their order, its demands on TLS, and the login for all senders without their own.

    ``names`` are what a certificate must match, or fingerprints; empty for the defaults of ``relay.yaml``. ``settings``
    are what else its service of master.cf sets, for which ``relay.yaml`` has no key.
    """

    hosts: tuple[Host, ...]
    level: str
    is_implicit: bool
    names: tuple[str, ...] = ()
    ca_file: str = ""
    login: TakenLogin | None = None
    settings: tuple[tuple[str, str], ...] = ()


@frozen
class Delivery:
    """The route of a message. ``relay`` is ``None`` for mail that goes directly.

    ``login`` is the one that is offered. ``stays`` says why ``relay.yaml`` cannot express the route.
    """

    relay: TakenRelay | None = None
    login: TakenLogin | None = None
    stays: str = ""


@frozen
class Name:
    """A named sender or recipient as in ``relay.yaml``, an address that represents it, and its place."""

    key: str
    address: str
    origin: str


@frozen
class Route:
    """A sender or a recipient with the name of its relay; ``None`` is directly. ``login`` is a sender's own."""

    key: str
    relay: str | None
    origin: str
    login: TakenLogin | None = None


@frozen
class Draft:
    """The contents of ``relay.yaml``. ``default`` is ``None`` if main.cf's own ``default_transport`` is to apply."""

    relays: Mapping[str, TakenRelay] = field(default_factory=dict)
    default: Route | None = None
    senders: tuple[Route, ...] = ()
    recipients: tuple[Route, ...] = ()
    left: tuple[Left, ...] = ()
