"""Routes: opt-outs if main.cf requires TLS, default relays, and the domains that this server manages. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.checks.cures import own_level
from dms_relay.checks.logins import listed
from dms_relay.checks.public_domains import PUBLIC_DOMAINS
from dms_relay.checks.rules import Finding
from dms_relay.merge.common import nearest_name, other_port
from dms_relay.model import AS_DEFAULT, Relaymap
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.postfix.main_cf import is_yes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.checks.context import CheckContext
    from dms_relay.model import Domain, NexthopList, Origin

#: Parameters of main.cf that name domains or hosts of this server.
_OWN_NAMES = ("mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains", "myhostname")
_OWN_ORIGINS = ("mydomain", "myorigin")
#: Maximum domains for which to search the nearest managed one: among 3,000, each takes 12 ms.
_NEAR_MAX = 20
_ROUTES = "sender_dependent_relayhost_maps"


def check_routes(context: CheckContext) -> Iterator[Finding]:
    """Yield the findings about routes that merging does not report."""
    if context.config.enabled:
        yield from map(_without_effect, _useless(context))
        yield from _opt_outs(context)
        yield from _two_defaults(context)
        yield from _public(context)
        yield from _not_managed(context)
        yield from _not_relayed(context)


def is_contradicted(context: CheckContext, finding: Finding, used: frozenset[Origin]) -> bool:
    """Return True if a finding of merging is wrong, or this package reports it in more detail: merging sees less.

    ``used`` are the places of the logins that main.cf uses itself.
    """
    match finding.rule:
        case "implicit-tls-port":
            return _is_implicit(context)
        case "mail-does-not-leave":  # ``delivery`` reports it if there is a master.cf
            return context.paths.master_cf.exists()
        case "login-without-relay":
            return finding.origin in used
        case "no-login":
            return not any(use.nexthop for use in context.assignments)
        case "relay-without-login":
            return True
    return False


def _is_implicit(context: CheckContext) -> bool:
    """Return True if smtp(8) starts with TLS at every server: its service can override main.cf."""
    view = context.machine.view if context.machine else None
    if view and (service := view.service("smtp")):
        return service[1].is_yes("smtp_tls_wrappermode")
    return is_yes(context.parameter("smtp_tls_wrappermode"))


# Opt-outs.


def _useless(context: CheckContext) -> Iterator[Domain]:
    """Yield each opt-out from ``RELAY_HOST`` of a domain that ``RELAY_HOST`` does not serve."""
    if not context.inputs.relay or context.has_default or context.after("relayhost") or not context.inputs.domains:
        return
    served = context.inputs.domains
    opted_out = {origin for _, origin in _direct(context)}
    relaymap = context.inputs.relaymap or Relaymap()
    yield from (d for d in relaymap.opt_outs if d.origin in opted_out and d.name.casefold() not in served)


def _without_effect(domain: Domain) -> Finding:
    text = f"the opt-out of @{domain.name} has no effect: RELAY_HOST serves managed domains, and this is not one"
    return Finding("opt-out-without-effect", domain.origin, text, "remove the line, or check the spelling")


def _opt_outs(context: CheckContext) -> Iterator[Finding]:
    """Find senders that go directly while main.cf requires TLS of every server."""
    level = context.after("smtp_tls_security_level")
    if level in CLEARTEXT_LEVELS or not level or context.after("relayhost"):
        return
    useless = {domain.origin for domain in _useless(context)}
    for key, origin in _direct(context):
        text = f"mail of {key} goes directly, and smtp_tls_security_level = {level} excludes servers without TLS"
        if origin not in useless:
            yield Finding("opt-out-needs-tls", origin, text, own_level(context))


def _direct(context: CheckContext) -> Iterator[tuple[str, Origin]]:
    if transports := context.config.transports:
        yield from ((route.key, route.origin) for route in transports.senders if route.relay is None)
    else:
        yield from ((f"@{domain.name}", domain.origin) for domain in context.config.opted_out)


# Defaults.


def _two_defaults(context: CheckContext) -> Iterator[Finding]:
    inputs, file = context.inputs, context.inputs.file
    if not inputs.relay or not inputs.domains or _ROUTES in inputs.user_parameters:
        return
    if all(use.origin != inputs.relay[1] for use in context.assignments):
        text = "RELAY_HOST is not used: every managed domain has its own relay or opt-out"
        yield Finding("relay-host-unused", inputs.relay[1], text, "remove it, unless you plan to add domains")
    elif inputs.default and "relayhost" not in inputs.user_parameters and not (file and file.default):
        yield Finding("two-default-relays", inputs.relay[1], *_both(inputs.relay[0], inputs.default[0]))


def _both(relay: NexthopList, default: NexthopList) -> tuple[str, str]:
    """Return what two default relays mean, and what to do."""
    if relay.text.casefold() == default.text.casefold():
        return f"DEFAULT_RELAY_HOST is {default.text} as well, so RELAY_HOST changes nothing", "remove RELAY_HOST"
    text = f"DEFAULT_RELAY_HOST is set as well: managed domains go to {relay.text}, all other senders to {default.text}"
    if other_port(relay, default):
        return text, "remove RELAY_HOST, unless you want both ports"
    return text, "keep only one of them, unless you want both"


# Domains.


def _public(context: CheckContext) -> Iterator[Finding]:
    """Find domains of public mail services that this server treats as its own: an alias is enough for that."""
    for key, name in context.domains.items():
        if key in PUBLIC_DOMAINS:
            text = f"{name} is a public mail service, and a domain of this server: all mail to it stays here"
            remedy = f"remove the address or alias in {name}; a forward to it needs it on the right side only"
            yield Finding("public-domain-is-local", context.domains.origin(key), text, remedy)


def _not_managed(context: CheckContext) -> Iterator[Finding]:
    """Find routes of domains that this server does not manage; silent if the managed domains are unknown."""
    if not context.domains or (own := _own_names(context)) is None:
        return
    routed: dict[str, Origin] = {}
    for key, origin in _routed(context):
        routed.setdefault(key.casefold().rpartition("@")[2], origin)
    # A subdomain or a parent of a managed domain is hardly a typo.
    odd = [name for name in routed if not any(n in context.domains or n in own for n in _with_parents(name))]
    if not odd:
        return
    managed = {*context.domains.lookup_keys(), *own}
    above = {parent for name in managed for parent in _with_parents(name)}
    odd = [name for name in odd if name not in above]
    for number, domain in enumerate(odd):
        near = nearest_name(domain, managed) if number < _NEAR_MAX else None
        remedy = f"write {near}, if you mean that" if near else "check the spelling, and postfix-accounts.cf"
        remedy += f"; for mail to {domain}, write it under recipients in relay.yaml"
        text = f"this server does not manage the domain {domain}, and this is about mail from it"
        yield Finding("relay-domain-not-managed", routed[domain], text, remedy)


def _with_parents(name: str) -> list[str]:
    """Return a domain and its parents, without the top-level domain unless it is alone."""
    labels = name.split(".")
    return [".".join(labels[at:]) for at in range(max(len(labels) - 1, 1))]


def _own_names(context: CheckContext) -> set[str] | None:
    """Return the names of this server in main.cf; ``None`` if a lookup table may contain more."""
    asked = context.machine.asked if context.machine else {}
    words = [word for name in (*_OWN_NAMES, *_OWN_ORIGINS) for word in re.split(r"[,\s]+", asked.get(name, "")) if word]
    vhost = str(context.paths.vhost)
    if any(":" in word or ("/" in word and word != vhost) for word in words):
        return None
    return {word.casefold() for word in words if "/" not in word}


def _routed(context: CheckContext) -> Iterator[tuple[str, Origin]]:
    """Yield each sender key for which the operator wrote a relay."""
    relay = context.inputs.relay
    own = relay[1] if relay else None
    if transports := context.config.transports:
        routes = [(route.key, route.origin) for route in transports.senders if route.relay]
    else:
        found = context.config.routes.mapped()
        routes = [(route.key, route.origin) for route in found if route.nexthops.text.upper() != AS_DEFAULT]
    yield from ((key, origin) for key, origin in routes if "@" in key and origin != own)


def _not_relayed(context: CheckContext) -> Iterator[Finding]:
    """Find managed domains without a relay or an opt-out, if others have a relay and no default serves the rest."""
    is_elsewhere = context.has_default or context.inputs.relay or context.after("relayhost")
    if is_elsewhere or not context.domains or _ROUTES in context.inputs.user_parameters:
        return
    named = {key.casefold().rpartition("@")[2] for key, _ in _routed(context)}
    if not named:
        return
    relaymap = context.inputs.relaymap or Relaymap()
    named.update(domain.name.casefold() for domain in relaymap.opt_outs)
    named.update(key.casefold().rpartition("@")[2] for key, _ in _direct(context))
    if left := [domain for domain in context.domains if domain.name.casefold() not in named]:
        text = f"no relay is set for {listed(domain.name for domain in left)}, so their mail goes directly"
        yield Finding("managed-domain-not-relayed", left[0].origin, text, "set a relay, unless you want that")
