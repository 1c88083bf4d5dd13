"""Shows tables and parameters without the passwords in them. Pure."""

from __future__ import annotations

from dms_relay.model import MASK
from dms_relay.postfix import may_hold_login


def mask_parameter(name: str, value: str) -> str:
    """Give the value, or the table types alone where it could hold a login."""
    return f"{value.partition(':')[0]}:{MASK}" if may_hold_login(name, value) else value


def mask_login_table(old: str, new: str) -> tuple[list[str], list[str]]:
    """Give the lines of two versions of a login table, without passwords; a line whose password alone differs says so."""
    passwords: dict[str, str] = {}
    for line in old.splitlines():
        key, value = _split(line)
        passwords.setdefault(key.casefold(), value)
    changed = {
        key.casefold()
        for key, value in map(_split, new.splitlines())
        if key.casefold() in passwords and _is_new_password(passwords[key.casefold()], value)
    }
    return _masked(old, changed, "old password"), _masked(new, changed, "new password")


def _split(line: str) -> tuple[str, str]:
    fields = line.strip().split(None, 1)
    return (fields[0], fields[1]) if len(fields) > 1 else ("", line)


def _is_new_password(old: str, new: str) -> bool:
    return old != new and old.partition(":")[0] == new.partition(":")[0]


def _masked(text: str, changed: set[str], note: str) -> list[str]:
    return [_mask_line(line) + (f" ({note})" if _split(line)[0].casefold() in changed else "") for line in text.splitlines()]


def _mask_line(line: str) -> str:
    """Show key and user name of a line that has both; of any other line, which may be anything, nothing."""
    key, value = _split(line)
    username, colon, _ = value.partition(":")
    return f"{key}\t{username}:{MASK}" if key and colon and not key.startswith("#") else MASK
