"""``postfix-main.cf``: the operator's own settings for main.cf.

DMS applies that file once, at the first boot, after us. In our own image we apply all of it: then ``postconf -e`` must
accept each line. Elsewhere, only lines for parameters that we would set count: the operator's value replaces ours. Reads
that file, writes nothing. A value can hold a login (``static:user:password``) and is never shown.
"""

from __future__ import annotations

from dms_relay.model import Origin, Problem, UserParameter
from dms_relay.postfix import main_cf
from dms_relay.sources.text import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Paths

NAME = "postfix-main.cf"


def read_own_parameters(paths: Paths, problems: list[Problem], *, is_ours: bool) -> dict[str, UserParameter]:
    """Return each parameter that the file sets, with its last value. ``is_ours``: all lines must be valid."""
    text = read_text(paths.config_dir / NAME, NAME, problems) or ""
    entries = list(main_cf.parse(text)) if text else []
    if is_ours and text:
        good = {entry.first for entry in entries}
        problems.extend(_wrong(line, text) for line in main_cf.logical_lines(text) if line.first not in good)
    return {entry.name: UserParameter(entry.value, Origin(NAME, entry.first + 1)) for entry in entries}


def _wrong(line: main_cf.Logical, text: str) -> Problem:
    if line.text[:1].isspace():
        lines = (raw.strip() for raw in text.split("\n"))
        number = next(number for number, raw in enumerate(lines, 1) if raw and not raw.startswith("#"))
        what = "begins with a blank, so it continues a line, but there is none before it"
        return Problem(Origin(NAME, number), what, "remove the blank")
    return Problem(Origin(NAME, line.first + 1), "is not a setting", "write name = value; a comment begins with #")
