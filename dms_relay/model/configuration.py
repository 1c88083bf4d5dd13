"""All that was read (``Inputs``), and what the operator wants (``RelayConfig``): frozen values without behaviour."""

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
        Setting,
        UserParameter,
    )
    from dms_relay.model.relays import RelayFile, Transports


@frozen
class Inputs:
    """All that was read. A file that is not there is ``None``, one that is there may be empty.

    ``default`` is ``DEFAULT_RELAY_HOST``, ``relay`` is ``RELAY_HOST`` with ``RELAY_PORT``, each as the route that it makes.
    ``file`` is ``relay.yaml``. ``is_user_file_last`` says that somebody writes ``postfix-main.cf`` into main.cf after us.
    """

    default: tuple[NexthopList, Origin] | None = None
    relay: tuple[NexthopList, Origin] | None = None
    username: Setting | None = None
    password: Setting | None = None
    relaymap: Relaymap | None = None
    logins: tuple[LoginEntry, ...] | None = None
    domains: ManagedDomains = field(default_factory=ManagedDomains)
    user_parameters: dict[str, UserParameter] = field(default_factory=dict)
    is_user_file_last: bool = False
    routing: str = MAPS
    tls_level: Setting | None = None
    table_type: Setting | None = None
    file: RelayFile | None = None
    problems: tuple[Problem, ...] = ()


@frozen
class RelayConfig:
    """What the operator wants, with every conflict resolved.

    ``logins`` is ``None`` where no login table is to be made at all; ``login_file`` says whether
    ``postfix-sasl-password.cf`` is there, which turns logins by sender on. Where each relay has a transport of its own, all
    of it stands in ``transports``, and routes and logins here are empty.
    """

    enabled: bool = False
    default: tuple[NexthopList, Origin] | None = None
    routes: Routes = field(default_factory=Routes)
    opted_out: tuple[Domain, ...] = ()
    logins: tuple[LoginEntry, ...] | None = None
    login_file: bool = False
    user_parameters: dict[str, UserParameter] = field(default_factory=dict)
    transports: Transports | None = None
    table_type: Setting | None = None
    warnings: tuple[Problem, ...] = ()
