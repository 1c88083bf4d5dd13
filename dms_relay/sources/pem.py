"""Checks that a named file has certificates (PEM). Reads that file, writes nothing.

Known limits: it only searches for the beginning of a certificate.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.files.trust import DistrustError, NotReadableError
from dms_relay.sources.distrust import said_of_named
from dms_relay.sources.text import read_file, remedy_for

if TYPE_CHECKING:
    from dms_relay.sources.text import Owner

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_PEM = b"-----BEGIN "
#: Octets to read of a certificate file; the system's has some 220 KB.
_PEM_MAX = 1 << 22


def wrong_pem(path: str, source: str, owner: Owner | None) -> tuple[str, str, bool] | None:
    """Return what is wrong with a file of authorities, what to do, and True if it cannot be read; ``None`` if it is right.

    ``source`` is the input that names it, ``owner`` the owner of that input.
    """
    try:
        content = read_file(Path(path), _PEM_MAX, reader=owner)
    except (DistrustError, NotReadableError) as error:
        return *said_of_named(error, source, owner), False
    except OSError as error:
        remedy = remedy_for(error, "mount the file, or name another")
        return f"the file that it names cannot be read: {error.strerror}", remedy, True
    if _PEM in content:
        return None
    return "the file that it names contains no PEM certificate", "name a file with BEGIN CERTIFICATE in it", False
