"""Why a message goes another way than was meant: settings without effect, and what ``RELAY_ROUTING=maps`` cannot do. Pure.

Merging has found most of it; here is said what concerns the message that is explained. Of maps nothing is said where the
operator relays with transports already, or where main.cf does by itself what maps cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model.relays import CLEARTEXT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.explain.document import RouteDocument
    from dms_relay.model import Problem
    from dms_relay.model.configuration import Inputs, RelayConfig

_SWITCH = "RELAY_ROUTING=transports"
_LEVEL = "smtp_tls_security_level"
#: Findings of inputs that have no effect, although they were meant to have mail relayed.
_NOBODY = "no-managed-domain"
_WITHOUT_EFFECT = frozenset({"unknown-setting", "setting-without-effect", "login-without-relay"})
_ROUTES = "sender_dependent_relayhost_maps"


def limits(config: RelayConfig, inputs: Inputs, route: RouteDocument, sender: str) -> Iterator[str]:
    """Yield a note for each setting without effect, and each limit of maps, that the route of a message meets."""
    if route["is_direct"]:
        yield from _not_relayed(config)
    if config.transports or not config.enabled:
        return
    places = {lookup["origin"] for lookup in route["lookups"] if lookup["origin"]}
    opted_out = _opted_out(inputs, sender) if _is_by_default(config, route, places) else set()
    for problem in config.warnings:
        if _SWITCH in problem.remedy and str(problem.origin) in places | opted_out and not _is_solved(problem, route):
            yield str(problem)
    if _needs_tls_for_relays(config, route):
        level = route["hops"][0]["tls"]["level"]
        text = f"{_LEVEL} = {level} is for the relays, but this mail goes directly, and waits if the server has no TLS"
        yield f"{text} -- set {_SWITCH}, which gives each relay its own level"


def _not_relayed(config: RelayConfig) -> Iterator[str]:
    """Yield why no mail at all is relayed: what was meant to say so has no effect."""
    if not config.enabled:
        yield "no relay is set, so all mail goes directly -- set DEFAULT_RELAY_HOST, or write relay.yaml"
    for problem in config.warnings:
        if problem.rule == _NOBODY or (not config.enabled and problem.rule in _WITHOUT_EFFECT):
            yield str(problem)


def _opted_out(inputs: Inputs, sender: str) -> set[str]:
    """Return the places of the sender's opt-outs."""
    domain = sender.rpartition("@")[2].casefold()
    opt_outs = inputs.relaymap.opt_outs if inputs.relaymap else ()
    return {str(one.origin) for one in opt_outs if one.name.casefold() == domain}


def _is_by_default(config: RelayConfig, route: RouteDocument, places: set[str]) -> bool:
    """Return True if the default relay takes the message, and no route of its sender."""
    is_named = any(lookup["key"] for lookup in route["lookups"] if lookup["parameter"] == _ROUTES)
    return config.default is not None and str(config.default[1]) in places and not is_named


def _is_solved(problem: Problem, route: RouteDocument) -> bool:
    return problem.rule == "implicit-tls-port" and all(hop["tls"]["mode"] == "implicit" for hop in route["hops"])


def _needs_tls_for_relays(config: RelayConfig, route: RouteDocument) -> bool:
    """Return True if mail goes directly at the level that ``apply`` has set for logins at relays."""
    is_relaying = config.default is not None or any(True for _ in config.routes.ways())
    if not (is_relaying and route["is_direct"] and route["hops"]) or config.logins is None:
        return False
    if _LEVEL in config.user_parameters:
        return False
    tls = route["hops"][0]["tls"]
    return tls["parameter"] == _LEVEL and not tls["key"] and tls["level"] not in CLEARTEXT_LEVELS
