"""``dms-relay import``: write a ``relay.yaml`` that does what another setup does, and prove it. Does not change Postfix.

Exit code 1 means that something was not imported, or that some mail would take another route.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.errors import UsageError
from dms_relay.files.private import private_directory
from dms_relay.migrate.environment import variables
from dms_relay.migrate.importing import import_
from dms_relay.migrate.report import document, text
from dms_relay.migrate.sources import given
from dms_relay.migrate.writing import SECRETS, write
from dms_relay.migrate.yaml_text import Passwords

if TYPE_CHECKING:
    from argparse import Namespace

    from dms_relay.commands import Context
    from dms_relay.migrate.importing import Imported

#: The exit code if something differs from before.
EXIT_DIFFERS = 1


def run(arguments: Namespace, context: Context) -> int:
    """Import, and print the report."""
    if arguments.output == "":
        raise UsageError("--output names no directory", "write its name, or leave --output out")
    with private_directory() as directory:
        found = variables(arguments.env_file, context.environ)
        start, warnings = given(arguments.source, context.paths, found, directory)
        context.log.problems(warnings)
        imported = import_(start)
    written = _write(arguments, imported) if arguments.output else []
    shown = Passwords(_secrets(arguments), inline=arguments.inline_passwords, masked=True)
    if arguments.json:
        context.say_json(document(imported, shown, written))
    else:
        context.say(*text(imported, shown, written, arguments.output or ""))
    return os.EX_OK if imported.is_the_same else EXIT_DIFFERS


def _write(arguments: Namespace, imported: Imported) -> list[str]:
    place = _secrets(arguments)
    passwords = Passwords(place, inline=arguments.inline_passwords)
    return write(imported, Path(arguments.output).absolute(), passwords, place, force=arguments.force)


def _secrets(arguments: Namespace) -> str:
    """Return the directory of password files as ``relay.yaml`` names it."""
    output = Path(arguments.output).absolute() if arguments.output else "DIR"
    return f"{arguments.mounted_at or output}/{SECRETS}"
