"""Refuses recipient routes for domains whose mail should arrive at this server. Pure; loaded only if there are routes."""

from __future__ import annotations

from dms_relay.errors import InputError
from dms_relay.model import RECIPIENT_TRANSPORT, RELAY_YAML, Origin, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import PostfixConfig
    from dms_relay.plan.found import Found


def refuse_local_recipients(wanted: PostfixConfig, found: Found) -> None:
    """Refuse routes that would take mail which should arrive here; managed domains were checked earlier."""
    by_key = _local_by_key(found.local)
    keys = (line.partition("\t")[0].casefold() for line in wanted.tables.get(RECIPIENT_TRANSPORT, "").splitlines())
    problems = [
        Problem(
            Origin(RELAY_YAML),
            f"recipient {key}: {domain} is a local domain ({found.local[domain]} in main.cf), so its mail must not leave",
            "remove the line, or remove the domain from main.cf",
            rule="recipient-is-local",
        )
        for key in keys
        for domain in by_key.get(key if key.startswith(".") else key.rpartition("@")[2], ())
    ]
    if problems:
        raise InputError(problems)


def _local_by_key(local: dict[str, str]) -> dict[str, list[str]]:
    """Return, by recipient key, the local domains whose mail it would take: the domain's key and its ``.parent`` keys."""
    found: dict[str, list[str]] = {}
    for domain in local:
        labels = domain.split(".")
        parents = ("." + ".".join(labels[number:]) for number in range(1, len(labels)))
        for key in (domain, *parents):
            found.setdefault(key, []).append(domain)
    return found
