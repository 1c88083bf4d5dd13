"""Checks the syntax of nexthops, host names and domains, so that Postfix can use them as written.

A nexthop is ``[host]``, ``[host]:port``, ``domain`` or ``domain:port`` (postconf(5), relayhost); several are separated by
commas or blanks. Pure. A mistake raises ``SyntaxProblem`` with a text and a remedy; the text quotes the input only if it
cannot contain a password (a login written in the wrong file must not be shown).

Known limits: a port is a number or one of ``SERVICES``; other names of /etc/services are refused, since a container often
has no such file. Labels may contain any letter or digit of any script, and ``_``, as Postfix allows.
"""

from __future__ import annotations

import re

from dms_relay.model import NexthopList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: All port names for SMTP (RFC 6335, IANA registry).
SERVICES = frozenset({"smtp", "submission", "submissions", "smtps", "ssmtp"})
#: Highest TCP port number (RFC 9293, 16 bits).
PORT_MAX = 65535
PORT_DIGITS = len(str(PORT_MAX))
#: Maximum octets of a domain name and of one of its labels (RFC 1035, section 2.3.4).
NAME_MAX = 255
LABEL_MAX = 63

_QUOTABLE = re.compile(r"[\[\]\w.-]{1,255}(:[0-9]{0,5}\]?)?")
_LOOKS_LIKE_NEXTHOP = re.compile(rf"\[.*|.*:(?:[0-9]+|{'|'.join(sorted(SERVICES))})")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_IPV6_PREFIX = "ipv6:"
_IPV6_CHARACTERS = frozenset("0123456789abcdefABCDEF:.")
_IPV4_LIKE = re.compile(r"[0-9.]+")
#: Matches nearly every domain; others get the full check.
_PLAIN_DOMAIN = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE
)
#: Characters that look like a blank, or like nothing, but are none: no-break and zero-width spaces, byte order mark, …
#: Compiled only when needed, which is rare: it takes longer than all other patterns of a boot.
_ODD_BLANK = r"[^\S \t]|[\u200b\u200e\u200f\u2060\ufeff]"
#: Zero-width (non-)joiners, which some scripts need inside a word (RFC 5892, appendix A).
_JOINERS = "\u200c\u200d"
_LOGIN_ELSEWHERE = "write [host]:port; a login goes in postfix-sasl-password.cf"


class SyntaxProblem(ValueError):  # noqa: N818 -- it becomes a Problem of its line
    """A text cannot be used. ``text`` says why, ``remedy`` what to write instead; neither holds a secret."""

    def __init__(self, text: str, remedy: str) -> None:
        """Store both parts; a caller that knows the origin adds it."""
        super().__init__(f"{text} -- {remedy}")
        self.text = text
        self.remedy = remedy


class FormProblem(SyntaxProblem):
    """Host and port are combined wrongly. The remedy shows the form of a nexthop, which not every input uses."""


def quote(text: str) -> str:
    """Return a blank and ``text`` in double quotes; ``""`` if it could be more than a nexthop, such as a password."""
    return f' "{text}"' if _QUOTABLE.fullmatch(text) else ""


def refuse_quotes(text: str) -> None:
    """Raise ``SyntaxProblem`` if quotes became part of the value, as with ``docker --env-file``."""
    if text[:1] in {'"', "'"} and text[-1:] == text[:1]:
        raise SyntaxProblem("the value has quotes around it", "remove the quotes")


def refuse_odd_blanks(text: str) -> None:
    """Raise ``SyntaxProblem`` if a character looks like a blank but is none, as in text copied from a web page."""
    is_plain = text.isascii() and text.isprintable()
    if not is_plain and re.search(_ODD_BLANK, text):
        raise SyntaxProblem("the text contains a no-break space or the like", "type a plain space instead")


def parse_nexthops(text: str) -> NexthopList:
    """Read one nexthop or a list of them.

    After a comma, any nexthop may follow; after only a blank, it needs brackets or a port: anything else there is a comment
    or a mistake. Raises ``SyntaxProblem``.
    """
    refuse_odd_blanks(text)
    refuse_quotes(text)
    words = text.replace(",", " ").split()
    if any(word.startswith("#") for word in words):
        raise SyntaxProblem("a comment follows the nexthop", "write comments on separate lines")
    members: list[str] = []
    for part in text.split(","):
        members.extend(_members(part.split()))
    for member in members:
        check_nexthop(member)
    return NexthopList(text, tuple(dict.fromkeys(members)))


def _members(words: list[str]) -> list[str]:
    """Check the words between two commas: a nexthop, and further ones that cannot be anything else."""
    if not words:
        raise FormProblem("a nexthop is missing before or after a comma", "write [host1]:587, [host2]:587")
    for word in words[1:]:
        if _PORT.fullmatch(word):
            raise FormProblem("the port follows a space", "write a colon before the port: [host]:port")
        if not _LOOKS_LIKE_NEXTHOP.fullmatch(word):
            raise SyntaxProblem(
                "text after the nexthop", "write comments on separate lines; separate nexthops with commas"
            )
    return words


def check_nexthop(text: str) -> None:
    """Raise ``SyntaxProblem`` unless Postfix can use ``text`` as one nexthop."""
    host, port = _split(text)
    if port == "":
        raise FormProblem("the port is missing after the colon", "write [host]:port")
    if port is not None and not is_port(port):
        if port.isascii() and port.isdigit():
            check_port(port)
        raise FormProblem("the text after the colon is not a port", _LOGIN_ELSEWHERE)
    check_host(host)


def _split(text: str) -> tuple[str, str | None]:
    if "://" in text:
        raise FormProblem("the nexthop is a URL", "write [host]:port")
    if "@" in text:
        raise FormProblem("the nexthop contains an @", _LOGIN_ELSEWHERE)
    if text.startswith("["):
        return _split_bracketed(text)
    if "]" in text and "[" not in text:
        _refuse_missing_bracket(text, "opening", *text.split("]", 1))
    if ":[" in text:
        raise FormProblem("there is a transport before the nexthop", "write only the nexthop: [host]:port")
    if is_ipv6(text):
        raise FormProblem(f'IPv6 address "{text}" has no brackets', "write [address]:port")
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _split_bracketed(text: str) -> tuple[str, str | None]:
    host, bracket, rest = text[1:].partition("]")
    if not bracket:
        name, colon, port = host.partition(":")
        _refuse_missing_bracket(text, "closing", name, colon + port)
    if rest and not rest.startswith(":"):
        raise FormProblem("text after the closing bracket", "write [host]:port")
    name, colon, port = host.rpartition(":")
    if colon and not is_ipv6(host) and is_host(name.strip("[]")) and is_port(port):
        raise FormProblem("the port is inside the brackets", f"write [{name.strip('[]')}]:{port}")
    return host, rest[1:] if rest else None


def _refuse_missing_bracket(text: str, which: str, name: str, rest: str) -> NoReturn:
    """Raise ``FormProblem``; the remedy names host and port if the text is certainly these."""
    is_clear = is_host(name) and rest.startswith(":") and is_port(rest[1:])
    hint = f"[{name}]{rest}" if is_clear else "[host]:port"
    shown = quote(text) if is_clear or not rest else ""
    raise FormProblem(f"nexthop{shown} has no {which} bracket", f"write {hint}")


def host_of(nexthop: str) -> str:
    """Return the host of a valid nexthop (``check_nexthop``), without brackets and port."""
    return _split(nexthop)[0]


def host_and_port(nexthop: str) -> tuple[str, str]:
    """Return host, without brackets, and port of a valid nexthop (``check_nexthop``); the port is ``""`` if it has none."""
    host, port = _split(nexthop)
    return host, port or ""


def is_port(text: str) -> bool:
    """Return True if ``text`` is a TCP port number or the name of an SMTP service."""
    return text in SERVICES or bool(_PORT.fullmatch(text) and 1 <= int(text) <= PORT_MAX)


def check_port(text: str) -> None:
    """Raise ``SyntaxProblem`` unless ``is_port``. The message shows only a short number: a long one may be a password."""
    if not is_port(text):
        shown = f' "{text}"' if _PORT.fullmatch(text) else ""
        raise SyntaxProblem(f"port{shown} is not a number from 1 to {PORT_MAX}", "write the relay's port, such as 587")


def is_domain(text: str) -> bool:
    """Return True if ``check_domain`` accepts ``text``."""
    try:
        check_domain(text)
    except SyntaxProblem:
        return False
    return True


def is_host(text: str) -> bool:
    """Return True if ``check_host`` accepts ``text``."""
    try:
        check_host(text)
    except SyntaxProblem:
        return False
    return True


def check_host(text: str) -> None:
    """Raise ``SyntaxProblem`` unless ``text`` is a host name, an IPv4 or an IPv6 address."""
    if not text:
        raise SyntaxProblem("the host name is missing", "write the relay's host name")
    if ":" in text:
        if not is_ipv6(text):
            raise SyntaxProblem("the host contains a colon, but is not an IPv6 address", "write a host name or address")
    elif _IPV4_LIKE.fullmatch(text):
        _check_ipv4(text)
    else:
        check_domain(text, "host name")


def is_ipv6(text: str) -> bool:
    """Return True if ``text`` is an IPv6 address, with or without the prefix of SMTP (RFC 5321, section 4.1.3)."""
    address = text[len(_IPV6_PREFIX) :] if text.lower().startswith(_IPV6_PREFIX) else text
    if ":" not in address or not _IPV6_CHARACTERS.issuperset(address):
        return False
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415 -- 3 ms, and rarely needed

    try:
        IPv6Address(address)
    except AddressValueError:
        return False
    return True


def is_address(text: str) -> bool:
    """Return True if ``text`` is an IPv4 or IPv6 address."""
    return is_ipv4(text) or is_ipv6(text)


def is_ipv4(text: str) -> bool:
    """Return True if ``text`` is an IPv4 address (RFC 791): four numbers from 0 to 255."""
    numbers = text.split(".")
    return len(numbers) == 4 and all(n.isdigit() and len(n) <= 3 and int(n) <= 255 for n in numbers)  # noqa: PLR2004


def _check_ipv4(text: str) -> None:
    if is_ipv4(text):
        return
    raise SyntaxProblem(f"host{quote(text)} is not an IPv4 address", "write four numbers from 0 to 255, or a host name")


def is_plain_domain(text: str) -> bool:
    """Return True if it is a domain name in ASCII, as nearly all are; others can be valid too."""
    return len(text) <= NAME_MAX and _PLAIN_DOMAIN.fullmatch(text) is not None


def check_domain(text: str, what: str = "domain", *, show: bool = True) -> None:
    """Raise ``SyntaxProblem`` unless ``text`` is a domain name that Postfix's valid_hostname(3) accepts.

    ``show``: the text cannot contain a password, so the message may quote it.
    """
    if is_plain_domain(text):
        return
    refuse_odd_blanks(text)
    shown = quote(text) if show else ""
    if len(text.encode("utf-8", "surrogateescape")) > NAME_MAX:
        raise SyntaxProblem(f"the {what} is longer than {NAME_MAX} octets", f"write a {what}")
    if text.endswith("."):
        raise SyntaxProblem(f"{what}{shown} ends in a dot", "remove the dot")
    if not all(map(_is_label, text.split("."))):
        raise SyntaxProblem(f"{what}{shown} is not valid", "use letters, digits, hyphens and dots only")


def _is_label(label: str) -> bool:
    is_sound = 0 < len(label) <= LABEL_MAX and not label.startswith("-") and not label.endswith("-")
    return is_sound and (label.replace("-", "").replace("_", "0").isalnum() or all(map(_is_in_name, label)))


def _is_in_name(character: str) -> bool:
    """Return True if a character may be in a label, combining marks of some scripts included."""
    from unicodedata import category  # noqa: PLC0415 -- rarely needed

    return character in "-_" or character in _JOINERS or character.isalnum() or category(character) in {"Mn", "Mc"}
