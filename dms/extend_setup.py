#!/usr/bin/env python3
"""Adds the other commands of dms-relay to docker-mailserver's ``setup relay``: ``extend_setup.py FILE``.

Reads FILE, which is docker-mailserver's ``setup``, and adds one arm before the default arm of its ``relay`` case, in the
style of the arms around it::

    ( apply | list | … ) shift ; setup-relay "${@}" ;;

The names are those in the help of dms-relay, without the ones that FILE dispatches itself, and ``help``. Changes no other
byte; mode and owner stay. Writes nothing if the arm exists already. If the text is not as expected, FILE does not change,
the exit code is 1, and the message says what was looked for.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from dms_relay.arguments import parser

#: The names that docker-mailserver dispatches itself, and to which program; we replace these programs.
PROGRAMS = {
    "add-domain": "addrelayhost",
    "add-auth": "addsaslpassword",
    "exclude-domain": "excluderelaydomain",
}
#: The program that our arm calls.
LAUNCHER = "setup-relay"
#: The relay case: one arm per line, with an opening parenthesis or, in older versions, without.
_CASE = re.compile(
    r"""
    ^[ ]*(?:\([ ])?relay[ ]*\)\n
    [ ]*case[ ]\$\{2:-\}[ ]in\n
    (?P<arms>(?:[ ]*(?:\([ ])?[a-z][a-z |-]*\)[ ].*[ ];;\n)*)
    (?P<default>(?P<indent>[ ]*)(?P<open>(?:\([ ])?)\*[ ]*\)[ ]_invalid_command[ ].*[ ];;\n)
    [ ]*esac\n
    [ ]*;;\n
    """,
    re.MULTILINE | re.VERBOSE,
)
_ARM = re.compile(
    r"^ *(?:\( )?(?P<names>[a-z][a-z |-]*?) *\) (?P<shift>shift(?: 2)?) ; (?P<program>[a-z-]+) .* ;;$", re.MULTILINE
)
_REMEDY = "use another version of docker-mailserver or of dms-relay"


class UnexpectedTextError(Exception):
    """The text is not as expected; says what was looked for."""


def commands() -> list[str]:
    """Return the names for our arm, sorted."""
    [action] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    shown = {choice.dest for choice in action._choices_actions}  # noqa: SLF001 -- argparse has no public attribute for it
    return sorted({*shown, "help"} - PROGRAMS.keys())


def extend(text: str, names: list[str]) -> str:
    """Return the text with the arm; unchanged if it has the arm already. Raises ``UnexpectedTextError``."""
    found = list(_CASE.finditer(text))
    if len(found) != 1:
        raise UnexpectedTextError(
            f'looked for one "relay )" with "case ${{2:-}} in", arms of one line each and a default arm that calls '
            f"_invalid_command; found {len(found)}"
        )
    case = found[0]
    arm = f'{case["indent"]}{case["open"]}{" | ".join(names)} ) shift ; {LAUNCHER} "${{@}}" ;;\n'
    own, had_arm = case["arms"].removesuffix(arm), case["arms"].endswith(arm)
    _require_programs(own)
    return text if had_arm else text[: case.start("default")] + arm + text[case.start("default") :]


def _require_programs(arms: str) -> None:
    """Raise ``UnexpectedTextError`` unless the arms call exactly the programs that we replace."""
    found = {arm["names"]: arm["program"] for arm in _ARM.finditer(arms)}
    if found != PROGRAMS or len(arms.splitlines()) != len(PROGRAMS):
        expected = ", ".join(f"{name} to {program}" for name, program in PROGRAMS.items())
        raise UnexpectedTextError(
            f"looked for a relay case that dispatches {expected}, and nothing else; found:\n{arms}"
        )


def main(argv: list[str]) -> int:
    """Extend the named file; return the exit code."""
    if len(argv) != 1:
        sys.stderr.write("usage: extend_setup.py FILE\n")
        return 2
    path = Path(argv[0])
    try:
        text = path.read_bytes().decode()
        extended = extend(text, commands())
    except (UnexpectedTextError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"dms-relay: {path} cannot be extended: {error}\ndms-relay: {_REMEDY}\n")
        return 1
    if extended == text:
        sys.stdout.write(f"dms-relay: {path} is already extended\n")
    else:
        path.write_bytes(extended.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
