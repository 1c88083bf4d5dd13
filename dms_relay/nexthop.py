"""What a nexthop, a host name and a domain may look like, so that Postfix can use them as they stand.

A nexthop is ``[host]``, ``[host]:port``, ``domain`` or ``domain:port`` (postconf(5), relayhost); several are separated by
commas or blanks. Nothing here reads or writes anything. What is wrong raises ``SyntaxProblem`` with a text and a remedy;
a text quotes the input only where no password can stand in it (a login written in the wrong file must not be shown).

Known limits: a port is a number or one of ``SERVICES``; other names of /etc/services are refused, since a container often
has no such file. Labels may hold any letter or digit of any script, and ``_``, as Postfix allows.
"""

from __future__ import annotations

import re

from dms_relay.model import NexthopList

#: Names for a port, RFC 6335 (IANA registry), all that carry SMTP.
SERVICES = frozenset({"smtp", "submission", "submissions", "smtps", "ssmtp"})
#: Highest TCP port number (RFC 9293, 16 bits).
PORT_MAX = 65535
#: Octets in a domain name and in one of its labels (RFC 1035, section 2.3.4).
NAME_MAX = 255
LABEL_MAX = 63

_QUOTABLE = re.compile(r"[\[\]\w.-]{1,255}(:[0-9]{0,8}\]?)?|[\[\]0-9A-Fa-f:.]{1,64}")
_LOOKS_LIKE_NEXTHOP = re.compile(r"\[.*|.*:[0-9]+")
_IPV6 = re.compile(r"(?:[Ii][Pp][Vv]6:)?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_IPV4_LIKE = re.compile(r"[0-9.]+")


class SyntaxProblem(ValueError):  # noqa: N818 -- it becomes a Problem
    """A text cannot be used. ``text`` says why, ``remedy`` what to write instead; neither holds a secret."""

    def __init__(self, text: str, remedy: str) -> None:
        """Keep both parts; an origin is added by whoever knows it."""
        super().__init__(f"{text} -- {remedy}")
        self.text = text
        self.remedy = remedy


def quote(text: str) -> str:
    """Give ``text`` in double quotes with a blank before, or nothing where it could be more than a nexthop."""
    return f' "{text}"' if _QUOTABLE.fullmatch(text) else ""


def parse_nexthops(text: str) -> NexthopList:
    """Read one nexthop or a list of them.

    A further nexthop after a comma is taken as it is; after a blank alone only if it has brackets or a port: anything
    else there is a comment or a slip.
    """
    members: list[str] = []
    for part in text.split(","):
        words = part.split()
        if not words:
            raise SyntaxProblem("a nexthop is missing before or after a comma", "write [host1]:587, [host2]:587")
        members.append(words[0])
        members.extend(_further_nexthop(word) for word in words[1:])
    for member in members:
        check_nexthop(member)
    return NexthopList(text, tuple(members))


def _further_nexthop(word: str) -> str:
    if not _LOOKS_LIKE_NEXTHOP.fullmatch(word):
        _refuse_comment(word)
        raise SyntaxProblem(
            "text after the nexthop", "a line holds a key and its nexthop only; several are separated by commas"
        )
    return word


def _refuse_comment(word: str) -> None:
    if word.startswith("#"):
        raise SyntaxProblem("a comment after the key", "put the comment on a line of its own")


def check_nexthop(text: str) -> None:
    """Raise ``SyntaxProblem`` unless Postfix can use ``text`` as one nexthop."""
    _refuse_comment(text)
    host, port = _split(text)
    if port is not None:
        check_port(port)
    check_host(host)


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        return _split_bracketed(text)
    if "://" in text:
        raise SyntaxProblem("a nexthop is not a URL", "write [host]:port")
    if "]" in text and "[" not in text:
        raise SyntaxProblem(f"nexthop{quote(text)} has no opening bracket", f"write [{text.partition(']')[0]}]:587")
    if ":[" in text:
        raise SyntaxProblem("a transport stands before the nexthop", "write the nexthop alone: [host]:port")
    if _IPV6.fullmatch(text):
        raise SyntaxProblem(f"IPv6 address{quote(text)} has no brackets", "write [address]:port")
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _split_bracketed(text: str) -> tuple[str, str | None]:
    host, bracket, rest = text[1:].partition("]")
    if not bracket:
        name, _, port = host.partition(":")
        hint = f"[{name}]:{port}" if port.isdigit() and name else "[host]:port"
        raise SyntaxProblem(f"nexthop{quote(text)} has no closing bracket", f"write {hint}")
    if rest and not rest.startswith(":"):
        raise SyntaxProblem("text after the closing bracket", "write [host]:port")
    return host, rest[1:] if rest else None


def check_port(text: str) -> None:
    """Raise ``SyntaxProblem`` unless ``text`` is a TCP port number or the name of an SMTP service."""
    if text in SERVICES or (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PORT_MAX):
        return
    shown = f' "{text}"' if text.isascii() and text.isdigit() else ""
    raise SyntaxProblem(f"port{shown} is not a number from 1 to {PORT_MAX}", "write the relay's port, such as 587")


def check_host(text: str) -> None:
    """Raise ``SyntaxProblem`` unless ``text`` is a host name, an IPv4 or an IPv6 address."""
    if not text:
        raise SyntaxProblem("the host name is missing", "write [host]:port")
    if ":" in text:
        _check_ipv6(text)
    elif _IPV4_LIKE.fullmatch(text):
        _check_ipv4(text)
    else:
        check_domain(text, "host name")


def _check_ipv6(text: str) -> None:
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415 -- 3 ms, and rarely needed

    try:
        if "%" in text:  # a scope, which Postfix does not take
            raise AddressValueError  # noqa: TRY301 -- the same message
        IPv6Address(text[5:] if text[:5].lower() == "ipv6:" else text)
    except AddressValueError:
        raise SyntaxProblem(f"host{quote(text)} is not an IPv6 address", "write [host]:port") from None


def _check_ipv4(text: str) -> None:
    numbers = text.split(".")
    if len(numbers) == 4 and all(n.isdigit() and len(n) <= 3 and int(n) <= 255 for n in numbers):  # noqa: PLR2004 -- RFC 791
        return
    raise SyntaxProblem(f"host{quote(text)} is not an IPv4 address", "write four numbers from 0 to 255, or a host name")


def check_domain(text: str, what: str = "domain") -> None:
    """Raise ``SyntaxProblem`` unless ``text`` is a domain name as Postfix's valid_hostname(3) takes it."""
    if len(text.encode("utf-8", "surrogateescape")) > NAME_MAX:
        raise SyntaxProblem(f"the {what} is longer than {NAME_MAX} octets", f"write a {what}")
    if text.endswith("."):
        raise SyntaxProblem(f"{what}{quote(text)} ends in a dot", "write it without")
    if not all(_is_label(label) for label in text.split(".")):
        raise SyntaxProblem(f"{what}{quote(text)} is not valid", "use letters, digits, hyphens and dots only")


def _is_label(label: str) -> bool:
    plain = label.replace("-", "").replace("_", "")
    if not label or len(label) > LABEL_MAX or label.startswith("-") or label.endswith("-"):
        return False
    return plain == "" or plain.isalnum()


def parse_relay_host(host: str, port: str) -> NexthopList:
    """Make ``[host]:port`` of ``RELAY_HOST`` and ``RELAY_PORT``. Brackets around the host are taken off.

    A port in the host is refused with the two settings to write; the colons of an IPv6 address are no port.
    """
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if any(c in name for c in " \t,"):
        raise SyntaxProblem("more than one host name", "name one here; a list of nexthops goes in DEFAULT_RELAY_HOST")
    if ":" in name and not _IPV6.fullmatch(name):
        _refuse_port_in_host(name)
    check_host(name)
    text = f"[{name}]:{port}"
    return NexthopList(text, (text,))


def _refuse_port_in_host(name: str) -> None:
    bare, _, number = name.rpartition(":")
    if "://" in name or not number.isdigit():
        raise SyntaxProblem("a colon in the host name", "write the host name alone; its port goes in RELAY_PORT")
    bare = bare.strip("[]")
    raise SyntaxProblem(f"host{quote(name)} has a port in it", f"set RELAY_HOST={bare} and RELAY_PORT={number}")
