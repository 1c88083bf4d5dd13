"""The values that pass from step to step: frozen, without behaviour that touches the machine.

Every value from an operator carries its ``Origin``. A ``Login`` never shows its password, in ``repr`` or in ``str``.
"""

from __future__ import annotations

from pathlib import Path

from dms_relay.model.places import default_config_dir
from dms_relay.model.values import field, frozen, frozen_ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.model.oauth2 import OAuth2

#: Shown in place of a password.
MASK = "********"

#: The lookup key of the null sender (postconf(5), empty_address_relayhost_maps_lookup_key).
NULL_SENDER = "<>"

#: The tables that we write, by file name in Postfix's configuration directory.
RELAYHOST_MAP = "relayhost_map"
SASL_PASSWD = "sasl_passwd"  # noqa: S105 -- a file name
TABLES = (SASL_PASSWD, RELAYHOST_MAP)

#: The directory of the tables for relays with a transport each (``RELAY_ROUTING=transports``).
RELAY_DIRECTORY = "relay.d"
SENDER_TRANSPORT = f"{RELAY_DIRECTORY}/sender_transport"
RECIPIENT_TRANSPORT = f"{RELAY_DIRECTORY}/recipient_transport"
#: A table of patterns, not keys: the failures that are a matter of configuration, so that mail waits (``render``).
TEMPORARY_FAILURES = f"{RELAY_DIRECTORY}/temporary_failures"

#: The file of relays that have a transport of their own, in the configuration directory.
RELAY_YAML = "relay.yaml"

#: The port of implicit TLS (RFC 8314), its names (/etc/services), and the other port of Amazon SES and Resend.
IMPLICIT_TLS_PORTS = frozenset({"465", "2465", "submissions", "smtps", "ssmtp"})

#: The value of a route whose mail goes the default way (postconf(5), sender_dependent_relayhost_maps).
AS_DEFAULT = "DUNNO"

#: The value of a route whose mail goes to the recipient's own server.
DIRECT = "direct"

#: How mail finds its relay: by tables of nexthops, as with relay.sh, or by a transport for each relay.
MAPS, TRANSPORTS = ROUTINGS = ("maps", "transports")

#: Postfix's levels of TLS (TLS_README, "Client TLS security levels").
TLS_LEVELS = ("secure", "verify", "dane-only", "dane", "fingerprint", "encrypt", "may", "none")

#: Levels that check the server's certificate against authorities.
AUTHORITY_LEVELS = frozenset({"secure", "verify"})
#: Where Debian and its derivatives keep the system's certificate authorities (package ca-certificates).
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

#: The parameters that we set: those that route mail, and those that protect it on the way.
TRANSPORT_PARAMETERS = ("default_transport", "sender_dependent_default_transport_maps", "transport_maps")
ROUTE_PARAMETERS = ("relayhost", "sender_dependent_relayhost_maps", *TRANSPORT_PARAMETERS)
PROTECTION_PARAMETERS = (
    "smtp_sasl_password_maps",
    "smtp_sasl_auth_enable",
    "smtp_sasl_security_options",
    "smtp_tls_security_level",
    "smtp_sender_dependent_authentication",
)
#: Limits the SASL mechanisms: we set it in main.cf if access tokens are in use, so that no password is sent as a token.
MECHANISM_FILTER = "smtp_sasl_mechanism_filter"
PARAMETERS = (*ROUTE_PARAMETERS, *PROTECTION_PARAMETERS, MECHANISM_FILTER)


@frozen
class Paths:
    """The directories of the inputs, of Postfix's configuration and of our state; all paths are absolute."""

    config_dir: Path = field(default_factory=lambda: Path(default_config_dir()))
    postfix_dir: Path = Path("/etc/postfix")
    #: Data that outlives Postfix's configuration: access and refresh tokens (``tokens``), and the keeper's own records.
    state_dir: Path = Path("/var/lib/dms-relay")

    @property
    def main_cf(self) -> Path:
        """Postfix's main configuration file."""
        return self.postfix_dir / "main.cf"

    @property
    def state(self) -> Path:
        """The state file, kept from run to run; it may hold a login, so it is 0600 like the tables."""
        return self.postfix_dir / "dms-relay.state.json"

    @property
    def relay_directory(self) -> Path:
        """The directory of the tables for relays with a transport of their own."""
        return self.postfix_dir / RELAY_DIRECTORY

    @property
    def master_cf(self) -> Path:
        """Postfix's services."""
        return self.postfix_dir / "master.cf"

    @property
    def vhost(self) -> Path:
        """The list of managed domains that DMS writes."""
        return self.postfix_dir / "vhost"

    def table(self, name: str) -> Path:
        """Return the path of one of our lookup tables."""
        return self.postfix_dir / name


@frozen_ordered
class Origin:
    """Where a value comes from: ``env RELAY_HOST``, ``postfix-relaymap.cf:3``, ``relay.yaml:4:11``.

    ``line`` and ``column`` count from 1; 0 means none.
    """

    source: str
    line: int = 0
    column: int = field(default=0, repr=False)

    def __str__(self) -> str:
        """Return ``source:line:column`` as compilers print it, so that editors can jump there."""
        return ":".join([self.source, *(str(number) for number in (self.line, self.column) if number)])


@frozen
class Problem:
    """What is wrong with an input, and what to write instead. ``text`` and ``remedy`` never hold a secret.

    ``rule`` is the stable identifier by which ``dms-relay check`` reports it, or ``""`` (docs/checks.md). ``is_note``: worth
    knowing, but no reason to change anything, so ``apply`` logs it at the level ``info``.
    """

    origin: Origin
    text: str
    remedy: str
    is_error: bool = True
    is_missing: bool = False
    rule: str = ""
    is_note: bool = False

    def __str__(self) -> str:
        """Return one line: origin, what is wrong, what to do."""
        return f"{self.origin}: {self.text} -- {self.remedy}"


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by origin, then by text, so that the same mistakes always give the same report."""
    return tuple(sorted(problems, key=lambda problem: (problem.origin, problem.text)))


@frozen
class Setting:
    """The value of one of the environment variables. ``value`` may be a password, so it is not shown."""

    value: str = field(repr=False)
    origin: Origin


@frozen
class Login:
    """A SASL user name and password; if ``oauth2`` is set, the password is an access token."""

    username: str
    password: str
    oauth2: OAuth2 | None = None

    def __repr__(self) -> str:
        """Return the user name, without the password."""
        return f"Login(username={self.shown_username!r})"

    @property
    def shown_username(self) -> str:
        """The user name, masked if it is also the password: some relays use one token for both."""
        return MASK if self.username == self.password else self.username

    @property
    def table_value(self) -> str:
        """The value in the password table; Postfix splits it at the first colon (postconf(5), smtp_sasl_password_maps)."""
        return f"{self.username}:{self.password}"


@frozen
class NexthopList:
    """One or several nexthops, tried in order (Postfix 3.5 and later).

    ``text`` is the list exactly as the operator wrote it; ``members`` are its nexthops, each exactly as Postfix will use it
    as the lookup key of a login.
    """

    text: str
    members: tuple[str, ...]


@frozen
class Route:
    """One line of ``relayhost_map``: a sender key (``@domain``, ``user@domain``, ``<>``) and its nexthops."""

    key: str
    nexthops: NexthopList
    origin: Origin


@frozen
class LoginEntry:
    """One line of ``sasl_passwd``: a sender key or a nexthop, and the login."""

    key: str
    login: Login
    origin: Origin


@frozen
class Domain:
    """A mail domain and where it is named: managed by this server, or opted out of ``RELAY_HOST``."""

    name: str
    origin: Origin


@frozen
class Relaymap:
    """``postfix-relaymap.cf``: its mappings and its opt-outs, in order."""

    routes: tuple[Route, ...] = ()
    opt_outs: tuple[Domain, ...] = ()


@frozen
class UserParameter:
    """A parameter that the operator sets in ``postfix-main.cf``. Its value can hold a login, so it is not shown."""

    value: str = field(repr=False)
    origin: Origin


@frozen
class ServiceParameter:
    """A parameter of one service of master.cf, from ``postfix-master.cf``; ``service`` is ``smtp/unix``."""

    service: str
    name: str
    value: str = field(repr=False)
    origin: Origin

    @property
    def key(self) -> str:
        """The name of it for ``postconf -P``."""
        return f"{self.service}/{self.name}"


@frozen
class PostfixConfig:
    """What Postfix should have: each table's whole text by its name, each parameter's value by its name.

    Tables and values may hold logins. A parameter in ``prepended_maps`` keeps its present lookup tables, with this one
    before them. ``services`` are smtp(8) services of master.cf, by name, each with the parameters that it overrides.

    All tables are ``texthash:`` here. ``references`` maps each parameter whose value begins with a managed table to that
    table: if the table gets another type, the value changes with it. ``table_type`` is ``RELAY_TABLES``.

    ``service_parameters`` are the operator's, from ``postfix-master.cf``, by their keys. ``token_tables`` are the tables
    whose logins are access tokens.
    """

    tables: dict[str, str] = field(default_factory=dict, repr=False)
    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    prepended_maps: dict[str, str] = field(default_factory=dict)
    services: dict[str, dict[str, str]] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    table_type: Setting | None = None
    service_parameters: dict[str, ServiceParameter] = field(default_factory=dict)
    token_tables: frozenset[str] = frozenset()
