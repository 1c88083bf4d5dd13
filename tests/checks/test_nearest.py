"""Which nexthop a login's key may mean."""

from __future__ import annotations

import pytest

from dms_relay.checks.logins import listed
from dms_relay.merge.common import Near, nearest

SET = ("[smtp.a.test]:587", "mail.b.test:2525", "[192.0.2.1]", "[2001:db8::1]:587")


@pytest.mark.parametrize(
    ("key", "nexthop", "what"),
    [
        ("[smtp.a.test]:25", "[smtp.a.test]:587", "its port"),
        ("[smtp.a.test]", "[smtp.a.test]:587", "its port"),
        ("smtp.A.test:587", "[smtp.a.test]:587", "its brackets"),
        ("smtp.a.test:25", "[smtp.a.test]:587", "its brackets and its port"),
        ("[mail.b.test]:2525", "mail.b.test:2525", "its brackets"),
        ("[192.0.2.1]:25", "[192.0.2.1]", "its port"),
        ("[2001:db8::1]:25", "[2001:db8::1]:587", "its port"),
        ("[stmp.a.test]:587", "[smtp.a.test]:587", "its host"),
    ],
)
def test_nearest(key: str, nexthop: str, what: str) -> None:
    """Of the same host, brackets or port differ; else a letter or two of the host."""
    assert nearest(key, SET) == Near(nexthop, what)


@pytest.mark.parametrize(
    "key", ["[email-smtp.us-west-2.amazonaws.com]:2587", "[smtp.sendgrid.net]:587", "[192.0.2.99]"]
)
def test_nothing_is_near(key: str) -> None:
    """Of another relay nothing is said: it is hardly meant."""
    assert nearest(key, SET) is None


def test_the_nearest_of_the_same_host() -> None:
    """Where a host stands there twice, the one that differs in less is named."""
    assert nearest("r.test:587", ("[r.test]:25", "[r.test]:587")) == Near("[r.test]:587", "its brackets")


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "a", "c"], "a, b and c"), (list("abcde"), "a, b and 3 more")],
)
def test_listed(names: list[str], text: str) -> None:
    """A few names are all shown, each once; of many, the first."""
    assert listed(names) == text
