"""AUTH with an access token: XOAUTH2 (Google's and Microsoft's) and OAUTHBEARER (RFC 7628).

Works like our SASL plugin (``sasl/``): if the command would be longer than a line may be, the token follows an empty
challenge (RFC 4954, section 4). A server that refuses a token may say why in a challenge, as JSON in base64; the response
to it is empty, or ``%x01`` with OAUTHBEARER, and then the refusal itself comes.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING

from dms_relay.relay_test.secrets import encoded

if TYPE_CHECKING:
    from dms_relay.model import Login
    from dms_relay.relay_test.connection import SmtpConnection
    from dms_relay.relay_test.replies import Reply

_CONTINUE = 334
#: Maximum octets of a command line, with its end (RFC 5321, section 4.5.3.1.4), also for AUTH with an initial response.
COMMAND_MAX = 512
_OAUTHBEARER = "OAUTHBEARER"


def bearer(login: Login, mechanism: str, host: str, port: int) -> str:
    """Return the message with the token, before it is encoded."""
    if mechanism == _OAUTHBEARER:
        user = login.username.replace("=", "=3D").replace(",", "=2C")  # a saslname (RFC 5801, section 4)
        return f"n,a={user},\1host={host}\1port={port}\1auth=Bearer {login.password}\1\1"
    return f"user={login.username}\1auth=Bearer {login.password}\1\1"


def send_token(wire: SmtpConnection, login: Login, mechanism: str, place: tuple[str, int]) -> tuple[Reply, str]:
    """Send the token once; return the server's reply, and its reason of a refusal, safe to show.

    ``place`` is host and port. The JSON of a refusal is no secret, but a server may repeat the token in it.
    """
    message = encoded(bearer(login, mechanism, *place))
    wire.secrets.add(message)
    what = f"AUTH {mechanism}"
    line = f"{what} {message}"
    if len(f"{line}\r\n") <= COMMAND_MAX:
        reply = wire.ask(line, what)
    elif (reply := wire.ask(what, what)).code == _CONTINUE:
        reply = wire.ask(message, what)
    if reply.code != _CONTINUE:
        return reply, ""
    said = wire.secrets.hide(_decoded("".join(reply.lines)))
    return wire.ask(encoded("\1") if mechanism == _OAUTHBEARER else "", what), said


def _decoded(text: str) -> str:
    """Return the text of a challenge; empty if it is not base64."""
    try:
        return b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return ""
