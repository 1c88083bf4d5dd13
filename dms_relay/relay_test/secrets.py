"""Removes secrets from a server's replies, and makes the rest safe to show on a terminal. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

from dms_relay.model import MASK

if TYPE_CHECKING:
    from dms_relay.model import Login

#: The most characters of a server's reply that are shown.
SHOWN_MAX = 400
#: Text that can be a part of what was sent in base64, and too long to match by chance.
_RUN = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")


class Secrets:
    """What must not be shown: a password, and everything that was sent and contains it."""

    def __init__(self, login: Login | None = None) -> None:
        """Take the password, in all forms in which it is sent."""
        self._texts: set[str] = set()
        if login:
            self.add(login.password)
            # As a reply shows it where it is not UTF-8.
            self.add(login.password.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            for text in (encoded(login.password), encoded(plain(login))):
                self.add(text)
                self.add(text.rstrip("="))

    def __repr__(self) -> str:
        """Show nothing."""
        return "Secrets()"

    def add(self, text: str) -> None:
        """Add a secret."""
        if text:
            self._texts.add(text)

    def hide(self, text: str) -> str:
        """Return ``text`` without secrets, in any letter case; control characters become spaces."""
        for secret in sorted(self._texts, key=len, reverse=True):
            text = re.sub(re.escape(secret), MASK, text, flags=re.IGNORECASE)
        # A server may repeat only a part of it, or break the line.
        return printable(_RUN.sub(lambda run: MASK if self._is_part(run[0]) else run[0], text))

    def _is_part(self, run: str) -> bool:
        return any(run.rstrip("=") in text for text in self._texts)


def plain(login: Login) -> str:
    """Return what AUTH PLAIN sends, before it is encoded (RFC 4616)."""
    return f"\0{login.username}\0{login.password}"


def encoded(text: str) -> str:
    """Return ``text`` as AUTH sends it (RFC 4954)."""
    return b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def printable(text: str) -> str:
    """Return ``text`` on one line, shortened, without control characters for the terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= SHOWN_MAX else f"{line[:SHOWN_MAX]}…"
