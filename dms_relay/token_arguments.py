"""The command-line arguments of the commands for access tokens: ``login`` and ``renew``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Protocol

    class Commands(Protocol):
        """Adds commands, as ``arguments`` does."""

        def add(self, name: str, what: str, more: str = "") -> ArgumentParser:
            """Add a command that the help shows."""


def add_token_commands(commands: Commands) -> None:
    """Add these commands."""
    login = commands.add(
        "login",
        "sign in at the provider, so that a relay's mail can be sent in your name (OAuth2)",
        "It shows an address and a code for a browser anywhere, waits, and keeps the refresh token.",
    )
    login.add_argument("relay", metavar="RELAY", help="the relay's name")
    login.add_argument("--username", metavar="USERNAME", help="the login, if the relay has several")
    renew = commands.add(
        "renew",
        "renew the access tokens that are in force (OAuth2)",
        "It reads no inputs, and reloads nothing. Exits with 1 if a token cannot be obtained.",
    )
    renew.add_argument("relay", metavar="RELAY", nargs="*", help="a relay's name; without one, all of them")
    renew.add_argument("--due", action="store_true", help="only tokens that are due")
