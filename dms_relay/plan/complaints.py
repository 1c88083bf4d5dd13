"""The warnings of a plan: parameters that it does not put back, and logins that every user can read. Pure."""

from __future__ import annotations

from dms_relay.model import Origin, Problem
from dms_relay.model.values import replace
from dms_relay.postfix.master_cf import overriding

#: Parameters that can name nexthops without us.
_OWN_NEXTHOPS = (
    "transport_maps",
    "sender_dependent_default_transport_maps",
    "default_transport",
    "relay_transport",
    "smtp_fallback_relay",
    "content_filter",
)
#: Managed parameters that can name nexthops if a service overrides them.
_MANAGED = ("relayhost", "sender_dependent_relayhost_maps")
#: How merging's message begins if a login has no relay.
_NO_RELAY = "no relay has this lookup key"
_LOCAL_ONLY = "postconf -X default_transport, then postfix reload"
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.model.configuration import RelayConfig
    from dms_relay.plan import Plan
    from dms_relay.plan.state import State


def complaints(left: Iterable[str], public: Iterable[str], state: State, stopped: str) -> list[Problem]:
    """Return a warning for each parameter that we leave because somebody changed it, and for each that is public.

    ``stopped`` is a transport that delivers no mail, or empty.
    """
    found = [*(_left(name, state) for name in left), *map(_public, public)]
    return [*found, _stopped(stopped)] if stopped else found


def sure(config: RelayConfig, changes: Plan) -> list[Problem]:
    """Return the warnings of merging; a warning that nexthops of main.cf may contradict says that it is uncertain.

    Only ``dms-relay check`` looks into the operator's own tables: this function is called at each start.
    """
    if config.transports or not _names_nexthops(config, changes):
        return list(config.warnings)
    return [_unsure(problem) if problem.text.startswith(_NO_RELAY) else problem for problem in config.warnings]


def _names_nexthops(config: RelayConfig, changes: Plan) -> bool:
    """Return True if main.cf or a service of master.cf can name nexthops of its own, once the plan is carried out."""
    own = changes.found.parameters | {change.name: change.new or "" for change in changes.parameters}
    own = own | {
        name: given.value for name, given in config.user_parameters.items()
    }  # docker-mailserver sets them later
    if any(own.get(name) for name in _OWN_NEXTHOPS) or (own.get("relayhost") and not config.default):
        return True
    return any(overriding(changes.found.master, name) for name in (*_OWN_NEXTHOPS, *_MANAGED))


def _unsure(problem: Problem) -> Problem:
    text = f"{_NO_RELAY}; it may be for a nexthop that main.cf or master.cf names"
    return replace(problem, text=text, remedy="run dms-relay check to see if it is")


def _stopped(name: str) -> Problem:
    """Return a warning that Postfix has no service that sends mail to relays."""
    text = f"the transport {name} (default_transport) delivers no mail to a relay, according to main.cf and master.cf"
    remedy = f"remove default_transport from main.cf: {_LOCAL_ONLY}"
    if name == "smtp":
        text = "no mail leaves: defer_transports in main.cf names smtp, or master.cf has no service smtp unix"
        remedy = (
            "remove smtp from defer_transports in main.cf, or add the line smtp unix - - n - - smtp to master.cf; "
            "then run postfix reload"
        )
    return Problem(Origin("main.cf"), text, remedy, is_error=False, rule="mail-does-not-leave")


def _left(name: str, state: State) -> Problem:
    given = state.parameters[name]
    remedy = f"check it: before dms-relay it was {'set' if given.before is not None else 'not set'}"
    text = f"{name} was changed since the last apply, so it is not restored"
    return Problem(Origin("main.cf"), text, remedy, is_error=False, rule="parameter-left")


def _public(name: str) -> Problem:
    text = f"{name} can hold a login, and every user can read main.cf"
    remedy = "remove the line, and add the login to postfix-sasl-password.cf"
    return Problem(Origin("postfix-main.cf"), text, remedy, is_error=False, rule="login-in-main-cf")
