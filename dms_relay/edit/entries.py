"""Sets or removes one entry in the text of one of the operator's ``.cf`` files. Pure.

A file is octets, split into lines at line feeds; a line's key is its first field (``sources/text.py``). Only the lines of
one key are examined, so every octet of the others is preserved, right or wrong: comments, blank lines, order, a byte order
mark, CRLF line ends. Keys match in any letter case, indented or not, and internationalised domains in either form.

Raises ``SyntaxProblem`` for a file or a line that cannot be edited safely: UTF-16, and a line with carriage returns, which
may be meant as several lines. Known limits: a line that Postfix would read as the continuation of the previous one is an
entry here, as everywhere in this package.
"""

from __future__ import annotations

import re

from dms_relay.edit.keys import same_key
from dms_relay.postfix.nexthop import SyntaxProblem
from dms_relay.sources.text import TRIM, UTF8_BOM, UTF16_BOMS, split_entry, wrong_in

#: The separator of key and value.
SEPARATOR = "  "
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_TRIM = TRIM.encode()


def set_entry(content: bytes, key: str, value: str) -> bytes:
    """Return ``content`` with one line ``key value``, or only ``key`` if ``value`` is empty.

    The line replaces the first line of this key, and all others of the key are removed; a new key comes last. If the entry
    is there already, ``content`` is returned unchanged.
    """
    text = _Text(content)
    found = text.numbers_of(key)
    if [text.fields(number) for number in found] == [(key.casefold(), value)] and not text.is_indented(found[0]):
        return content
    line = f"{key}{SEPARATOR}{value}" if value else key
    text.put(found[0] if found else None, line.encode())
    text.drop(found[1:])
    return text.content()


def remove_entry(content: bytes, key: str) -> bytes:
    """Return ``content`` without the lines of ``key``."""
    text = _Text(content)
    text.drop(text.numbers_of(key))
    return text.content()


def keys_in(content: bytes) -> list[str]:
    """Return the key of each line, in order; comments and blank lines have none."""
    return [key for key in _Text(content).first_fields() if key and key[0] != "#"]


class _Text:
    """The lines of a file, each with its line end; the last one may have none."""

    def __init__(self, content: bytes) -> None:
        if content.startswith(UTF16_BOMS):
            raise SyntaxProblem("is UTF-16", "save it as UTF-8")
        self._mark = UTF8_BOM if content.startswith(UTF8_BOM) else b""
        self._lines: list[bytes] = _LINES.findall(content[len(self._mark) :])

    def content(self) -> bytes:
        return self._mark + b"".join(self._lines)

    def numbers_of(self, key: str) -> list[int]:
        """Return the numbers, from 0, of the lines with this key, which is never empty or a comment (``keys.py``)."""
        found = [number for number, line in enumerate(self._lines) if same_key(_fields(line)[0], key)]
        for number in found:
            wrong = wrong_in(self._lines[number].removesuffix(b"\n"))
            if wrong and b"\r" in self._lines[number].strip(_TRIM + b"\n"):
                raise SyntaxProblem(f"line {number + 1} {wrong[0]}", wrong[1])
        return found

    def first_fields(self) -> list[str]:
        """Return the first field of each line."""
        return [_fields(line)[0] for line in self._lines]

    def fields(self, number: int) -> tuple[str, str]:
        """Return a line's key, in lower case, and its value."""
        key, value = _fields(self._lines[number])
        return key.casefold(), value

    def is_indented(self, number: int) -> bool:
        return self._lines[number][:1].isspace()

    def put(self, number: int | None, line: bytes) -> None:
        """Replace a line and keep its line end, or append it as a new line."""
        if number is not None:
            self._lines[number] = line + self._end(self._lines[number])
            return
        end = self._end(b"")
        last = self._lines[-1] if self._lines else b"\n"
        if not last.endswith(b"\n"):
            self._lines[-1] += b"\n" if last.endswith(b"\r") else end
        self._lines.append(line + end)

    def drop(self, numbers: list[int]) -> None:
        for number in reversed(numbers):
            del self._lines[number]

    def _end(self, line: bytes) -> bytes:
        """Return the line end of a line, or that of the other lines if it has none."""
        with_end = line if line.endswith(b"\n") else next((line for line in self._lines if line.endswith(b"\n")), b"\n")
        return b"\r\n" if with_end.endswith(b"\r\n") else b"\n"


def _fields(line: bytes) -> tuple[str, str]:
    return split_entry(line.removesuffix(b"\n").decode("utf-8", "surrogateescape").strip(TRIM))
