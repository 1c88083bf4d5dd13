"""Patterns for the texts of relay.yaml in the JSON Schema (ECMA-262, and Python's ``re``). Pure.

For ASCII text, a pattern accepts exactly what the reader accepts. Other text it refuses only if the reader does, too: a
pattern cannot tell which letters of other scripts a name may have, nor how many octets it takes.
``tests/shape/test_values.py`` compares the two.
"""

from __future__ import annotations

from dms_relay.model import NULL_SENDER
from dms_relay.postfix.nexthop import LABEL_MAX, NAME_MAX, SERVICES
from dms_relay.sources.sasl_password import LOGIN_MAX
from dms_relay.sources.text import KEY_MAX

#: A character outside ASCII: the reader checks these in detail.
_OTHER = r"[^\x00-\x7f]"
_LETTER = rf"(?:[A-Za-z0-9_]|{_OTHER})"
_LABEL = rf"{_LETTER}(?:(?:{_LETTER}|-){{0,{LABEL_MAX - 2}}}{_LETTER})?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_BYTE = "(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5])"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
#: The same inside an IPv6 address, where no number may begin with 0.
_STRICT = "(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_STRICT_IPV4 = rf"{_STRICT}(?:\.{_STRICT}){{3}}"
_GROUP = "[0-9A-Fa-f]{1,4}"
_PORT = (
    "(?:(?!0+(?![0-9]))(?:[0-5]?[0-9]{1,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
    rf"|{'|'.join(sorted(SERVICES))})"
)


def _ipv6() -> str:
    """Return the pattern of an address (RFC 4291, section 2.2), one alternative for each number of groups before ``::``."""
    last = rf"(?:{_GROUP}:{_GROUP}|{_STRICT_IPV4})"
    found = [rf"(?:{_GROUP}:){{6}}{last}"]
    for before in range(8):
        begin = rf"{_GROUP}(?::{_GROUP}){{{before - 1}}}" if before else ""
        after = 7 - before
        ends = [rf"(?:{_GROUP}(?::{_GROUP}){{0,{after - 1}}})?"] if after else [""]
        ends += [rf"(?:{_GROUP}:){{0,{after - 2}}}{_STRICT_IPV4}"] if after > 1 else []
        found.append(rf"{begin}::(?:{'|'.join(ends)})")
    return rf"(?:[Ii][Pp][Vv]6:)?(?:{'|'.join(found)})"


_IPV6 = _ipv6()
#: Text of only digits and dots must be an address.
_NAME = rf"(?:{_IPV4}|(?![0-9.]+(?![^\]:])){_DOMAIN})"
_LIMIT = rf"(?=.{{1,{NAME_MAX}}}$)"
_LOCAL = r"[^\x00-\x20\x7f\"\\@:]*@"
DOMAIN = rf"^{_LIMIT}{_DOMAIN}$"
SENDER = rf"^(?=.{{1,{KEY_MAX}}}$)(?:{NULL_SENDER}|(?!#|\*@)(?:{_LOCAL})?(?=[^@]{{1,{NAME_MAX}}}$){_DOMAIN})$"
RECIPIENT = rf"^(?=.{{1,{KEY_MAX}}}$)(?!#|\*@)(?:\.|{_LOCAL})?(?=[^@]{{1,{NAME_MAX}}}$){_DOMAIN}$"
HOST = rf"^(?:{_LIMIT}{_NAME}|{_IPV6}|\[(?:(?=[^\]]{{1,{NAME_MAX}}}\]){_NAME}|{_IPV6})\])$"
HOST_AND_PORT = (
    rf"^(?:{_IPV6}|(?=[^:]{{1,{NAME_MAX}}}(?::|$)){_NAME}(?::{_PORT})?"
    rf"|\[(?:(?=[^\]]{{1,{NAME_MAX}}}\]){_NAME}|{_IPV6})\](?::{_PORT})?)$"
)
MATCH = rf"^\.?(?=[^.].{{0,{NAME_MAX - 1}}}$){_DOMAIN}$"
FILE = "^/[A-Za-z0-9_./+@:~=-]+$"
VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
#: The https address of an endpoint, without a user name in it.
URL = r"^https://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
TENANT = "^[.-]*[A-Za-z0-9][A-Za-z0-9.-]*$"
CLIENT_ID = "^[!-~]{1,512}$"
#: RFC 6749, section 3.3.
SCOPE = r"^[!#-\[\]-~]+(?: [!#-\[\]-~]+)*$"
#: A secret of OAuth2 (RFC 6749, appendix A: VSCHAR), without a blank at its ends.
SECRET = "^[!-~](?:[ -~]*[!-~])?$"  # noqa: S105 -- a pattern


def fingerprint(octets: int) -> str:
    """Return the pattern of a digest with this many octets."""
    return rf"^[0-9A-Fa-f]{{2}}(?::?[0-9A-Fa-f]{{2}}){{{octets - 1}}}$"


def login_part(*, is_username: bool) -> str:
    """Return the pattern of a user name or a password: no line end, no blank at either end; no colon in a user name."""
    colon = ":" if is_username else ""
    inner, outer = rf"[^\r\n\x00{colon}]", rf"[^\r\n\x00 \t\x0b\x0c{colon}]"
    return rf"^(?=[^\r\n]{{1,{LOGIN_MAX}}}$){outer}(?:{inner}*{outer})?$"
