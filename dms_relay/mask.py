"""Shows tables and parameters without the passwords in them; what differs in a password alone is marked. Pure."""

from __future__ import annotations

import re

from dms_relay.model import MASK, PARAMETERS, Login
from dms_relay.postfix.main_cf import may_hold_login

#: What isspace(3) knows, less the line end: a password may hold the blanks of other scripts.
_BLANK = " \t\r\v\f"
_BLANKS = re.compile(f"[{_BLANK}]+")
#: What an operator's own parameter is called that may hold a secret, and how a value begins that holds a table's entries.
_SECRET_NAME = re.compile(r"pass|secret|token|credential|login|_pw|_key$", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(?:static|inline):|://[^/]*@", re.IGNORECASE)


def mask_parameter(name: str, value: str) -> str:
    """Return the value, or the table types alone where it could hold a login. Octets that are not UTF-8 become signs."""
    shown = f"{value.partition(':')[0]}:{MASK}" if may_hold_login(name, value) else value
    if name not in PARAMETERS and (
        _SECRET_VALUE.search(value) or _SECRET_NAME.search(name.removesuffix("_password_maps"))
    ):
        shown = MASK
    return shown.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def mask_parameters(old: dict[str, str], new: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the settings of two versions as main.cf has them, without logins; a value whose login alone differs says so."""
    masked = [{name: mask_parameter(name, value) for name, value in version.items()} for version in (old, new)]
    changed = {name for name in old if name in new and old[name] != new[name] and masked[0][name] == masked[1][name]}
    return _settings(masked[0], changed, "old value"), _settings(masked[1], changed, "new value")


def _settings(values: dict[str, str], changed: set[str], note: str) -> list[str]:
    return [f"{name} = {value}" + (f" ({note})" if name in changed else "") for name, value in values.items()]


def mask_login_table(old: str, new: str) -> tuple[list[str], list[str]]:
    """Return the lines of two versions of a login table, without passwords; a line whose password alone differs says so."""
    before: dict[str, str] = {}
    for key, value in map(_split, lines_of(old)):
        before.setdefault(key.casefold(), value)
    changed = {
        key.casefold()
        for key, value in map(_split, lines_of(new))
        if before.get(key.casefold(), value) != value and _mask(before[key.casefold()]) == _mask(value)
    }
    return _masked(old, changed, "old password"), _masked(new, changed, "new password")


def lines_of(text: str) -> list[str]:
    """Return the lines as Postfix sees them: a password may hold what ``splitlines`` takes for a line end."""
    return text.removesuffix("\n").split("\n") if text else []


def _split(line: str) -> tuple[str, str]:
    """Return key and value as Postfix reads them (dict_thash.c); no key where there is no value."""
    fields = _BLANKS.split(line.strip(_BLANK), maxsplit=1)
    return (fields[0], fields[1]) if len(fields) > 1 and line[0] not in _BLANK else ("", line)


def _masked(text: str, changed: set[str], note: str) -> list[str]:
    noted = ((line, _split(line)[0].casefold() in changed) for line in lines_of(text))
    return [_mask_line(line) + (f" ({note})" if is_changed else "") for line, is_changed in noted]


def _mask_line(line: str) -> str:
    """Show key and user name of a line that has both; of any other line, which may be anything, nothing."""
    key, value = _split(line)
    return f"{key}\t{_mask(value)}" if key and ":" in value and not key.startswith("#") else MASK


def _mask(value: str) -> str:
    username, _, password = value.partition(":")
    return f"{Login(username, password).shown_username}:{MASK}"
