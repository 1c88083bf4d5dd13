"""Which variable it is whose value no program of Postfix takes: macros without an end, names that mean themselves.

Postfix says what is wrong with a main.cf as a whole, and seldom where. So the parameters of an image are tried one after
the other, in the directory that the caller removes. Runs postconf(1) some times for each; only where something is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.errors import InputError, PostfixError
from dms_relay.explain.views import view_now
from dms_relay.migrate.rendering import rendered
from dms_relay.model import Origin, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dms_relay.explain.views import View
    from dms_relay.postfix.programs import Postfix


def view_of(postfix: Postfix, directory: Path, main: Mapping[str, str], origins: Mapping[str, str]) -> View:
    """Return what Postfix has in the configuration of an image.

    Raises ``InputError`` where it takes no such main.cf, ``PostfixError`` where it cannot be asked. ``origins`` has the
    variables that parameters come from.
    """
    try:
        return view_now(postfix)
    except PostfixError as error:
        if error.program_code is None or not (refused := list(_refused(directory, main))):
            raise
    raise InputError(
        [
            Problem(
                Origin(origins.get(name, name)),
                f"Postfix cannot read this value of {name}",
                f"look {name} up in postconf(5)",
            )
            for name in refused
        ]
    )


def _refused(directory: Path, main: Mapping[str, str]) -> Iterator[str]:
    taken: dict[str, str] = {}
    for number, (name, value) in enumerate(main.items()):
        postfix = rendered(directory / f"refused-{number}", taken | {name: value}, {})
        try:
            view_now(postfix)
        except PostfixError:
            yield name
        else:
            taken[name] = value
