"""Reads a text file of the operator as lines, and reports content that no file may have.

Reads one file, writes nothing. A file that exists but cannot be read, bytes that are not UTF-8, and NUL each become a
``Problem``, never an exception. So does a file that others could change (``files.trust``).

CRLF line ends, a missing last line end and a byte order mark are accepted; a CR elsewhere in a line, as in files with only
CR, is a ``Problem``: Postfix would take it for part of the value. Between fields, blanks are spaces and tabs; at the ends,
everything in isspace(3) is trimmed, as Postfix's readlline(3) does.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from errno import EACCES, EFBIG, EINVAL, EISDIR, ETXTBSY

from dms_relay.files.content import read_open
from dms_relay.files.leftovers import kept_name
from dms_relay.files.trust import DistrustError, NotReadableError, ReplacedError, require_believed
from dms_relay.model import Origin, Problem
from dms_relay.model.values import frozen
from dms_relay.postfix.nexthop import SyntaxProblem, check_domain, refuse_odd_blanks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    #: The owner of a file: uid and gid.
    Owner = tuple[int, int]

#: How often we open a file that somebody replaces, by rename, while we check it.
_TRIES = 5
#: The characters that Postfix trims at both ends of a line or value (isspace(3) in the C locale, except the line feed).
TRIM = " \t\r\v\f"
UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
#: The device number of /dev/null (Linux, admin-guide/devices.txt).
_DEV_NULL = os.makedev(1, 3)
_FIELDS = re.compile(r"[ \t]+")
_TRIM_BYTES = TRIM.encode()
#: Maximum octets of a sender key: local part, @ and domain (RFC 5321, section 4.5.3.1).
KEY_MAX = 64 + 1 + 255
#: Characters of a text to split into lines at once.
_PIECE = 1 << 16
#: Matches nearly every sender key; others get the full check, not only that of the domain.
_PLAIN_KEY = re.compile(r"[a-z0-9_.+-]*@[a-z0-9.-]+", re.IGNORECASE | re.ASCII)
_UNSAFE_IN_KEY = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\"\\]")


@frozen
class Line:
    """One line that counts: its number from 1, its trimmed text, and if it was indented."""

    number: int
    text: str
    indented: bool


def read_bytes(path: Path, name: str, problems: list[Problem], owners: dict[str, Owner] | None = None) -> bytes | None:
    """Return a file's content; ``None`` if there is no such file; ``b""`` and a problem if it cannot be read.

    Its owner is added to ``owners``, under ``name``.
    """
    try:
        content, owner = _read(path, -1, None)
    except (DistrustError, NotReadableError) as error:
        problems.append(distrusted(error))
        return b""
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return None
        problems.append(unreadable(error, name, is_link=isinstance(error, FileNotFoundError)))
        return b""
    if owners is not None:
        owners[name] = owner
    return content


def unreadable(error: OSError, name: str, *, is_link: bool = False) -> Problem:
    """Return the problem for an input that cannot be read; ``is_link``: it is a link to a file that does not exist."""
    remedy = "repair the file, or remove it"
    if is_link:
        reason = "is a link to a file that does not exist"
    elif isinstance(error, IsADirectoryError):
        reason = "is a directory: a mounted file must exist before the container is created"
    else:
        reason = f"cannot be read: {error.strerror}"
        remedy = remedy_for(error, remedy)
    return Problem(Origin(name), reason, remedy, is_missing=True)


def distrusted(error: DistrustError | NotReadableError) -> Problem:
    """Return the problem for an input that others could change, or link to; its origin is what they could change."""
    from dms_relay.sources.distrust import said  # noqa: PLC0415 -- only where something is wrong

    at = error.path if isinstance(error, DistrustError) else error.link
    return Problem(Origin(at), *said(error), rule="untrusted-input")


def read_file(path: Path, limit: int = -1, *, reader: Owner | None = None) -> bytes:
    """Return up to ``limit`` octets of a file (all if negative). A pipe or device, which may never end, is refused.

    /dev/null, which is mounted to hide a file, counts as an empty file. ``reader`` is the owner of the file that names this
    one, who must be allowed to read it (``trust.NotReadableError``). Raises ``OSError``.
    """
    return _read(path, limit, reader)[0]


def _read(path: Path, limit: int, reader: Owner | None) -> tuple[bytes, Owner]:
    """Return content and owner of a trusted file; it may be replaced while we check it."""
    for _ in range(_TRIES - 1):
        with suppress(ReplacedError):
            return _read_once(path, limit, reader)
    return _read_once(path, limit, reader)


def _read_once(path: Path, limit: int, reader: Owner | None) -> tuple[bytes, Owner]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor, not a path
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        require_believed(str(path), status, reader)
        if not stat.S_ISREG(status.st_mode) and status.st_rdev != _DEV_NULL:
            raise OSError(EINVAL, "it is not a file")
        content = read_open(file) if limit < 0 else read_open(file, limit, has_lines=False)
        return content, (status.st_uid, status.st_gid)


def without_line_end(text: str) -> str:
    """Remove one final line end, of Unix or Windows."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def remedy_for(error: OSError, other: str) -> str:
    """Return what to do about a file that cannot be opened; ``other`` if it is neither permissions nor its kind."""
    known = {
        EACCES: "run as root, or let this user read it",
        EISDIR: "a mounted file must exist before the container is created",
        EFBIG: "write the right file there",
        ETXTBSY: "run again when it is written",
    }
    return known.get(error.errno or 0, other)


def read_text(path: Path, name: str, problems: list[Problem], owners: dict[str, Owner] | None = None) -> str | None:
    """Return a file's text; ``None`` if there is no such file. Lines that cannot be text become problems instead."""
    data = read_bytes(path, name, problems, owners)
    if data is None:
        return None
    if data.startswith(UTF16_BOMS):
        problems.append(Problem(Origin(name), "is UTF-16", "save it as UTF-8"))
        return ""
    if data.startswith(UTF8_BOM):
        data = data[len(UTF8_BOM) :]
        problems.append(
            Problem(
                Origin(name), "begins with a byte order mark, which is ignored", "save it as UTF-8 without one", False
            )
        )
    return _decode(data, name, problems)


def _decode(data: bytes, name: str, problems: list[Problem]) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _decode_lines(data, name, problems)
    is_plain = "\0" not in text and text.count("\r") == text.count("\r\n")
    return text if is_plain else _decode_lines(data, name, problems)


def _decode_lines(data: bytes, name: str, problems: list[Problem]) -> str:
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if wrong := wrong_in(line):
            problems.append(Problem(Origin(name, number), *wrong))
            lines[number - 1] = b""
    return b"\n".join(lines).decode()


def wrong_in(line: bytes) -> tuple[str, str] | None:
    """Return why a line cannot be text, and what to do; ``None`` if it can."""
    if b"\0" in line:
        return "contains a NUL byte", "save it as plain text"
    if line.decode(errors="replace").encode() != line:
        return "is not UTF-8", "save the file as UTF-8"
    if b"\r" in line.strip(_TRIM_BYTES):
        return "contains a carriage return in the middle", "save the file with line ends of Unix (LF) or Windows (CRLF)"
    return None


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines that count: neither blank nor a comment, indented or not."""
    for number, raw in enumerate(_raw_lines(text), 1):
        line = raw.strip(TRIM)
        if line and line[0] != "#":
            yield Line(number, line, indented=raw[0] in TRIM)


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that count, for files whose lines may be indented."""
    for number, raw in enumerate(_raw_lines(text), 1):
        line = raw.strip(TRIM)
        if line and line[0] != "#":
            yield number, line


def _raw_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, split a piece at a time: a list of all of them takes more memory than the text."""
    start = 0
    while 0 <= start < len(text):
        end = text.find("\n", start + _PIECE)
        yield from text[start : end if end >= 0 else None].split("\n")
        start = end + 1 if end >= 0 else -1


def read_entries(path: Path, name: str, problems: list[Problem], entry: Callable[[str, str, Origin], None]) -> bool:
    """Read ``key blanks value`` lines and call ``entry`` with key, value and origin; return True if the file exists.

    A ``SyntaxProblem`` that ``entry`` raises becomes a problem of that line. An indented entry is read, with a warning:
    Postfix itself would take it for the continuation of the previous line.
    """
    text = read_text(path, name, problems)
    if text is None:
        return False
    if _is_cut_short(path):
        remedy = f"repeat that edit, or put {kept_name(path)} back in its place"
        problems.append(Problem(Origin(name), "an edit was interrupted, so the file may be incomplete", remedy))
    for line in lines_of(text):
        origin = Origin(name, line.number)
        if line.indented:
            problems.append(Problem(origin, "the line is indented", "begin it in the first column", is_error=False))
        key, value = split_entry(line.text)
        try:
            entry(key, value, origin)
        except SyntaxProblem as problem:
            problems.append(Problem(origin, problem.text, problem.remedy))
    return True


def _is_cut_short(path: Path) -> bool:
    try:
        if not os.path.lexists(kept_name(path)):
            return False
    except OSError:  # it was a link, and is now a file
        return False
    from dms_relay.files.in_place import is_cut_short  # noqa: PLC0415 -- rarely needed

    return is_cut_short(path)


def split_entry(text: str) -> tuple[str, str]:
    """Split a trimmed line at its first run of blanks; the value is ``""`` if there is none."""
    fields = _FIELDS.split(text, maxsplit=1)
    return fields[0], fields[1].strip(TRIM) if len(fields) > 1 else ""


def check_sender_key(key: str) -> None:
    """Raise ``SyntaxProblem`` unless ``key``, which contains an ``@``, is ``@domain`` or ``user@domain``.

    A table cannot hold a key with quotes, backslashes or blanks unchanged (postmap(1)), so these are refused. The message
    does not quote the key: it may be a login without its key, or one before a host as in a URL.
    """
    if not _PLAIN_KEY.fullmatch(key) or len(key) > KEY_MAX:
        _check_odd_key(key)
    check_domain(key.rpartition("@")[2], "domain in the key", show=False)


def _check_odd_key(key: str) -> None:
    refuse_odd_blanks(key)
    if _UNSAFE_IN_KEY.search(key):
        raise SyntaxProblem(
            "the key contains a quote, a backslash or a control character", "write @domain or user@domain"
        )
    if " " in key or "\t" in key:
        raise SyntaxProblem("the key contains a space", "write @domain or user@domain")
    if len(key.encode()) > KEY_MAX:
        raise SyntaxProblem(f"the key is longer than {KEY_MAX} octets", "write @domain or user@domain")
    local = key.rpartition("@")[0]
    if "@" in local or ":" in local:
        raise SyntaxProblem("the key is not an address", "write @domain or user@domain")
