"""Turns what a person types for a sender, a relay or a login into its lookup key or nexthop. Pure.

A sender is a domain or an address, with or without a leading ``@``: ``example.com``, ``@example.com``, ``boss@example.com``.
Internationalised domain names become A-labels (RFC 5890; UTS 46, non-transitional, as Postfix does it: postconf(5),
``enable_idna2003_compatibility``), as mail servers write them. Raises ``SyntaxProblem`` for wrong text.
"""

from __future__ import annotations

from dms_relay.model import NULL_SENDER
from dms_relay.postfix.nexthop import (
    PORT_DIGITS,
    SyntaxProblem,
    check_domain,
    check_nexthop,
)
from dms_relay.postfix.relay_host import NexthopWords, parse_relay_host
from dms_relay.sources.text import check_sender_key

_ORDER = "write domain, host and port in this order: example.com smtp.example.com 587"
_SENDER_WORDS = "write a domain or an address: example.com or user@example.com"
_HOST_WORDS = NexthopWords(
    port_in_host="write the port as a separate argument: {host} {port}",
    not_alone="write only the host name; the port is a separate argument",
    too_many="write only one host; add a list of nexthops to postfix-relaymap.cf by hand",
)


def sender_key(text: str, *, show: bool = True) -> str:
    """Return the lookup key of a sender: ``@domain``, ``user@domain``, or ``<>``, the null sender.

    ``show``: the text cannot be a password, so the message may quote it.
    """
    if text == NULL_SENDER:
        return text
    local, _, domain = text.rpartition("@")
    _refuse_no_sender(text, domain)
    domain = a_labels(domain)
    check_domain(domain, show=show)
    key = f"{local.removeprefix('@')}@{domain}"
    check_sender_key(key)
    if key.startswith("#"):
        raise SyntaxProblem(
            "a line that begins with # is a comment", "use another address: a table cannot hold this one"
        )
    if key.startswith("*@"):
        raise SyntaxProblem("* is not a wildcard here", f"write {domain} for every sender of the domain")
    return key


def _refuse_no_sender(text: str, domain: str) -> None:
    if not domain:
        raise SyntaxProblem("the domain is missing", _SENDER_WORDS)
    if "@" not in text and any(sign in text for sign in "[]:/"):
        raise SyntaxProblem("it is a relay, not a sender", _SENDER_WORDS)


def domain_key(text: str) -> str:
    """Return the lookup key of a whole domain; only a domain can opt out."""
    key = sender_key(text)
    if not key.startswith("@"):
        raise SyntaxProblem("only a domain can opt out", "write a domain: example.com")
    return key


def login_key(text: str) -> str:
    """Return the lookup key of a login: that of a sender, or a nexthop as in its route (``[smtp.example.com]:587``).

    A name without brackets and port is a domain: as in docker-mailserver, it means the senders of that domain.
    """
    if text == NULL_SENDER:
        raise SyntaxProblem(
            "Postfix never looks up a login for <>", "name the relay that bounces go to: [smtp.example.com]:587"
        )
    if "@" in text or not any(sign in text for sign in "[]:,"):
        return sender_key(text, show=False)
    if "," in text or " " in text:
        raise SyntaxProblem("the key is a list", "add a login for each nexthop")
    nexthop = _nexthop_a_labels(text)
    check_nexthop(nexthop)
    return nexthop


def relay_nexthop(host: str, port: str) -> str:
    """Return ``[host]:port``."""
    if host.isdigit():
        raise SyntaxProblem(
            f'"{host}" is a port, not a host' if len(host) <= PORT_DIGITS else "a number is not a host", _ORDER
        )
    if "://" in host:
        raise SyntaxProblem("the host is a URL", _HOST_WORDS.not_alone)
    return parse_relay_host(a_labels(host), port, _HOST_WORDS).text


def a_labels(name: str) -> str:
    """Return a domain name with A-labels instead of labels that are not ASCII; an ASCII name is returned unchanged.

    Raises ``UnicodeEncodeError`` for octets that are not UTF-8.
    """
    if name.isascii():
        return name
    name.encode()  # raises for octets that are not UTF-8
    import idna  # noqa: PLC0415 -- 20 ms, and rarely needed

    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        labels = [label if label.isascii() else idna.alabel(label).decode("ascii") for label in mapped.split(".")]
    except (idna.IDNAError, UnicodeError):
        raise SyntaxProblem(
            "the domain is not a valid internationalised domain name", "check the spelling, or write A-labels (xn--…)"
        ) from None
    return ".".join(labels)


def _nexthop_a_labels(text: str) -> str:
    """Return a nexthop with its host in A-labels."""
    if text.isascii():
        return text
    host, end, rest = text.partition("]") if text.startswith("[") else text.partition(":")
    opening = host[:1] if host.startswith("[") else ""
    return f"{opening}{a_labels(host.removeprefix('['))}{end}{rest}"


def same_key(one: str, other: str) -> bool:
    """Return True if two keys are the same to Postfix, which ignores case, or differ only in U-labels and A-labels."""
    return _canonical(one) == _canonical(other)


def _canonical(key: str) -> str:
    if key.isascii():
        return key.casefold()
    local, at, domain = key.rpartition("@")
    try:
        return f"{local}{at}{a_labels(domain) if at else _nexthop_a_labels(domain)}".casefold()
    except (SyntaxProblem, UnicodeEncodeError):
        return key.casefold()
