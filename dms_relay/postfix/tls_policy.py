"""How Postfix's SMTP client finds the level of TLS for a nexthop (TLS_README; smtp_tls_policy.c). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dms_relay.model import AUTHORITY_LEVELS, TLS_LEVELS
from dms_relay.postfix.main_cf import is_yes, split
from dms_relay.postfix.nexthop import is_domain

if TYPE_CHECKING:
    from collections.abc import Callable


#: The attributes of a policy, with True for those that may be given only once (smtp_tls_policy.c of Postfix 3.11).
_ATTRIBUTES = {
    **dict.fromkeys(("ciphers", "protocols", "servername", "exclude", "policy_ttl", "policy_type"), True),
    **dict.fromkeys(("match", "tafile", "connection_reuse", "enable_rpk", "policy_domain", "policy_string"), False),
    **dict.fromkeys(("mx_host_pattern", "policy_failure"), False),
}
#: The levels that allow ``match``.
_MATCHING = frozenset({*AUTHORITY_LEVELS, "fingerprint"})


class Policy(NamedTuple):
    """An entry of ``smtp_tls_policy_maps``. ``trouble`` says why Postfix finds it invalid and defers mail, or is empty."""

    level: str
    attributes: tuple[tuple[str, str], ...] = ()
    trouble: str = ""

    def values(self, name: str) -> list[str]:
        """Return the values of an attribute, in order."""
        return [value for key, value in self.attributes if key == name]


def parse_policy(text: str) -> Policy:
    """Read an entry: a level, then attributes ``name=value``, which may be in braces."""
    level, *words = (word.lower() if number == 0 else word for number, word in enumerate(split(text) or [""]))
    pairs = [word.strip("{}").partition("=") for word in words]
    attributes = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    if level not in TLS_LEVELS:
        return Policy(level, attributes, f'the policy\'s level "{level}" is not a TLS level')
    if level == "none":
        return Policy(level)
    return Policy(
        level, attributes, next(filter(None, (_trouble(level, name, attributes) for name, _ in attributes)), "")
    )


def _trouble(level: str, name: str, attributes: tuple[tuple[str, str], ...]) -> str:
    values = [value for key, value in attributes if key == name]
    if name not in _ATTRIBUTES:
        return f'the policy\'s attribute "{name}" is unknown'
    if _ATTRIBUTES[name] and len(values) > 1:
        return f'the policy\'s attribute "{name}" is there twice'
    if "" in values and name in {"ciphers", "match", "tafile"}:
        return f'the policy\'s attribute "{name}" has no value'
    if (name == "match" and level not in _MATCHING) or (name == "tafile" and level not in AUTHORITY_LEVELS):
        return f'the policy\'s attribute "{name}" is not for level {level}'
    return ""


def policy_keys(nexthop: str) -> tuple[str, ...]:
    """Return the lookup keys of ``smtp_tls_policy_maps``: the nexthop as it is, and for a domain also its parents."""
    if not is_domain(nexthop):
        return (nexthop,)
    labels = nexthop.split(".")
    return (nexthop, *(f".{'.'.join(labels[number:])}" for number in range(1, len(labels))))


def level_for_all(get: Callable[[str], str]) -> str:
    """Return the level if no policy applies; ``get`` returns the value of a parameter.

    If ``smtp_tls_security_level`` is empty, the older parameters from before Postfix 2.3 decide (postconf(5)).
    """
    if level := get("smtp_tls_security_level"):
        return level.lower()
    if is_yes(get("smtp_enforce_tls")):
        return "encrypt" if get("smtp_tls_enforce_peername").lower() == "no" else "verify"
    return "may" if is_yes(get("smtp_use_tls")) else "none"
