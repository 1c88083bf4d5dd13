"""The command-line arguments of ``import``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.migrate.kinds import AUTO, KINDS

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Protocol

    class Commands(Protocol):
        """Adds commands, as ``arguments`` does."""

        def add(self, name: str, what: str, more: str = "") -> ArgumentParser:
            """Add a command that the help shows."""


def add_import(commands: Commands) -> None:
    """Add the command. Its module has another name, since ``import`` is a Python keyword."""
    command = commands.add(
        "import",
        "write a relay.yaml that does what another image or main.cf does, and prove it",
        "Without --output it writes nothing, and shows the file. Exits with 1 if not everything is as before.",
    )
    command.set_defaults(command="import_")
    command.add_argument(
        "--from", dest="source", choices=KINDS, default=AUTO, help="what to import (%(default)s: what is there)"
    )
    command.add_argument(
        "--env-file", metavar="FILE", help="the variables of the other image, NAME=value; without it, the environment"
    )
    command.add_argument("--output", metavar="DIR", help="the directory to write relay.yaml and its files to")
    command.add_argument(
        "--mounted-at", metavar="DIR", help="where that directory will be when dms-relay reads it (the same)"
    )
    command.add_argument(
        "--inline-passwords", action="store_true", help="write passwords into relay.yaml, not into files beside it"
    )
    command.add_argument("--force", action="store_true", help="overwrite existing files")
    command.add_argument("--json", action="store_true", help="as one JSON object")
