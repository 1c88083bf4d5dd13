"""Relays with a transport of their own: what ``relay.yaml`` says (``RelayFile``), and what is wanted (``Transports``).

Frozen values, as in ``model/__init__.py``. Each relay has a name; its service in master.cf is ``relay-NAME``. If a relay is
``None``, mail goes directly to the recipient's own server.
"""

from __future__ import annotations

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Login, LoginEntry, NexthopList, Origin

#: Levels at which a login may be sent in the clear: also ``dane``, if the server has no TLSA record (seen).
CLEARTEXT_LEVELS = frozenset({"none", "may", "dane"})
#: The SASL mechanisms of a relay whose logins name none. Every service has these, so that Postfix does not choose one that
#: a server announces but does not support. If a login may be sent in the clear, the one that hides the password is added;
#: Cyrus SASL prefers it.
MECHANISMS = ("plain", "login")
MECHANISMS_IN_CLEAR = ("cram-md5", *MECHANISMS)
#: The TLS level of relays from the environment and the ``.cf`` files, unless ``RELAY_TLS_LEVEL`` says otherwise.
DEFAULT_ENV_LEVEL = "encrypt"


@frozen
class Tls:
    """The TLS that a relay's mail requires. ``ca_file`` ``None`` means the system's authorities."""

    level: str = "secure"
    implicit: bool = False
    ca_file: str | None = None
    match: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    allow_cleartext_login: bool = False


@frozen
class Relay:
    """A relay: its hosts, tried in order, and its login, for every sender without a login of its own.

    ``mechanisms`` are the SASL mechanisms that Postfix may use there, in lower case; empty if no login names any.
    ``host_origins`` are the places of the nexthops in ``relay.yaml``, in order; empty if another input names them.
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
    """Where a password is: in the file or variable that ``relay.yaml`` names at ``origin``, or in ``relay.yaml`` itself."""

    origin: Origin
    file: str | None = None
    variable: str | None = None


@frozen
class RelayFile:
    """``relay.yaml``. ``default`` is ``None`` if the file does not set it, else a relay (or ``None``) and its origin.

    ``passwords`` are the places of passwords, each once: also those of logins with other mistakes, but not those of a relay
    or a sender whose name is refused. ``has_oauth2``: a login uses an access token.
    """

    relays: tuple[Relay, ...] = ()
    default: tuple[str | None, Origin] | None = None
    senders: tuple[Sender, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    passwords: tuple[PasswordPlace, ...] = ()
    has_oauth2: bool = False


@frozen
class RelayService:
    """A relay with all logins that may be offered there: by nexthop, and by sender for senders that have their own.

    ``ignores_sender_logins``: some senders use the relay's login although Postfix would find another. They get a second
    service, which does not look up senders.
    """

    relay: Relay
    logins: tuple[LoginEntry, ...] = ()
    sender_logins: tuple[LoginEntry, ...] = ()
    ignores_sender_logins: bool = False


@frozen
class TransportRoute:
    """The route for mail of a sender, or to a recipient.

    ``ignores_sender_logins``: by the service that does not look up senders.
    """

    key: str
    relay: str | None
    origin: Origin
    ignores_sender_logins: bool = False


@frozen
class Transports:
    """The wanted services and routes, with every conflict resolved. ``has_tokens``: a login uses an access token."""

    services: tuple[RelayService, ...] = ()
    senders: tuple[TransportRoute, ...] = ()
    recipients: tuple[TransportRoute, ...] = ()
    default: tuple[str | None, Origin] | None = None
    has_tokens: bool = False


def mechanisms_of(relay: Relay) -> tuple[str, ...]:
    """Return the SASL mechanisms that Postfix may use at a relay."""
    return relay.mechanisms or (MECHANISMS_IN_CLEAR if relay.tls.level in CLEARTEXT_LEVELS else MECHANISMS)
