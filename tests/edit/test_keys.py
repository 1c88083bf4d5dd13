"""What a person types for a sender, a relay or a login key, and the lookup key that it becomes."""

from __future__ import annotations

import pytest

from dms_relay.edit.keys import domain_key, login_key, relay_nexthop, same_key, sender_key
from dms_relay.postfix.nexthop import SyntaxProblem

WORDS = "write a domain or an address: example.com or user@example.com"
LETTERS = "use letters, digits, hyphens and dots only"
NO_IDN = "the domain is not a valid internationalised domain name -- check the spelling, or write A-labels (xn--…)"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("example.com", "@example.com"),
        ("@example.com", "@example.com"),
        ("Example.COM", "@Example.COM"),
        ("user@example.com", "user@example.com"),
        ("@user@example.com", "user@example.com"),
        ("user+ext@example.com", "user+ext@example.com"),
        ("localhost", "@localhost"),
        ("a_b.example.com", "@a_b.example.com"),
        ("<>", "<>"),
        ("bücher.example", "@xn--bcher-kva.example"),
        ("@BÜCHER.example", "@xn--bcher-kva.example"),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ("straße.example", "@xn--strae-oqa.example"),
        ("b\u0075\u0308cher.example", "@xn--bcher-kva.example"),
        ("例え。テスト", "@xn--r8jz45g.xn--zckzah"),
        ("_x.bücher.example", "@_x.xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "@xn--bcher-kva.example"),
    ],
)
def test_sender(typed: str, key: str) -> None:
    """A domain or an address, a leading @ more or less; internationalised names become A-labels."""
    assert sender_key(typed) == key


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", f"the domain is missing -- {WORDS}"),
        ("@", f"the domain is missing -- {WORDS}"),
        ("user@", f"the domain is missing -- {WORDS}"),
        ("a*b.com", f"domain is not valid -- {LETTERS}"),
        ("a..b", f'domain "a..b" is not valid -- {LETTERS}'),
        ("example.com.", 'domain "example.com." ends in a dot -- remove the dot'),
        ("exa mple.com", f"domain is not valid -- {LETTERS}"),
        ("example.com\n@b.com", "the text contains a no-break space or the like -- type a plain space instead"),
        ("a@b@example.com", "the key is not an address -- write @domain or user@domain"),
        (
            '"a b"@example.com',
            "the key contains a quote, a backslash or a control character -- write @domain or user@domain",
        ),
        ("some one@example.com", "the key contains a space -- write @domain or user@domain"),
        ("some\tone@example.com", "the key contains a space -- write @domain or user@domain"),
        (
            "some\x01one@example.com",
            "the key contains a quote, a backslash or a control character -- write @domain or user@domain",
        ),
        ("#u@a.test", "a line that begins with # is a comment -- use another address: a table cannot hold this one"),
        ("*@example.com", "* is not a wildcard here -- write example.com for every sender of the domain"),
        ("[smtp.example.com]:587", f"it is a relay, not a sender -- {WORDS}"),
        ("smtp.example.com:587", f"it is a relay, not a sender -- {WORDS}"),
        ("https://example.com", f"it is a relay, not a sender -- {WORDS}"),
        ("a\u00ad\u2603.com", NO_IDN),
        ("ü" * 64 + ".com", NO_IDN),
        ("\u00a0example.com", f"domain is not valid -- {LETTERS}"),
    ],
)
def test_wrong_sender(typed: str, message: str) -> None:
    """What no table key can be made of is refused, with what to write."""
    with pytest.raises(SyntaxProblem) as caught:
        sender_key(typed)
    assert str(caught.value) == message


def test_only_a_domain_opts_out() -> None:
    """An address alone on a line has no effect, so it is not written."""
    assert domain_key("example.com") == "@example.com"
    for typed in ("user@example.com", "<>"):
        with pytest.raises(SyntaxProblem, match="only a domain can opt out"):
            domain_key(typed)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("example.com", "@example.com"),
        ("user@example.com", "user@example.com"),
        ("[smtp.example.com]:587", "[smtp.example.com]:587"),
        ("[smtp.example.com]", "[smtp.example.com]"),
        ("smtp.example.com:587", "smtp.example.com:587"),
        ("[127.0.0.1]:25", "[127.0.0.1]:25"),
        ("[2001:db8::1]:25", "[2001:db8::1]:25"),
        ("[bücher.example]:587", "[xn--bcher-kva.example]:587"),
        ("bücher.example:587", "xn--bcher-kva.example:587"),
    ],
)
def test_login_key(typed: str, key: str) -> None:
    """A sender, or a nexthop, which has brackets or a port: a name alone is a sender's domain."""
    assert login_key(typed) == key


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("<>", "Postfix never looks up a login for <> -- name the relay that bounces go to: [smtp.example.com]:587"),
        ("[a.test]:25,[b.test]:25", "the key is a list -- add a login for each nexthop"),
        ("[a.test]:0", 'port "0" is not a number from 1 to 65535 -- write the relay\'s port, such as 587'),
        ("[a.test:25", 'nexthop "[a.test:25" has no closing bracket -- write [a.test]:25'),
        ("2001:db8::1", 'IPv6 address "2001:db8::1" has no brackets -- write [address]:port'),
        ("pass_word-", f"domain is not valid -- {LETTERS}"),
    ],
)
def test_wrong_login_key(typed: str, message: str) -> None:
    """The messages are those of the core; a word that is no domain is not shown, since it may be a password."""
    with pytest.raises(SyntaxProblem) as caught:
        login_key(typed)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("host", "port", "nexthop"),
    [
        ("smtp.example.com", "587", "[smtp.example.com]:587"),
        ("[smtp.example.com]", "25", "[smtp.example.com]:25"),
        ("2001:db8::1", "25", "[2001:db8::1]:25"),
        ("bücher.example", "25", "[xn--bcher-kva.example]:25"),
        ("relay", "submission", "[relay]:submission"),
    ],
)
def test_relay(host: str, port: str, nexthop: str) -> None:
    """A host name or address, in brackets or not, and its port."""
    assert relay_nexthop(host, port) == nexthop


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("h.test:25", 'host "h.test:25" contains a port -- write the port as a separate argument: h.test 25'),
        ("[h.test]:25", 'host "[h.test]:25" contains a port -- write the port as a separate argument: h.test 25'),
        (
            "a.test, b.test",
            "more than one host name -- write only one host; add a list of nexthops to postfix-relaymap.cf by hand",
        ),
        (
            "a:b",
            (
                "the host contains a colon, but is not an IPv6 address -- "
                "write only the host name; the port is a separate argument"
            ),
        ),
        ("", "the host name is missing -- write the relay's host name"),
    ],
)
def test_wrong_relay(host: str, message: str) -> None:
    """What to write is said in the words of the command line, not of the environment."""
    with pytest.raises(SyntaxProblem) as caught:
        relay_nexthop(host, "587")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("@a.test", "@A.TEST", True),
        ("User@a.test", "user@a.test", True),
        ("@bücher.de", "@xn--bcher-kva.de", True),
        ("@BÜCHER.de", "@xn--BCHER-kva.de", True),
        ("ä@b.de", "Ä@b.de", True),
        ("[bücher.de]:25", "[xn--bcher-kva.de]:25", True),
        ("@a.test", "a.test", False),
        ("@a.test", "@a.test.", False),
        ("@a-b.test", "@a_b.test", False),
        ("@\u2603", "@a.test", False),
    ],
)
def test_same_key(one: str, other: str, same: bool) -> None:  # noqa: FBT001 -- a case's outcome
    """Letter case does not count, nor which form of an internationalised name stands there."""
    assert same_key(one, other) is same
    assert same_key(other, one) is same
