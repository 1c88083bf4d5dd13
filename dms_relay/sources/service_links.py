"""Ignores variables that Kubernetes and Docker inject for other services: ``RELAY_PORT`` for a Service ``relay``. Pure.

Kubernetes ("Accessing the Service", environment variables) and Docker ("Legacy container links") set ``NAME_PORT`` to
``tcp://address:port``; Docker also sets ``NAME_NAME`` to ``/container/alias``. No setting has such a value, so the variable
counts as not set, and a value from elsewhere (``NAME__FILE``, relay.env) is used.
"""

from __future__ import annotations

from dms_relay.model import Problem
from dms_relay.sources.environment import OURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Setting

#: The beginnings of a link's ``NAME_PORT`` (Kubernetes: Service, protocols; Docker: Legacy container links).
_PORTS = ("tcp://", "udp://", "sctp://")
_CURE = "write enableServiceLinks: false in the pod's spec (Docker: a network instead of --link)"
_REMEDY = f"{_CURE}, or rename the service"


def without_links(settings: dict[str, Setting], problems: list[Problem]) -> dict[str, Setting]:
    """Return the variables of the process except links; one note names the links that look like a setting."""
    links = [name for name in settings if _is_link(name, settings[name].value)]
    if not links:
        return settings
    if named := sorted(filter(_looks_like_ours, links)):
        text = f"{' and '.join(named)}: injected by Kubernetes or Docker for a service of that name, so it counts as not set"
        problems.append(Problem(settings[named[0]].origin, text, _REMEDY, False, rule="service-link", is_note=True))
    return {name: setting for name, setting in settings.items() if name not in links}


def _is_link(name: str, value: str) -> bool:
    if value.startswith(_PORTS):
        return name.endswith("_PORT") or "_PORT_" in name
    return value.startswith("/") and name.endswith("_NAME") and value.count("/") > 1


def _looks_like_ours(name: str) -> bool:
    from dms_relay.sources.near_misses import meant_by  # noqa: PLC0415 -- only where there are links

    return name in OURS or bool(meant_by(name))
