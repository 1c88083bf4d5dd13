"""Relays with a transport of their own: what ``relay.yaml`` says (``RelayFile``), and what is wanted (``Transports``).

Frozen values, as in ``model.py``. A relay is named; its service in master.cf is ``relay-NAME``. Where a
relay is ``None``, mail goes directly to the recipient's own server.
"""

from __future__ import annotations

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Login, LoginEntry, NexthopList, Origin

#: Levels at which a login can travel in the clear: also ``dane``, where the server has no TLSA record (seen).
CLEARTEXT_LEVELS = frozenset({"none", "may", "dane"})
#: The SASL mechanisms of a relay whose logins say none. They are those that every service has, so that Postfix does not
#: choose one that a server announces and cannot do; where a login can travel in the clear, also the one that hides the
#: password, which Cyrus SASL prefers.
MECHANISMS = ("plain", "login")
MECHANISMS_IN_CLEAR = ("cram-md5", *MECHANISMS)
#: The level of relays that the environment and the ``.cf`` files name, unless ``RELAY_TLS_LEVEL`` says otherwise.
DEFAULT_ENV_LEVEL = "encrypt"


@frozen
class Tls:
    """What a relay demands of TLS. ``ca_file`` ``None`` means the system's authorities."""

    level: str = "secure"
    implicit: bool = False
    ca_file: str | None = None
    match: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    allow_cleartext_login: bool = False


@frozen
class Relay:
    """A relay: its hosts, tried in their order, and the login that everybody uses there who has none of his own.

    ``mechanisms`` are the SASL mechanisms that Postfix may use there, in lower case; empty where no login says any.
    ``host_origins`` are the places of the nexthops in ``relay.yaml``, in their order; empty where another input names them.
    """

    name: str
    nexthops: NexthopList
    tls: Tls
    origin: Origin
    login: Login | None = None
    login_origin: Origin | None = None
    mechanisms: tuple[str, ...] = ()
    host_origins: tuple[Origin, ...] = ()


@frozen
class Sender:
    """A sender key (``@domain``, ``user@domain``, ``<>``), its relay, and its own login there."""

    key: str
    relay: str | None
    origin: Origin
    login: Login | None = None
    login_origin: Origin | None = None


@frozen
class Recipient:
    """A recipient key (``domain``, ``user@domain``) and its relay."""

    key: str
    relay: str | None
    origin: Origin


@frozen
class PasswordPlace:
    """Where ``relay.yaml`` has a password: in the file or the variable that it names at ``origin``, else in itself."""

    origin: Origin
    file: str | None = None
    variable: str | None = None


@frozen
class RelayFile:
    """``relay.yaml``. ``default`` is ``None`` where the file does not say it, else a relay (or ``None``) and its place.

    ``passwords`` are the places of passwords, each once: also of logins that are wrong otherwise, but not below the name of
    a relay or a sender that is refused. ``has_oauth2``: a login takes an access token.
    """

    relays: tuple[Relay, ...] = ()
    default: tuple[str | None, Origin] | None = None
    senders: tuple[Sender, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    passwords: tuple[PasswordPlace, ...] = ()
    has_oauth2: bool = False


@frozen
class RelayService:
    """A relay with all logins that may be offered there: by nexthop, and by sender for those that have their own.

    ``ignores_sender_logins``: some senders use the relay's login although Postfix would find another. They have a service
    of their own, which does not look at senders.
    """

    relay: Relay
    logins: tuple[LoginEntry, ...] = ()
    sender_logins: tuple[LoginEntry, ...] = ()
    ignores_sender_logins: bool = False


@frozen
class TransportRoute:
    """Which way mail of a sender, or to a recipient, goes.

    ``ignores_sender_logins``: by the service that does not look at senders.
    """

    key: str
    relay: str | None
    origin: Origin
    ignores_sender_logins: bool = False


@frozen
class Transports:
    """What is wanted, with every conflict resolved. ``has_tokens``: a login takes an access token."""

    services: tuple[RelayService, ...] = ()
    senders: tuple[TransportRoute, ...] = ()
    recipients: tuple[TransportRoute, ...] = ()
    default: tuple[str | None, Origin] | None = None
    has_tokens: bool = False


def mechanisms_of(relay: Relay) -> tuple[str, ...]:
    """Return the SASL mechanisms that Postfix may use at a relay."""
    return relay.mechanisms or (MECHANISMS_IN_CLEAR if relay.tls.level in CLEARTEXT_LEVELS else MECHANISMS)
