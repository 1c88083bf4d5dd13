"""``python tools/recording.py TITLE FILE``: draw what a command has said, from standard input, as a terminal in SVG.

``make recording`` has it draw what ``make demo`` says. It stands alone: rich, which draws, is in the environment of the site
only, since structlog would use it wherever it is installed. Names of temporary directories, which differ each time, are
made short.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console  # type: ignore[import-not-found, unused-ignore]
from rich.text import Text  # type: ignore[import-not-found, unused-ignore]

#: Columns: the demo's tables have fewer.
_WIDTH = 136
_TEMPORARY = re.compile(r"/dms-relay-postfix-\w+")
#: rich has a browser fetch a font from elsewhere; the reader's own will do.
_FETCHED = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def svg(text: str, title: str) -> str:
    """Return the picture."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    for line in _TEMPORARY.sub("/demo", text).splitlines():
        console.print(_coloured(line), soft_wrap=False, highlight=False)
    return _FETCHED.sub("", console.export_svg(title=title, unique_id="demo")).replace("Fira Code, ", "")


def _coloured(line: str) -> Text:
    """Return a line, with what one types and what is well in colours."""
    text = Text(line)
    text.highlight_regex(r"^\$ .*", "bold cyan")
    text.highlight_regex(r"^\d\. .*|^What .*", "bold")
    text.highlight_regex(r"^All of it .*|TLSv1\.\d", "green")
    return text


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(svg(sys.stdin.read(), sys.argv[1]), "utf-8")
