"""``python -m tools.fold PAGE…``: fold the long lines of output that pages show, so that nobody has to scroll sideways.

A line of more than 100 columns is broken at a space; the rest follows in the next line, indented, after ``↳``. Pages say so
where they do it. ``unfold`` restores the lines, which is how tests compare them with what the program prints.

Only blocks without a language are folded: a command or a file that somebody copies is broken by hand, in its own syntax.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Columns of a block: what GitHub and the site show without scrolling on a laptop.
WIDTH = 100
#: What the rest of a line begins with, and by how much it is indented more than its line.
MARK = "↳ "
_INDENT = 2
#: Where a line can be broken: at a space, or at two, of which the second one stays before what follows. Columns of a
#: table are further apart, and are left alone.
_PLACE = re.compile(r"(?<=\S) (?= ?\S)")
#: What comes before what to do: it begins a line, if there must be another one.
_REMEDY = " -- "
_REST = re.compile(rf"\n *{MARK}")


def unfold(text: str) -> str:
    """Return the text with each folded line as it was."""
    return _REST.sub(" ", text)


def fold(line: str) -> list[str]:
    """Return a line as one or more that are no wider than ``WIDTH``, if it has spaces enough."""
    start = len(line) - len(line.lstrip())
    indent = " " * (start + _INDENT)
    folded = []
    while len(line) > WIDTH:
        places = [match.start() for match in _PLACE.finditer(line[: WIDTH + 2]) if match.start() > start]
        if not places:
            break
        at = next((place for place in places if line[place:].startswith(_REMEDY)), 0)
        at = at or next((place for place in places if line[place + 1] == " " and place > WIDTH / 2), places[-1])
        folded.append(line[:at])
        line = f"{indent}{MARK}{line[at + 1 :]}"
        start = len(indent) + len(MARK)
    return [*folded, line]


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield each line of a page's blocks of code: its number from 0, the language of its block, and the line."""
    language, indented, previous = None, False, ""
    for number, line in enumerate(text.splitlines()):
        if line.lstrip().startswith("```"):
            language = line.strip(" `") if language is None else None
        elif language is not None:
            yield number, language, line
        else:
            indented = line.startswith("    ") and (indented or not previous.strip())
            if indented:
                yield number, "", line
        previous = line


def folded_page(text: str) -> str:
    """Return a page with the long lines of its blocks folded; what is folded already stays, by hand or not."""
    lines = text.splitlines()
    for number, language, line in blocks(text):
        if not language:
            lines[number] = "\n".join(fold(line))
    return "\n".join(lines) + "\n"


def main(pages: Sequence[str]) -> None:
    """Fold each page in its place."""
    for page in map(Path, pages):
        page.write_text(folded_page(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
