"""``postfix-master.cf``: the operator's own parameters for single services: ``submission/inet/smtpd_tls_wrappermode=yes``.

DMS passes each line to ``postconf -P`` at the first boot. In our own image we apply them: then each must be valid. Reads
that file, writes nothing. Postfix starts a service with these values in its argument list, which every process can read, so
a login is refused. Known limits: only ``plan`` can check that a service exists.
"""

from __future__ import annotations

import re

from dms_relay.model import Origin, Problem, ServiceParameter
from dms_relay.postfix.main_cf import may_hold_login
from dms_relay.sources.text import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.model import Paths

NAME = "postfix-master.cf"
#: master(5), "Service type".
_TYPES = "inet|unix-dgram|unix|fifo|pass"
_LINE = re.compile(rf"([^\s/=*]+/(?:{_TYPES}))/([A-Za-z0-9_.-]+)[ \t]*=[ \t]*(.*)")
#: The columns of master.cf, which ``postconf -F`` sets and ``postconf -P`` does not (postconf(1)).
_FIELDS = frozenset({"service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"})


def read_service_parameters(paths: Paths, problems: list[Problem], *, is_ours: bool) -> dict[str, ServiceParameter]:
    """Return each parameter, by its key, with its last value. ``is_ours``: all lines must be valid."""
    found: dict[str, ServiceParameter] = {}
    text = read_text(paths.config_dir / NAME, NAME, problems) or ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        origin = Origin(NAME, number)
        match = _LINE.fullmatch(line)
        wrong = _wrong(match[2], match[3]) if match else ("is not a setting of a service", _SYNTAX)
        if wrong:
            problems.extend([Problem(origin, *wrong)] if is_ours else ())
        elif match:
            found[f"{match[1]}/{match[2]}"] = ServiceParameter(match[1], match[2], match[3], origin)
    return found


_SYNTAX = "write service/type/parameter=value, such as smtp/inet/smtpd_client_connection_limit=10"


def _wrong(name: str, value: str) -> tuple[str, str] | None:
    if name in _FIELDS:
        return f"{name} is a column of master.cf, not a parameter, so it would have no effect", "remove the line"
    if any(character.isspace() for character in value):
        return f"the value of {name} contains a blank, which master.cf cannot carry", "separate with commas"
    if may_hold_login(name, value):
        text = f"{name} can hold a login, and Postfix shows it in the argument list of the process"
        return text, "write the login into postfix-sasl-password.cf, or into a table of your own"
    return None
