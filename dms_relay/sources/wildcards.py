"""Words for "everybody", "all subdomains" or "directly" that are none here: what to write instead of each. Pure."""

from __future__ import annotations

from dms_relay.postfix.nexthop import SyntaxProblem

#: Keys that mean everybody elsewhere: in a shell, in SQL, in Postfix's transport table, in other mail servers.
EVERYBODY = frozenset({"*", "%", "@", "**", "@*", "@%", "*@", "%@", "*@*", "%@%", "@**", "@."})
#: Words that mean "without a relay" or "let it pass" elsewhere. A relay of such a name needs brackets or a port.
_WORDS = """
direct directly none no off false null nil disabled skip exclude excluded ignore bypass except opt-out optout ok yes on true
permit accept allow pass reject deny discard defer default unset empty
"""
_DIRECTLY = frozenset(_WORDS.split())
#: Transports of master.cf that stand alone where a nexthop should.
_TRANSPORTS = frozenset(
    {":", "smtp:", "relay:", "local:", "virtual:", "lmtp:", "discard:", "error:", "retry:", "direct:"}
)


def is_word(value: str) -> bool:
    """Return True if a nexthop is a word that means something elsewhere, and a host of that name here."""
    return value.lower() in _DIRECTLY


def refuse_transport(value: str, key: str) -> None:
    """Raise ``SyntaxProblem`` where a transport stands alone in place of a nexthop."""
    if value.lower() in _TRANSPORTS:
        raise SyntaxProblem("there is a transport instead of the nexthop", directly(key))


def directly(key: str) -> str:
    """Return how to send the mail of a sender directly."""
    if not key.startswith("@"):
        return f"write {key}: direct under senders in relay.yaml, to send it directly"
    ways = f"write {key} alone, and set RELAY_ROUTING=transports where DEFAULT_RELAY_HOST is set"
    return f"to send it directly, {ways}; or {key[1:]}: direct under senders in relay.yaml"


def refuse_everybody(key: str, remedy: str) -> None:
    """Raise ``SyntaxProblem`` where a key means everybody, or all subdomains, elsewhere."""
    if key in EVERYBODY:
        raise SyntaxProblem(f"{key} is not a wildcard here", remedy)
    domain = key.rpartition("@")[2]
    if domain.startswith((".", "*.", "%.")):
        raise SyntaxProblem(
            "the key means all subdomains elsewhere, and there is no such key here", "name each subdomain"
        )
