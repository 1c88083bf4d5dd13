"""``python tools/recording.py TITLE FILE``: draw a command's output, from standard input, as a terminal in SVG.

``make recording`` draws the output of ``make demo`` with it. It imports nothing of the project: rich, which draws, is only
in the environment of the site, since structlog would use it wherever it is installed. Shortens the names of temporary
directories, which differ each time.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console  # type: ignore[import-not-found, unused-ignore]
from rich.text import Text  # type: ignore[import-not-found, unused-ignore]

#: Columns of the terminal: the demo's tables have fewer.
_WIDTH = 136
_TEMPORARY = re.compile(r"/dms-relay-postfix-\w+")
#: rich makes the browser fetch a font from another site; the reader's own is good enough.
_FETCHED = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def svg(text: str, title: str) -> str:
    """Return the picture as SVG."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    for line in _TEMPORARY.sub("/demo", text).splitlines():
        console.print(_coloured(line), soft_wrap=False, highlight=False)
    return _FETCHED.sub("", console.export_svg(title=title, unique_id="demo")).replace("Fira Code, ", "")


def _coloured(line: str) -> Text:
    """Return a line, with input and good results in colour."""
    text = Text(line)
    text.highlight_regex(r"^\$ .*", "bold cyan")
    text.highlight_regex(r"^\d\. .*|^What .*", "bold")
    text.highlight_regex(r"^All of it .*|TLSv1\.\d", "green")
    return text


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(svg(sys.stdin.read(), sys.argv[1]), "utf-8")
