"""Tests if Postfix accepts a new main.cf before it is in place: with a value that it refuses, no program of it starts.

Every program of Postfix reads main.cf as a whole, and checks a great many parameters, whether it uses them or not
(mail_params.c): we use postmap(1), which does nothing else here. Meanwhile the text is in a private directory, without the
login tables that it names, which may themselves be logins.

Known limits: parameters of single daemons, such as ``smtp_connect_timeout``, are read only by these daemons. Without
postmap, or if the present main.cf is refused too, nothing is reported.
"""

from __future__ import annotations

from dms_relay import files
from dms_relay.errors import InputError, PostfixError, WriteError
from dms_relay.files.private import private_directory
from dms_relay.model import Problem
from dms_relay.postfix import main_cf
from dms_relay.postfix.programs import Postfix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dms_relay.model import UserParameter

#: A table that every Postfix has, and a key in it.
_TABLE, _KEY = "inline:{x=y}", "x"


def refuse_wrong_values(directory: Path, changes: dict[str, str | None], own: Mapping[str, UserParameter]) -> None:
    """Raise ``InputError`` with each of the operator's lines, among ``changes`` of main.cf, that Postfix would refuse."""
    suspects = [name for name in changes if name in own]
    if not suspects:
        return
    problems = [
        Problem(
            own[name].origin, f"Postfix would not start with this value of {name}", f"look {name} up in postconf(5)"
        )
        for name in _refused(Postfix(directory).read_main_cf(), changes, suspects)
    ]
    if problems:
        raise InputError(problems)


def _refused(text: str, changes: dict[str, str | None], suspects: list[str]) -> list[str]:
    left = {name: value for name, value in changes.items() if name not in suspects}
    if _is_taken(main_cf.edit(text, changes)) or not _is_taken(main_cf.edit(text, left)):
        return []
    wrong: list[str] = []
    for name in suspects:
        # One after the other, to find each of several.
        if _is_taken(main_cf.edit(text, left | {name: changes[name]})):
            left[name] = changes[name]
        else:
            wrong.append(name)
    return wrong


def _is_taken(text: str) -> bool:
    logins = [name for name, value in main_cf.values(text).items() if main_cf.may_hold_login(name, value)]
    text = main_cf.edit(text, dict.fromkeys(logins))
    try:
        with private_directory() as place:
            files.write_private(place / "main.cf", text.encode("utf-8", "surrogateescape"))
            return Postfix(place).lookup(_TABLE, [_KEY]) != {}
    except PostfixError as error:
        return error.program_code is None
    except WriteError:
        return True
