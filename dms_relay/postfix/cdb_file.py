"""Lists a table of type ``cdb:``, which ``postmap -s`` cannot ("sequence operation is not supported", Postfix 3.7).

The format is D. J. Bernstein's (cdb(5), https://cr.yp.to/cdb/cdb.txt): 256 pairs of numbers, each the place and the size of
a hash table; then the records, as far as the first of these tables. Reads; raises ``PostfixError``.
"""

from __future__ import annotations

from errno import EFBIG
from struct import error, iter_unpack, unpack_from
from typing import TYPE_CHECKING

from dms_relay.errors import PostfixError
from dms_relay.files.content import TABLE_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Octets of the pairs at the beginning, and of the two lengths before each record.
_HEAD, _LENGTHS = 2048, 8
_PAIR = "<II"


def entries(path: Path) -> list[tuple[str, str]]:
    """Return keys and values, in the order in which they were written."""
    try:
        return list(_records(_read(path)))
    except OSError as problem:
        text, errno = f"{path} cannot be read: {problem.strerror}", problem.errno
    except error:
        text, errno = f"{path} is not a table of type cdb", None
    raise PostfixError(text, f"make it again: postmap cdb:{path.with_suffix('')}", errno=errno)


def _read(path: Path) -> bytes:
    if path.stat().st_size > TABLE_MAX:
        raise OSError(EFBIG, f"it is larger than {TABLE_MAX >> 20} MiB")
    return path.read_bytes()


def _records(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the records; Postfix may write a NUL behind keys and values (dict_cdb.c)."""
    at, end = _HEAD, min(place for place, _ in iter_unpack(_PAIR, content[:_HEAD] or b"\0"))
    while at < end:
        of_key, of_value = unpack_from(_PAIR, content, at)
        at += _LENGTHS
        key, value = content[at : at + of_key], content[at + of_key : at + of_key + of_value]
        at += of_key + of_value
        yield _text(key), _text(value)


def _text(octets: bytes) -> str:
    return octets.rstrip(b"\0").decode("utf-8", "surrogateescape")
