"""The way of one waiting message, with what its remedy depends on: host, login, TLS level. Reads lookup tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError
from dms_relay.explain.client import PROGRAMS, hops
from dms_relay.explain.tables import LookupFailedError
from dms_relay.mail_queue.labels import UNKNOWN, service_relay
from dms_relay.mail_queue.remedies import Way
from dms_relay.model import DIRECT, RELAYHOST_MAP, Login, LoginEntry, Origin
from dms_relay.model.oauth2 import TOKEN_MECHANISMS
from dms_relay.postfix.master_cf import PREFIX
from dms_relay.relay_test.demand import Demand
from dms_relay.relay_test.secrets import Secrets
from dms_relay.relay_test.targets import Target

if TYPE_CHECKING:
    from dms_relay.explain.client import Hop
    from dms_relay.explain.origins import Origins
    from dms_relay.explain.routing import Resolution
    from dms_relay.explain.views import View

_RELAYHOST = "relayhost"
#: The origin of a login if it is unknown.
_INPUTS = Origin("the inputs")


class Ways:
    """The ways of messages by the configuration in force; ``origins`` are the places of logins, if known."""

    def __init__(self, view: View, origins: Origins | None = None) -> None:
        """Set the configuration and the origins."""
        self._view = view
        self._origins = origins

    def way(self, label: str, route: Resolution, envelope: tuple[str, str], host: str) -> tuple[Way, Secrets]:
        """Return the way of a message to the host named in a reason, and the secrets of its login."""
        found = self._hops(route, envelope)
        at = next((hop for hop in found if hop.host.casefold() == host.casefold()), None) or next(iter(found), None)
        if at is None:
            return Way(route.transport, "", "", is_known=label != UNKNOWN), Secrets()
        entry, is_token = self._entry(at)
        target = None if label == DIRECT else self._target(route, at, entry)
        way = Way(
            route.transport, at.host, at.demand.level, self._helo(route), target, is_token, self._is_managed(route)
        )
        return way, Secrets(entry.login if entry else None)

    def _is_managed(self, route: Resolution) -> bool:
        """Return True if the relay of a route is known to be one of our inputs."""
        if route.transport.startswith(PREFIX):
            return True
        for step in route.steps:
            if step.match and step.match.value == route.nexthop:
                return step.match.table.rpartition("/")[2] == RELAYHOST_MAP
            if step.parameter == _RELAYHOST and step.value == route.nexthop:
                return self._origins is None or self._origins.of_parameter(_RELAYHOST, step.value) is not None
        return False

    def _place(self, route: Resolution) -> Origin | None:
        """Return the place that names the relay's hosts, where that is one of our inputs and known."""
        if self._origins is None:
            return None
        if route.transport.startswith(PREFIX):
            return self._origins.of_service(route.transport)
        for step in route.steps:
            if step.match and step.match.value == route.nexthop:
                return self._origins.of_match(step.match)
            if step.parameter == _RELAYHOST and step.value == route.nexthop:
                return self._origins.of_parameter(_RELAYHOST, step.value)
        return None

    def _helo(self, route: Resolution) -> str:
        service = self._view.service(route.transport)
        return service[1].get("smtp_helo_name") if service else ""

    def _hops(self, route: Resolution, envelope: tuple[str, str]) -> tuple[Hop, ...]:
        service = self._view.service(route.transport)
        if service is None or service[0] not in PROGRAMS:
            return ()
        try:
            return hops(self._view, service, envelope, route.nexthop)
        except (LookupFailedError, PostfixError):
            return ()

    def _entry(self, hop: Hop) -> tuple[LoginEntry | None, bool]:
        """Return the login at a host with its origin, and True if it takes an access token."""
        if (offer := hop.offer) is None:
            return None, False
        known = self._origins.token_login(offer.match) if self._origins else None
        origin = (self._origins.of_match(offer.match) if self._origins else None) or _INPUTS
        username, _, password = offer.match.value.partition(":")
        oauth2 = known[1].login.oauth2 if known else None
        is_token = bool(known) or (bool(offer.mechanisms) and set(offer.mechanisms) <= set(TOKEN_MECHANISMS))
        return LoginEntry(offer.match.key, Login(username, password, oauth2), origin), is_token

    def _target(self, route: Resolution, hop: Hop, entry: LoginEntry | None) -> Target | None:
        filtered = hop.offer.mechanisms if hop.offer else ()
        demand = Demand(level=hop.demand.level, implicit=hop.demand.implicit, mechanism_filter=filtered)
        by_maps = not route.transport.startswith(PREFIX)
        name = hop.nexthop if by_maps else service_relay(route.transport)
        place = self._place(route)
        target = Target(name, hop.nexthop, demand, entry, by_maps=by_maps, origins=(place,) if place else ())
        try:
            target.port  # noqa: B018 -- an operator's own table may use a name of a port that is unknown here
        except ValueError:
            return None
        return target
