"""Files that cannot be read as text, and managed domains that are none."""

from __future__ import annotations

import os
from dataclasses import replace

from tests.invalid_inputs import SECRET, Odd, Wrong, in_file

MEND = "repair the file, or remove it"
IS_DIRECTORY = f" is a directory: a mounted file must exist before the container is created -- {MEND}"
CR = "contains a carriage return in the middle -- save the file with line ends of Unix (LF) or Windows (CRLF)"
RELAY = "r.test"
NAMES = (
    "postfix-relaymap.cf",
    "postfix-sasl-password.cf",
    "relay.env",
    "postfix-main.cf",
    "vhost",
    "postfix-accounts.cf",
    "postfix-virtual.cf",
)


def unreadable(file: str) -> tuple[Wrong, ...]:
    """Make the cases of something that is no file, for a file of that name."""
    cases = (
        in_file(file, "a directory", Odd.DIRECTORY, IS_DIRECTORY, RELAY_HOST=RELAY),
        in_file(
            file,
            "a broken link",
            Odd.BROKEN_LINK,
            f" is a link to a file that does not exist -- {MEND}",
            RELAY_HOST=RELAY,
        ),
        in_file(
            file,
            "a link to itself",
            Odd.LINK_LOOP,
            f" cannot be read: Too many levels of symbolic links -- {MEND}",
            RELAY_HOST=RELAY,
        ),
    )
    return tuple(replace(case, code=os.EX_NOINPUT) for case in cases)


def no_text(file: str) -> tuple[Wrong, ...]:
    """Make the cases of a file that is no plain text, for a file of that name."""
    return (
        in_file(file, "UTF-16", f"# {SECRET}\n".encode("utf-16"), " is UTF-16 -- save it as UTF-8", RELAY_HOST=RELAY),
        in_file(
            file,
            "a NUL",
            f"# {SECRET}\n#\0\n",
            "2: contains a NUL byte -- save it as plain text",
            RELAY_HOST=RELAY,
        ),
        in_file(
            file,
            "Latin-1",
            f"# {SECRET}\n# für\n".encode("latin-1"),
            "2: is not UTF-8 -- save the file as UTF-8",
            RELAY_HOST=RELAY,
        ),
        in_file(file, "CR alone", f"# {SECRET}\r# x\r# y", f"1: {CR}", RELAY_HOST=RELAY),
    )


CASES = (*(case for name in NAMES for case in (*unreadable(name), *no_text(name))),)
