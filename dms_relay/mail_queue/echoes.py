"""Masks what a server's reply may repeat of a login that is no longer in force. Pure.

``relay_test.secrets`` masks the login in force, piece by piece. A reason may be older than that login, so
masks also whatever in a reply to AUTH decodes from base64 to text.

Known limits: cannot tell a former password that a server repeats verbatim from any other word.
"""

from __future__ import annotations

import binascii
import codecs
import re
from base64 import b64decode

from dms_relay.model import MASK

#: Minimum length of a run of base64 characters: shorter ones occur in any text, and encode less than six octets.
_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_USUAL = str.maketrans("-_", "+/")
#: Length from which a run is also decoded from its second, third and fourth character: a server may repeat only a part.
#: Nine random octets are all printable once in ten thousand.
_LONG = 12
#: Octets of a UTF-8 character after its first.
_CONTINUATIONS = bytes(range(0x80, 0xC0))


def without_echoes(text: str) -> str:
    """Return a reply with base64-encoded text masked."""
    return _RUN.sub(lambda run: MASK if _is_text(run[0]) else run[0], text)


def _is_text(run: str) -> bool:
    signs = run.rstrip("=").translate(_USUAL)
    return any(_reads(signs[at:]) for at in range(4 if len(signs) >= _LONG else 1))


def _reads(signs: str) -> bool:
    """Return True if base64 decodes to text, with the NUL between user name and password (RFC 4616)."""
    whole = signs if len(signs) % 4 != 1 else signs[:-1]
    try:
        octets = b64decode(whole + "=" * (-len(whole) % 4), validate=True)
        # A part may begin and end inside a character.
        decoded = codecs.getincrementaldecoder("utf-8")().decode(octets.lstrip(_CONTINUATIONS))
    except (binascii.Error, UnicodeDecodeError):
        return False
    return decoded.replace("\0", "").isprintable()
