"""The parser of the command line, in the form that the generated texts need."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dms_relay.arguments import Formatter, parser

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Columns for argparse: so many that it never breaks a line, whatever the terminal.
_WIDTH = 10_000


class Command(NamedTuple):
    """A command: its name, its line in the help of the program, and its own parser."""

    name: str
    line: argparse.Action
    parser: argparse.ArgumentParser


def fresh_parser(width: int = _WIDTH) -> argparse.ArgumentParser:
    """Return a new parser that may be modified, without the commands that the help does not show.

    ``width`` is in columns.
    """
    top = parser()
    action = _subparsers(top)
    shown = {command.name for command in commands_of(top)}
    for name in action.choices.keys() - shown:
        del action.choices[name]
    for one in (top, *action.choices.values()):
        one.formatter_class = partial(Formatter, width=width)
    return top


def commands_of(top: argparse.ArgumentParser) -> Iterator[Command]:
    """Yield the commands of the help, in its order."""
    action = _subparsers(top)
    for line in action._choices_actions:  # noqa: SLF001 -- nothing else says which are shown
        yield Command(line.dest, line, action.choices[line.dest])


def actions_of(one: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments and options of a parser."""
    return list(one._actions)  # noqa: SLF001 -- argparse has no other list of them


def _subparsers(top: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    return next(action for action in actions_of(top) if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
