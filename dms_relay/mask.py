"""Shows tables and parameters without the passwords in them; what differs in a password alone is marked. Pure."""

from __future__ import annotations

import re

from dms_relay.model import MASK, PARAMETERS, Login
from dms_relay.postfix.main_cf import may_hold_login
from dms_relay.postfix.public_parameters import PUBLIC_PARAMETERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: What isspace(3) knows, less the line end: a password may hold the blanks of other scripts.
_BLANK = " \t\r\v\f"
_BLANKS = re.compile(f"[{_BLANK}]+")
#: What an operator's own parameter is called that may hold a secret, and how a value begins that holds a table's entries.
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|credential|login|_pw|api_?key|_key$", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(?:static|inline):|://[^/]*@|passw(?:or)?d[ \t]*=", re.IGNORECASE)
#: What can be a secret where the tables themselves hold none: a login in an address, or a setting of a table.
_LOGIN_IN_VALUE = re.compile(r"://[^/]*@|passw(?:or)?d[ \t]*=", re.IGNORECASE)
#: What stands before a host that would be a login there, though Postfix has no place for one. It begins where a word does:
#: looked for at each character of a long word without an @, it would take minutes.
_USER_INFO = re.compile(r"(?<![^\s,])[^\s,]+@")
#: The kinds of tables (postconf(1), -m; DATABASE_README); what else stands before a colon may be a login.
_TABLE_TYPES = (
    " btree cdb cidr dbm environ fail hash inline internal ldap lmdb memcache mongodb mysql netinfo nis nisplus pcre pgsql"
    " pipemap proxy randmap regexp sdbm socketmap sqlite static tcp texthash unionmap unix "
)
_REFERENCE = re.compile(r"\$[({]?(\w+)")


def mask_parameter(name: str, value: str) -> str:
    """Return the value without a login that it could hold: what a parameter is decides, not what its value looks like.

    Of a table of logins that is not in a file, the type is shown. Octets that are not UTF-8 become signs.
    """
    return _readable(_mask_value(name, value))


def mask_tables(value: str) -> str:
    """Return the type of the first of the tables that hold logins, and nothing else of them."""
    kind, colon, _ = value.partition(":")
    return f"{kind}:{MASK}" if colon and f" {kind} " in _TABLE_TYPES else MASK


def mask_word(word: str) -> str:
    """Return what stands behind ``-o`` in master.cf, as ``name=value`` or ``{ name = value }``, without a login."""
    name, _, value = word.removeprefix("{").removesuffix("}").partition("=")
    name, value = name.strip(_BLANK), value.strip(_BLANK)
    shown = mask_parameter(name, value)
    return _readable(word) if shown == _readable(value) else f"{name}={shown}"


def _mask_value(name: str, value: str) -> str:
    if may_hold_login(name, value):
        return mask_tables(value)
    if name in PARAMETERS:
        return _USER_INFO.sub(f"{MASK}@", value) if name in {"relayhost", "default_transport"} else value
    if name in PUBLIC_PARAMETERS:
        return MASK if _LOGIN_IN_VALUE.search(value) else value
    is_secret = _SECRET_VALUE.search(value) or _SECRET_NAME.search(name.removesuffix("_password_maps"))
    return MASK if is_secret else value


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def mask_all(values: Mapping[str, str]) -> dict[str, str]:
    """Return parameters without logins; those that a table of logins refers to (``$name``) are hidden as well."""
    used: set[str] = set()
    new = {name for name, value in values.items() if may_hold_login(name, value)}
    while new:
        used |= new
        new = {name for found in new for name in _REFERENCE.findall(values.get(found, ""))} - used
    hidden = {name for name in used if name not in PARAMETERS and not name.endswith("_password_maps")}
    return {name: MASK if name in hidden and value else mask_parameter(name, value) for name, value in values.items()}


def mask_versions(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return two versions of parameters without logins; a value whose login alone differs says so."""
    before, after = mask_all(old), mask_all(new)
    changed = {name for name in old if name in new and old[name] != new[name] and before[name] == after[name]}
    return _noted(before, changed, "old value"), _noted(after, changed, "new value")


def _noted(values: dict[str, str], changed: set[str], note: str) -> dict[str, str]:
    return {name: value + (f" ({note})" if name in changed else "") for name, value in values.items()}


def mask_parameters(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the settings of two versions as main.cf has them, as ``mask_versions``."""
    before, after = mask_versions(old, new)
    return _settings(before), _settings(after)


def _settings(values: dict[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in values.items()]


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
