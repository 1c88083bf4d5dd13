"""Removes secrets from a server's replies, and makes the rest safe to show on a terminal. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from itertools import groupby
from operator import itemgetter
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from dms_relay.model import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Login

#: Maximum characters to show of a server's reply.
SHOWN_MAX = 400
#: Minimum run of base64 characters that counts as a piece of a secret, exactly and in any letter case: three octets, and a
#: length that words of a reply match by chance once in thousands.
PIECE, PIECE_IN_ANY_CASE = 4, 6
#: The same for an access token: it has thousands of characters, so any text would contain shorter pieces by chance.
PIECE_OF_TOKEN = 10
#: Translates base64 for file names (RFC 4648, section 5) to the usual one.
_USUAL = str.maketrans("-_", "+/")
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
#: What may precede a password in one group of base64: the octets, and how many characters contain a part of them.
_BEFORE = ((1, 2), (2, 3))


class Secrets:
    """What must not be shown: a password, and everything sent that contains it."""

    def __init__(self, login: Login | None = None) -> None:
        """Record the password, in all forms in which it is sent."""
        self._texts: set[str] = set()
        self._sizes = (PIECE_OF_TOKEN, PIECE_OF_TOKEN) if login and login.oauth2 else (PIECE, PIECE_IN_ANY_CASE)
        #: Pieces verbatim, and in lower case.
        self._pieces: tuple[set[str], set[str]] = (set(), set())
        if login:
            self._add(login.password)
            # As a reply shows it if it is not UTF-8.
            self._add(login.password.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            for text in (login.password, plain(login)):
                self.add(encoded(text))
            for octets, signs in _BEFORE:
                self._add_pieces(encoded("\0" * octets + login.password)[signs:])
            if login.oauth2:
                self._add_pieces(login.password)

    def __repr__(self) -> str:
        """Show nothing."""
        return "Secrets()"

    def add(self, sent: str) -> None:
        """Add a secret in base64."""
        self._add(sent)
        self._add(sent.rstrip("="))
        self._add_pieces(sent)

    def _add_pieces(self, sent: str) -> None:
        usual = sent.rstrip("=").translate(_USUAL)
        for size, pieces, form in zip(self._sizes, self._pieces, (usual, usual.translate(_LOWER)), strict=True):
            pieces.update(_windows(form, size))

    def _add(self, text: str) -> None:
        if text:
            self._texts.add(text)

    def hide(self, text: str) -> str:
        """Return ``text`` without secrets, in any letter case; control characters become spaces."""
        for secret in sorted(self._texts, key=len, reverse=True):
            text = re.sub(re.escape(secret), MASK, text, flags=re.IGNORECASE)
        return printable(self._without_pieces(text))

    def _without_pieces(self, text: str) -> str:
        """Mask each piece of what was sent in base64: a server may repeat only a part of it, or break the line."""
        usual, hidden = text.translate(_USUAL), bytearray(len(text))
        for size, pieces, form in zip(self._sizes, self._pieces, (usual, usual.translate(_LOWER)), strict=True):
            for at, window in enumerate(_windows(form, size)):
                if window in pieces:
                    hidden[at : at + size] = b"\1" * size
        runs = groupby(zip(text, hidden, strict=True), key=itemgetter(1))
        return "".join(MASK if is_hidden else "".join(sign for sign, _ in run) for is_hidden, run in runs)


def _windows(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(len(text) - size + 1))


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
