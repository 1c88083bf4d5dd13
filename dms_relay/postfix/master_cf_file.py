"""Reads master.cf, and replaces it by rename; mode and owner stay the same.

``edit`` keeps the lines of a drain (``drained``), and ``read`` hides them. Raises ``PostfixError`` if the file cannot be
read, ``WriteError`` if it cannot be written.
"""

from __future__ import annotations

from errno import EACCES, EFBIG, EINVAL, EISDIR, ETXTBSY
from stat import S_IMODE

from dms_relay import files
from dms_relay.errors import PostfixError
from dms_relay.files.content import read_whole
from dms_relay.postfix import drained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dms_relay.postfix.drained import Drained

#: What to do if main.cf or master.cf exists but cannot be read.
REMEDIES = {
    EACCES: "run as root",
    ETXTBSY: "run again when it is written",
    **dict.fromkeys((EFBIG, EINVAL, EISDIR), "put Postfix's own file back there"),
}


def read(path: Path) -> str:
    """Return the text without the lines of a drain."""
    return drained.without(_read(path))


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Replace the text with the result of ``change``."""
    before = _read(path)
    is_drained = drained.found(before)
    text = change(drained.without(before))
    _write(path, drained.with_(text, is_drained) if is_drained != drained.NOT_DRAINED else text)


def read_drained(path: Path) -> Drained:
    """Return the state of a drain."""
    return drained.found(_read(path))


def set_drained(path: Path, wanted: Drained) -> None:
    """Add or remove the lines of a drain as wanted. A file that is already right is not written."""
    before = _read(path)
    text = drained.without(before)
    if wanted != drained.NOT_DRAINED:
        text = drained.with_(text, wanted)
    if text != before:
        _write(path, text)


def _read(path: Path) -> str:
    try:
        return read_whole(path).decode("utf-8", "surrogateescape")
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}"
        remedy = REMEDIES.get(error.errno or 0, "install Postfix")
        raise PostfixError(text, remedy, errno=error.errno) from None


def _write(path: Path, text: str) -> None:
    status = path.stat()
    files.replace(
        path, text.encode("utf-8", "surrogateescape"), S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
    )
