"""Everything that was read (``Inputs``), and what the operator wants (``RelayConfig``): frozen values without behaviour."""

from __future__ import annotations

from dms_relay.model import MAPS
from dms_relay.model.senders import ManagedDomains, Routes
from dms_relay.model.values import field, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import (
        Domain,
        LoginEntry,
        NexthopList,
        Origin,
        Problem,
        Relaymap,
        ServiceParameter,
        Setting,
        UserParameter,
    )
    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.model.relays import RelayFile, Transports


@frozen
class Inputs:
    """Everything that was read. A file that does not exist is ``None``; one that exists may be empty.

    ``default`` is ``DEFAULT_RELAY_HOST``, and ``relay`` is ``RELAY_HOST`` with ``RELAY_PORT``, each as nexthops.
    ``file`` is ``relay.yaml``. ``is_user_file_last``: something else writes ``postfix-main.cf`` into main.cf after us;
    ``is_user_file_ours``: we apply all of it, and of ``postfix-master.cf``. ``own_parameters`` are all of its lines,
    ``user_parameters`` those that we would set too. ``oauth2`` is how to get a token for the login of the environment,
    instead of ``password``. ``tokens`` are the stored access tokens that have not expired, by the login's identifier.
    """

    default: tuple[NexthopList, Origin] | None = None
    relay: tuple[NexthopList, Origin] | None = None
    username: Setting | None = None
    password: Setting | None = None
    oauth2: tuple[OAuth2, Origin] | None = None
    relaymap: Relaymap | None = None
    logins: tuple[LoginEntry, ...] | None = None
    domains: ManagedDomains = field(default_factory=ManagedDomains)
    user_parameters: dict[str, UserParameter] = field(default_factory=dict)
    own_parameters: dict[str, UserParameter] = field(default_factory=dict)
    service_parameters: dict[str, ServiceParameter] = field(default_factory=dict)
    is_user_file_last: bool = False
    is_user_file_ours: bool = False
    routing: str = MAPS
    tls_level: Setting | None = None
    table_type: Setting | None = None
    file: RelayFile | None = None
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()


@frozen
class RelayConfig:
    """What the operator wants, with every conflict resolved.

    ``logins`` is ``None`` if there is to be no login table at all; ``login_file`` says whether ``postfix-sasl-password.cf``
    exists, which turns on logins by sender. If each relay has a transport of its own, everything is in ``transports``, and
    routes and logins here are empty. ``own_parameters`` and ``service_parameters`` are the operator's other settings of
    Postfix, if it is our task to apply them.
    """

    enabled: bool = False
    default: tuple[NexthopList, Origin] | None = None
    routes: Routes = field(default_factory=Routes)
    opted_out: tuple[Domain, ...] = ()
    logins: tuple[LoginEntry, ...] | None = None
    login_file: bool = False
    user_parameters: dict[str, UserParameter] = field(default_factory=dict)
    own_parameters: dict[str, UserParameter] = field(default_factory=dict)
    service_parameters: dict[str, ServiceParameter] = field(default_factory=dict)
    transports: Transports | None = None
    table_type: Setting | None = None
    warnings: tuple[Problem, ...] = ()
