"""The message that ``--send-to`` sends, and its allowed addresses. Pure."""

from __future__ import annotations

import re
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dms_relay.relay_test.targets import Target

#: Maximum octets of an address (RFC 5321, section 4.5.3.1, with RFC 3696's erratum 1690).
ADDRESS_MAX = 254
#: A dot-string and a domain (RFC 5321, section 4.1.2): no character that could end the command or a header.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*",
    re.ASCII,
)


def is_address(text: str) -> bool:
    """Return True if ``text`` fits in ``MAIL FROM`` and ``RCPT TO`` unchanged: ASCII, without quotes or spaces."""
    return len(text) <= ADDRESS_MAX and bool(_ADDRESS.fullmatch(text))


def compose(target: Target, sender: str, recipient: str, helo: str, now: datetime) -> bytes:
    """Return the message with CRLF line ends (RFC 5322). No line begins with a dot, and none contains a password.

    An empty ``sender`` is the null sender.
    """
    host = helo if helo.isascii() else "localhost"
    name = target.relay.encode("ascii", "replace").decode("ascii")
    headers = {
        "From": f"<{sender or f'MAILER-DAEMON@{host}'}>",
        "To": f"<{recipient}>",
        "Subject": f"dms-relay test: {name}",
        "Date": format_datetime(now),
        "Message-ID": make_msgid(domain=host),
        "Auto-Submitted": "auto-generated",  # RFC 3834
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=us-ascii",
    }
    body = (f"Sent by dms-relay test through relay {name}.", "If you can read this, the relay works.")
    lines = (*(f"{key}: {value}" for key, value in headers.items()), "", *body)
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
