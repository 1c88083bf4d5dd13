"""``postfix-main.cf``: the operator's own settings for main.cf. Of these, the ones that we would set count here.

DMS applies that file once, at the first boot, after us; our own image does not apply it. The operator's value stands in
place of ours. Reads that file, writes nothing. A value can hold a login (``static:user:password``) and is never shown.
"""

from __future__ import annotations

from dms_relay.model import PARAMETERS, Origin, UserParameter
from dms_relay.postfix import main_cf
from dms_relay.sources.text import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Paths, Problem

NAME = "postfix-main.cf"


def read_user_parameters(paths: Paths, problems: list[Problem]) -> dict[str, UserParameter]:
    """Return those of our parameters that the file sets, each with the last value that stands there."""
    text = read_text(paths.config_dir / NAME, NAME, problems) or ""
    return {
        entry.name: UserParameter(entry.value, Origin(NAME, entry.first + 1))
        for entry in main_cf.parse(text)
        if entry.name in PARAMETERS
    }
