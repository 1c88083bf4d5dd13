"""What a person types for a sender, a relay or a login key, as it stands in a table. Pure.

A sender is a domain or an address, a leading ``@`` more or less: ``example.com``, ``@example.com``, ``boss@example.com``.
Internationalised domain names become A-labels (RFC 5890; UTS 46, non-transitional, as Postfix does it: postconf(5),
``enable_idna2003_compatibility``), since that is how mail servers write them. What is wrong raises ``SyntaxProblem``.
"""

from __future__ import annotations

from dms_relay.model import NULL_SENDER
from dms_relay.postfix.nexthop import (
    PORT_DIGITS,
    NexthopWords,
    SyntaxProblem,
    check_domain,
    check_nexthop,
    parse_relay_host,
)
from dms_relay.sources.text import check_sender_key

_ORDER = "write domain, host and port in this order: example.com smtp.example.com 587"
_SENDER_WORDS = "write a domain or an address: example.com or user@example.com"
_HOST_WORDS = NexthopWords(
    port_in_host="write the port after a blank: {host} {port}",
    not_alone="write the host name alone; its port comes after a blank",
    too_many="name one here; write a list of nexthops into postfix-relaymap.cf",
)


def sender_key(text: str, *, show: bool = True) -> str:
    """Return the lookup key of a sender: ``@domain``, ``user@domain``, or ``<>``, the null sender.

    ``show`` says that no password can stand in it, so that the message may quote it.
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
            "a line that begins with # is a comment", "use another address; no table can carry this one"
        )
    if key.startswith("*@"):
        raise SyntaxProblem("* is not a pattern here", f"write {domain} for every sender of the domain")
    return key


def _refuse_no_sender(text: str, domain: str) -> None:
    if not domain:
        raise SyntaxProblem("the domain is missing", _SENDER_WORDS)
    if "@" not in text and any(sign in text for sign in "[]:/"):
        raise SyntaxProblem("it is a relay, not a sender", _SENDER_WORDS)


def domain_key(text: str) -> str:
    """Return the lookup key of a whole domain, which alone can opt out."""
    key = sender_key(text)
    if not key.startswith("@"):
        raise SyntaxProblem("only a domain can opt out", "write a domain: example.com")
    return key


def login_key(text: str) -> str:
    """Return the key of a login: that of a sender, or a nexthop as it stands in its route (``[smtp.example.com]:587``).

    A name without brackets and port is a domain: as in docker-mailserver, it means the senders of that domain.
    """
    if text == NULL_SENDER:
        raise SyntaxProblem("no login is looked up for <>", "name the relay that bounces go to: [smtp.example.com]:587")
    if "@" in text or not any(sign in text for sign in "[]:,"):
        return sender_key(text, show=False)
    if "," in text or " " in text:
        raise SyntaxProblem("the key is a list", "add the login for each nexthop")
    nexthop = _nexthop_a_labels(text)
    check_nexthop(nexthop)
    return nexthop


def relay_nexthop(host: str, port: str) -> str:
    """Return ``[host]:port``."""
    if host.isdigit():
        raise SyntaxProblem(
            f'"{host}" is a port, not a host' if len(host) <= PORT_DIGITS else "a number is no host", _ORDER
        )
    if "://" in host:
        raise SyntaxProblem("the host is a URL", _HOST_WORDS.not_alone)
    return parse_relay_host(a_labels(host), port, _HOST_WORDS).text


def a_labels(name: str) -> str:
    """Return a domain name with A-labels in place of labels that are not ASCII; an ASCII name is given back as it is.

    ``UnicodeEncodeError`` says that it is no text.
    """
    if name.isascii():
        return name
    name.encode()  # raises where octets are no text
    import idna  # noqa: PLC0415 -- 20 ms, and rarely needed

    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        labels = [label if label.isascii() else idna.alabel(label).decode("ascii") for label in mapped.split(".")]
    except (idna.IDNAError, UnicodeError):
        raise SyntaxProblem(
            "the domain is no internationalised domain name", "look for a wrong letter, or write it as A-labels (xn--…)"
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
    """Return True if two keys are the same to Postfix, which ignores case, or to a person (U-labels or A-labels)."""
    return _canonical(one) == _canonical(other)


def _canonical(key: str) -> str:
    if key.isascii():
        return key.casefold()
    local, at, domain = key.rpartition("@")
    try:
        return f"{local}{at}{a_labels(domain) if at else _nexthop_a_labels(domain)}".casefold()
    except (SyntaxProblem, UnicodeEncodeError):
        return key.casefold()
