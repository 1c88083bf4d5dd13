"""Words that mean "everybody", "all subdomains" or "directly" elsewhere, but not here: what to write instead. Pure."""

from __future__ import annotations

from dms_relay.postfix.nexthop import SyntaxProblem

#: Keys that mean everybody in a shell, in SQL, in Postfix's transport table, or in other mail servers.
EVERYBODY = frozenset({"*", "%", "@", "**", "@*", "@%", "*@", "%@", "*@*", "%@%", "@**", "@."})
#: Words that mean "without a relay" or "let it pass" elsewhere. A relay with such a name needs brackets or a port.
_WORDS = """
direct directly none no off false null nil disabled skip exclude excluded ignore bypass except opt-out optout ok yes on true
permit accept allow pass reject deny discard defer default unset empty
"""
_DIRECTLY = frozenset(_WORDS.split())
#: Transports of master.cf that people write instead of a nexthop.
_TRANSPORTS = frozenset(
    {":", "smtp:", "relay:", "local:", "virtual:", "lmtp:", "discard:", "error:", "retry:", "direct:"}
)


def is_word(value: str) -> bool:
    """Return True if a nexthop is a word that means something else elsewhere, but here a host of that name."""
    return value.lower() in _DIRECTLY


def refuse_transport(value: str, key: str) -> None:
    """Raise ``SyntaxProblem`` if a transport alone is written instead of a nexthop."""
    if value.lower() in _TRANSPORTS:
        raise SyntaxProblem("there is a transport instead of the nexthop", directly(key))


def directly(key: str) -> str:
    """Return the remedy that sends the mail of a sender directly."""
    if not key.startswith("@"):
        return f"write {key}: direct under senders in relay.yaml, to send it directly"
    ways = f"write {key} alone, and set RELAY_ROUTING=transports where DEFAULT_RELAY_HOST is set"
    return f"to send it directly, {ways}; or {key[1:]}: direct under senders in relay.yaml"


def refuse_everybody(key: str, remedy: str) -> None:
    """Raise ``SyntaxProblem`` if a key means everybody, or all subdomains, elsewhere."""
    if key in EVERYBODY:
        raise SyntaxProblem(f"{key} is not a wildcard here", remedy)
    domain = key.rpartition("@")[2]
    if domain.startswith((".", "*.", "%.")):
        raise SyntaxProblem("the key means all subdomains elsewhere, but not here", "name each subdomain")
