"""The device code (RFC 8628): a person consents on another device, and we poll for the result.

Raises ``OAuth2Error`` if the provider refuses, the person does not consent, or the code expires.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from oauthlib.oauth2 import DeviceClient

from dms_relay.log import printable
from dms_relay.model.values import field, frozen
from dms_relay.oauth2.answer import json_of
from dms_relay.oauth2.error import OAuth2Error
from dms_relay.oauth2.grants import TIMEOUT, exchange
from dms_relay.oauth2.http import post, split
from dms_relay.oauth2.refusals import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.oauth2.answer import Answer

#: Default seconds between two polls, and what "slow down" adds (sections 3.2 and 3.5).
_INTERVAL, _SLOWER = 5.0, 5.0
#: Default life of a code in seconds: Microsoft's and Google's last a quarter to half an hour.
_LIFE = 900.0
_INTERVAL_MAX = 60.0
_PENDING, _SLOW_DOWN = "authorization_pending", "slow_down"
#: Maximum characters to show to the person.
_SHOWN_MAX = 200


@frozen
class Device:
    """What the person needs (an address and a code), and the code to poll with. ``ends_at`` is by the monotonic clock."""

    address: str
    user_code: str
    device_code: str = field(repr=False)
    interval: float
    ends_at: float


def begin(oauth2: OAuth2, *, environ: Mapping[str, str], timeout: float = TIMEOUT) -> Device:
    """Request a code."""
    if not oauth2.device_url:
        text = "the provider has no endpoint for device codes"
        raise OAuth2Error(text, "write device_url, or a refresh token", "no device_url", is_final=True)
    form = urlencode({"client_id": oauth2.client_id, **({"scope": oauth2.scope} if oauth2.scope else {})})
    reply = post(oauth2.device_url, form, ca_file=oauth2.ca_file, environ=environ, timeout=timeout)
    data = json_of(reply, oauth2, secrets_of(oauth2))
    address = data.get("verification_uri") or data.get("verification_url")
    parts = [address, data.get("user_code"), data.get("device_code")]
    texts = [part for part in parts if isinstance(part, str) and part]
    if len(texts) != len(parts) or split(texts[0]).scheme not in {"http", "https"}:
        raise OAuth2Error("the answer has no device code", "check device_url", "no device code", is_final=True)
    ends_at = time.monotonic() + _number(data.get("expires_in"), _LIFE)
    shown = [printable(text)[:_SHOWN_MAX] for text in texts[:2]]
    return Device(shown[0], shown[1], texts[2], min(_number(data.get("interval"), _INTERVAL), _INTERVAL_MAX), ends_at)


def wait(
    oauth2: OAuth2, device: Device, *, environ: Mapping[str, str], sleep: Callable[[float], None] = time.sleep
) -> Answer:
    """Wait until the person has consented, and return the token."""
    form = DeviceClient(oauth2.client_id).prepare_request_body(device.device_code)
    interval = device.interval
    while time.monotonic() + interval < device.ends_at:
        sleep(interval)
        try:
            return exchange(oauth2, form, device.device_code, environ=environ)
        except OAuth2Error as error:
            if error.is_final and error.error not in {_PENDING, _SLOW_DOWN}:
                raise
            interval = _next(interval, error)
    raise OAuth2Error("the code was not used in time", "run dms-relay login again", "expired_token", is_final=True)


def _next(interval: float, error: OAuth2Error) -> float:
    """Return the next pause: longer if we were too fast, or the server did not answer (section 3.5)."""
    if error.error == _SLOW_DOWN:
        return interval + _SLOWER
    return interval if error.error == _PENDING else min(2 * interval, _INTERVAL_MAX)


def _number(value: object, otherwise: float) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) else otherwise
    except (ValueError, OverflowError):
        return otherwise
    return number if 0 < number < float("inf") else otherwise
