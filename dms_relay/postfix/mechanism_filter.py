"""``smtp_sasl_mechanism_filter``: which of a server's SASL mechanisms smtp(8) uses (smtp_sasl_glue.c).

Reads the lookup tables and files that the parameter names. One that cannot be read permits nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.files.content import read_whole
from dms_relay.postfix.main_cf import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.postfix.programs import Postfix

PARAMETER = "smtp_sasl_mechanism_filter"
#: Mechanisms to look up in a table: those of Cyrus SASL's plugins, and those that services announce.
KNOWN = (
    *(
        "anonymous",
        "plain",
        "login",
        "cram-md5",
        "digest-md5",
        "ntlm",
        "otp",
        "srp",
        "external",
        "gssapi",
        "gss-spnego",
    ),
    *("gs2-krb5", "gs2-iakerb", "kerberos_v4", "passdss-3des-1", "xoauth2", "oauthbearer"),
    *(f"scram-sha-{bits}{plus}" for bits in (1, 224, 256, 384, 512) for plus in ("", "-plus")),
)
#: A word with one of these characters is a lookup table or a file.
_TABLE = frozenset("/:")
#: A word that permits nothing, even if the tables before it are empty.
_NO_OTHER = "/"


def filter_words(value: str, postfix: Postfix) -> Iterator[str]:
    """Yield the words of the parameter's value, with lookup tables and files replaced by their content."""
    for word in split(value.lower()):
        sign, pattern = ("!", word[1:]) if word.startswith("!") else ("", word)
        names: Iterable[str] = (pattern,)
        if pattern.startswith("/"):
            names = _words(pattern)
        elif ":" in pattern:
            names = postfix.lookup(pattern, KNOWN)
        yield from (f"{sign}{name}" for name in names)
    if value:
        yield _NO_OTHER


def _words(file: str) -> list[str]:
    """Return the words of a file; if it cannot be read, its name, which permits nothing."""
    try:
        lines = read_whole(Path(file)).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return [file]
    return [word for line in lines if not line.startswith("#") for word in split(line.lower())]


def passes(name: str, words: Iterable[str]) -> bool:
    """Return True if a filter permits a mechanism: the first word that matches is not negated (string_list(3)).

    At a lookup table or file that was not read, the search ends: it permits none.
    """
    words = tuple(words)
    hit = next((word for word in words if name == word.lstrip("!") or _TABLE & set(word)), "!" if words else "")
    return not hit.startswith("!") and not _TABLE & set(hit)
