"""A person agrees: by a code on another device (RFC 8628), or in a browser whose address is pasted (RFC 6749, RFC 7636)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.model.providers import GOOGLE
from dms_relay.oauth2 import Answer, OAuth2Error, browser, device
from dms_relay.oauth2.device import Device
from testbed.token_http import Fault
from tests.oauth2.given import SCOPE, USER, Given

if TYPE_CHECKING:
    from dms_relay.model.oauth2 import OAuth2
    from testbed.token_server import TokenServer


class Waiting:
    """Stands for time that passes, and for what happens in it."""

    def __init__(self, *events: object) -> None:
        """Take what to call in which pause."""
        self.events = list(events)
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Pass."""
        self.pauses.append(seconds)
        event = self.events.pop(0) if self.events else None
        if callable(event):
            event()


def _wait(oauth2: OAuth2, begun: Device, waiting: Waiting) -> Answer:
    return device.wait(oauth2, begun, environ={}, sleep=waiting)


def test_person_agrees_on_another_device(server: TokenServer, given: Given) -> None:
    """It is asked again in the pauses that the server said, until the person has agreed; there is a refresh token then."""
    server.interval = 0
    oauth2 = given.with_device()
    begun = device.begin(oauth2, environ={})
    assert begun.address == f"{server.url}/device"
    assert begun.user_code == "WDJB-MJHT"
    assert begun.device_code not in repr(begun)
    waiting = Waiting(None, None, lambda: server.agree(USER))
    answer = _wait(oauth2, begun, waiting)
    assert server.accepts(USER, answer.access_token)
    assert (answer.refresh_token in server.refresh_tokens, answer.scope) == (True, SCOPE)
    assert waiting.pauses == [5.0] * 3


def test_server_says_to_slow_down(server: TokenServer, given: Given) -> None:
    """Five seconds more, from then on (section 3.5)."""
    server.interval = 1
    oauth2 = given.with_device()
    begun = device.begin(oauth2, environ={})

    def agree() -> None:
        server.interval = 0
        server.agree(USER)

    waiting = Waiting(None, None, agree)
    assert server.accepts(USER, _wait(oauth2, begun, waiting).access_token)
    assert waiting.pauses == [1.0, 1.0, 6.0]


def test_server_that_is_down_for_a_while_is_waited_for(server: TokenServer, given: Given) -> None:
    """The person has agreed meanwhile: that must not be lost. The pauses grow (section 3.5)."""
    server.interval = 0
    oauth2 = given.with_device()
    begun = device.begin(oauth2, environ={})

    def fail() -> None:
        server.fault = Fault.ERROR

    def recover() -> None:
        server.fault = Fault.NONE
        server.agree(USER)

    waiting = Waiting(fail, None, recover)
    assert server.accepts(USER, _wait(oauth2, begun, waiting).access_token)
    assert waiting.pauses == [5.0, 10.0, 20.0]


@pytest.mark.parametrize(("error", "text"), [("access_denied", "did not agree"), ("expired_token", "not used in time")])
def test_person_does_not_agree(server: TokenServer, given: Given, error: str, text: str) -> None:
    """That is the end of it."""
    oauth2 = given.with_device()
    begun = device.begin(oauth2, environ={})
    server.deny(error)
    with pytest.raises(OAuth2Error, match=text):
        _wait(oauth2, begun, Waiting())


def test_code_that_nobody_uses_ends(given: Given) -> None:
    """By our own clock, too: a server need not say so."""
    oauth2 = given.with_device()
    begun = device.begin(oauth2, environ={})
    over = Device(begun.address, begun.user_code, begun.device_code, 1.0, 0.0)
    with pytest.raises(OAuth2Error, match="not used in time"):
        _wait(oauth2, over, Waiting())


def test_app_that_is_not_known(given: Given) -> None:
    """The first question tells it."""
    with pytest.raises(OAuth2Error, match="no app of this client_id"):
        device.begin(given.with_device(client_id="other"), environ={})


def test_provider_without_device_codes(given: Given) -> None:
    """It is said what to do instead."""
    with pytest.raises(OAuth2Error, match=r"no endpoint for device codes -- write device_url"):
        device.begin(given.with_device(device_url=""), environ={})


@pytest.mark.parametrize("provider", ["", GOOGLE])
def test_person_agrees_in_a_browser(server: TokenServer, given: Given, provider: str) -> None:
    """The address that the browser ends at has the code, which is of use only to who began."""
    oauth2 = given.with_device(provider=provider)
    browsing = browser.begin(oauth2, USER)
    assert ("access_type=offline" in browsing.url) == bool(provider)
    assert browsing.verifier not in browsing.url
    assert browsing.verifier not in repr(browsing)
    answer = browser.finish(oauth2, browsing, f"  {server.browse(browsing.url, USER)}\n", environ={})
    assert server.accepts(USER, answer.access_token)
    assert answer.refresh_token in server.refresh_tokens


def test_code_of_somebody_else_is_not_used(server: TokenServer, given: Given) -> None:
    """Neither where the state is another, nor where the proof is (RFC 7636)."""
    oauth2 = given.with_device()
    one, other = browser.begin(oauth2, USER), browser.begin(oauth2, USER)
    pasted = server.browse(one.url, USER)
    with pytest.raises(OAuth2Error, match="not the address"):
        browser.finish(oauth2, other, pasted, environ={})
    forged = browser.Browsing(other.url, one.state, other.verifier)
    with pytest.raises(OAuth2Error, match="invalid_grant"):
        browser.finish(oauth2, forged, pasted, environ={})
    assert not server.issued


@pytest.mark.parametrize(
    "pasted", ["", "x", "http://127.0.0.1:47119/", "http://127.0.0.1:47119/?code=a&state=b", "http://[", "\0"]
)
def test_address_that_is_another(given: Given, pasted: str) -> None:
    """It is said which is wanted; nothing is asked."""
    oauth2 = given.with_device()
    with pytest.raises(OAuth2Error, match=r"copy all of the address that begins with http://127"):
        browser.finish(oauth2, browser.begin(oauth2, USER), pasted, environ={})
    assert not given.server.requests


def test_person_says_no_in_the_browser(given: Given) -> None:
    """The address says so."""
    oauth2 = given.with_device()
    pasted = f"{browser.REDIRECT_URI}?error=access_denied&state=x"
    with pytest.raises(OAuth2Error, match="did not agree"):
        browser.finish(oauth2, browser.begin(oauth2, USER), pasted, environ={})
