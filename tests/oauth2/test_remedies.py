"""A remedy is a promise: what a refusal says to do is done, and then there is a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.model.values import replace
from dms_relay.oauth2 import OAuth2Error
from testbed.certificates import Authority
from testbed.token_http import Fault
from testbed.token_rules import OAuth2Client
from tests.oauth2.given import SECRET, USER, Given, key_pair
from tests.oauth2.test_grants import ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dms_relay.model.oauth2 import OAuth2
    from testbed.token_server import TokenServer


def _follow(oauth2: OAuth2, says: str, fix: Callable[[OAuth2], OAuth2], server: TokenServer) -> None:
    with pytest.raises(OAuth2Error, match=f" -- .*{says}"):
        ask(oauth2)
    assert server.accepts(USER, ask(fix(oauth2)).access_token)


@pytest.mark.parametrize(
    ("wrong", "says", "right"),
    [
        ({"client_secret": "its-id"}, "write its Value", {"client_secret": SECRET}),
        ({"client_id": "another"}, r"write the Application \(client\) ID", {"client_id": "us"}),
        ({"client_secret": ""}, "write its Value", {"client_secret": SECRET}),
    ],
)
def test_what_stands_in_the_inputs(
    server: TokenServer, given: Given, wrong: dict[str, str], says: str, right: dict[str, str]
) -> None:
    """Another value is written there."""
    _follow(given.with_secret(**wrong), says, lambda oauth2: replace(oauth2, **right), server)


def test_address_of_the_endpoint(server: TokenServer, given: Given) -> None:
    """The address that tokens are given at is written in place of one that leads there."""
    oauth2 = given.with_secret(token_url=f"{server.url}/old")
    _follow(oauth2, "token_url", lambda oauth2: replace(oauth2, token_url=server.token_url), server)


def test_authority_is_named(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """The authority of the endpoint's certificate."""
    other = str(Authority().write_certificate(tmp_path / "other.pem"))
    _follow(given.with_secret(ca_file=other), "ca_file", lambda oauth2: replace(oauth2, ca_file=given.ca_file), server)


def test_certificate_is_uploaded(server: TokenServer, given: Given) -> None:
    """The endpoint gets to know the certificate."""
    oauth2 = given.with_certificate()
    server.clients["us"].certificate = key_pair("ec")[2]

    def upload(oauth2: OAuth2) -> OAuth2:
        server.clients["us"] = OAuth2Client(certificate=oauth2.client_certificate)
        return oauth2

    _follow(oauth2, "upload the certificate", upload, server)


def test_key_and_certificate_belong_together(server: TokenServer, given: Given) -> None:
    """Both are named again."""
    oauth2 = given.with_certificate(client_certificate=key_pair("ec")[2])
    _follow(oauth2, "belong together", lambda oauth2: replace(oauth2, client_certificate=key_pair("rsa")[2]), server)


def test_clock_is_set(server: TokenServer, given: Given) -> None:
    """The clocks agree again."""
    server.clock_offset = 7200

    def set_clock(oauth2: OAuth2) -> OAuth2:
        server.clock_offset = 0
        return oauth2

    _follow(given.with_certificate(), r"set the clock \(NTP\)", set_clock, server)


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.TOO_MANY, Fault.CUT])
def test_nothing_is_to_be_done(server: TokenServer, given: Given, fault: Fault) -> None:
    """It is asked again, and goes well."""
    server.fault = fault

    def pass_time(oauth2: OAuth2) -> OAuth2:
        server.fault = Fault.NONE
        return oauth2

    _follow(given.with_secret(), "dms-relay tries again", pass_time, server)


def test_new_refresh_token_is_put_into_its_file(server: TokenServer, given: Given) -> None:
    """One of the same client."""
    oauth2 = given.with_refresh_token(refresh_token="from-elsewhere")
    new = server.new_refresh_token("public", USER)
    _follow(oauth2, "dms-relay login", lambda oauth2: replace(oauth2, refresh_token=new), server)
