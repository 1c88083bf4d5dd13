"""Nexthops, hosts and domains: what is taken, how a list is split, and what a refusal may show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dms_relay.postfix.nexthop import SyntaxProblem, check_domain, parse_nexthops
from dms_relay.postfix.relay_host import parse_relay_host
from dms_relay.sources.text import check_sender_key
from tests.support.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cret-P4ss"

VALID = [
    "mail.example.com",
    "mail.example.com:587",
    "[mail.example.com]",
    "[mail.example.com]:587",
    "[mail.example.com]:submission",
    "mail.example.com:smtps",
    "MAIL.Example.COM:25",
    "relay",
    "relay:2525",
    "mail_relay",
    "_spf.example.com",
    "a--b.example.com",
    "xn--bcher-kva.example",
    "bücher.example",
    "उदाहरण.परीक्षा",
    "นิติบัญญัติ.example",
    "نامه\u200cای.example",  # noqa: RUF001 -- a domain in Persian
    "3com.example",
    "[192.0.2.1]",
    "[192.0.2.1]:587",
    "192.0.2.1",
    "192.0.2.1:587",
    "[2001:db8::1]:587",
    "[::1]",
    "[IPv6:2001:db8::1]:587",
    "[ipv6:::ffff:192.0.2.1]",
    "[r.test]:1",
    "[r.test]:65535",
    "[r.test]:0587",
    f"{'a' * 63}.test",
    ".".join(["a" * 49] * 5),
    "DUNNO",
]
LISTS = {
    "[a.test]:587, [b.test]:587": ("[a.test]:587", "[b.test]:587"),
    "[a.test]:587,[b.test]:587": ("[a.test]:587", "[b.test]:587"),
    "[a.test]:587 [b.test]:587": ("[a.test]:587", "[b.test]:587"),
    "a.test \t, b.test": ("a.test", "b.test"),
    "a.test b.test:25": ("a.test", "b.test:25"),
    "a.test b.test:submission c.test:25": ("a.test", "b.test:submission", "c.test:25"),
    "a.test,a.test,b.test": ("a.test", "b.test"),
}


@pytest.mark.parametrize("text", VALID)
def test_valid_nexthop(text: str) -> None:
    """What postconf(5) allows for relayhost is taken as it is, and is its own lookup key."""
    found = parse_nexthops(text)
    assert (found.text, found.members) == (text, (text,))


@pytest.mark.parametrize(("text", "members"), LISTS.items())
def test_list(text: str, members: tuple[str, ...]) -> None:
    """A list stays as it is written; each nexthop in it is a lookup key, once."""
    found = parse_nexthops(text)
    assert (found.text, found.members) == (text, members)


@pytest.mark.parametrize(
    ("host", "nexthop"),
    [
        ("mail.example.com", "[mail.example.com]:25"),
        ("[mail.example.com]", "[mail.example.com]:25"),
        ("relay", "[relay]:25"),
        ("mail_relay", "[mail_relay]:25"),
        ("192.0.2.1", "[192.0.2.1]:25"),
        ("2001:db8::1", "[2001:db8::1]:25"),
        ("[2001:db8::1]", "[2001:db8::1]:25"),
        ("2001:db8::1:587", "[2001:db8::1:587]:25"),
    ],
)
def test_relay_host(host: str, nexthop: str) -> None:
    """``RELAY_HOST`` stands in brackets, once; the colons of an IPv6 address are no port."""
    assert parse_relay_host(host, "25").members == (nexthop,)


@pytest.mark.parametrize(
    "text", ["a.test", "A.test", "a_b.test", "localhost", "xn--x.test", "उदाहरण.परीक्षा", "x" * 63, "123"]
)
def test_valid_domain(text: str) -> None:
    """A domain is labels of letters and digits of any script, hyphens and underscores."""
    check_domain(text)


@pytest.mark.parametrize(
    "key", ["@a.test", "user@a.test", "user+ext@a.test", "o'b#x$%&*/=?^`{|}~!@a.test", "ü@bücher.test", "*@a.test"]
)
def test_valid_sender_key(key: str) -> None:
    """A sender key is ``@domain`` or an address; whatever may stand unquoted in a local part is taken."""
    check_sender_key(key)


pieces = st.lists(
    st.sampled_from(
        [
            f":{SECRET}",
            f"user:{SECRET}",
            "[",
            "]",
            "@",
            ":",
            ",",
            " ",
            "#",
            "://",
            "smtp",
            "r.test",
            "587",
            ".",
            "-",
            "\u00a0",
            "\t",
        ]
    ),
    min_size=1,
    max_size=8,
).map("".join)


def refusal(check: Callable[[str], object], text: str) -> str:
    """Return all that is said where a text is refused; nothing where it is taken."""
    try:
        check(text)
    except SyntaxProblem as problem:
        return f"{problem} {problem.text} {problem.remedy} {problem!r}"
    return ""


@pytest.mark.soak
@settings(max_examples=amount(300, 10_000))
@given(pieces)
def test_no_refusal_shows_a_login(text: str) -> None:
    """Whatever a login is mixed with in the wrong place, no message shows its password."""
    for check in (parse_nexthops, lambda text: parse_relay_host(text, "25"), check_sender_key):
        assert SECRET not in refusal(check, text)


@pytest.mark.soak
@settings(max_examples=amount(300, 10_000))
@given(st.text(st.sampled_from("ab1[]:.,#@- \t\u00a0\u2028\x0b\r\nü"), max_size=14) | st.text(max_size=8))
def test_members_are_what_postfix_would_split(text: str) -> None:
    """A list that is taken has the members that Postfix sees: it splits at commas and blanks of ASCII alone."""
    try:
        found = parse_nexthops(text)
    except SyntaxProblem:
        return
    assert list(found.members) == list(dict.fromkeys(part for part in re.split(r"[, \t\r\n]+", text) if part))


@pytest.mark.parametrize(
    "text", [":" * 10**6 + "g", "[" * 10**6, "1." * 10**6, "a:" * 10**6, "a," * 10**5 + "[", "-" * 10**6]
)
def test_a_long_text_costs_little(text: str) -> None:
    """No pattern takes more than linear time: a megabyte of anything is refused at once."""
    with pytest.raises(SyntaxProblem):
        parse_nexthops(text)
