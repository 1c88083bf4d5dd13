"""The intermediate value of an import: relays, who uses which, and what could not be taken. Frozen values, no behaviour.

No ``repr`` shows a password.
"""

from __future__ import annotations

from dms_relay.model.values import field, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Left:
    """What was not taken, where it stands and what to do; ``is_note``: worth knowing, but mail goes as before."""

    origin: str
    text: str
    remedy: str
    is_note: bool = False

    def __str__(self) -> str:
        """One line: origin, what, what to do."""
        return f"{self.origin}: {self.text} -- {self.remedy}"


@frozen
class TakenLogin:
    """A login. ``path`` is a file that has the password already, which is named and not copied.

    ``oauth2`` has in place of a password how an access token is got: keys of ``relay.yaml``, each with its value.
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
    """A relay: hosts in their order, what it demands of TLS, and the login of everybody who has none of his own.

    ``names`` are what a certificate must match, or fingerprints; empty where they are those that ``relay.yaml`` means by
    itself. ``settings`` are what its service of master.cf sets beside, which ``relay.yaml`` has no key for.
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
    """What becomes of a message. ``relay`` is ``None`` for mail that goes directly.

    ``login`` is the one that is offered. ``stays`` says why the route cannot be written in ``relay.yaml``.
    """

    relay: TakenRelay | None = None
    login: TakenLogin | None = None
    stays: str = ""


@frozen
class Name:
    """A sender or a recipient that is named, as ``relay.yaml`` writes it, an address that stands for it, and its place."""

    key: str
    address: str
    origin: str


@frozen
class Route:
    """A sender or a recipient with its relay by name; ``None`` is directly. ``login`` is a sender's own."""

    key: str
    relay: str | None
    origin: str
    login: TakenLogin | None = None


@frozen
class Draft:
    """What ``relay.yaml`` is to say. ``default`` is ``None`` where main.cf's own ``default_transport`` is to count."""

    relays: Mapping[str, TakenRelay] = field(default_factory=dict)
    default: Route | None = None
    senders: tuple[Route, ...] = ()
    recipients: tuple[Route, ...] = ()
    left: tuple[Left, ...] = ()
