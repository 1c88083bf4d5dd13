"""The completion for a shell: shtab's output for the parser, and our own shell code around it (completion.bash, .zsh).

shtab follows the line from command to command, and offers commands, options and choices. Our code adds what shtab lacks:

- bash: words with ``:``, ``@`` or brackets, which bash splits before shtab sees them; words from a file, which the shell
  would expand with shtab's ``cmd``; ``--option=value``; and no words at all if there is nothing to offer, while shtab makes
  bash complete host names, variables and files (``-o bashdefault``).
- both: the words come from the directories that the line names.

shtab's last lines register its function; ours replace them, and register a function around it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import shtab

from tools.tree import actions_of, commands_of, fresh_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

#: Command, argument, and its completion: the shell functions ``_dms_relay_…``.
_WORDS = {
    ("add-domain", "domain"): "domains",
    ("add-domain", "host"): "relays",
    ("add-auth", "domain"): "domains_and_logins",
    ("exclude-domain", "domain"): "domains",
    ("remove-domain", "domain"): "mapped",
    ("remove-auth", "domain"): "logins",
    ("test", "relay"): "tried",
}
_DIRECTORIES = {"bash": "_dms_relay_directories", "zsh": "_path_files -/"}
#: The start of shtab's registration of its function.
_REGISTRATION = {"bash": "\ncomplete -o bashdefault ", "zsh": "\ntypeset -A opt_args\n"}
#: A name in the output of all versions of shtab for bash, though with different meanings.
_SHARED = ("_set_parser_defaults", "_set_new_action", "_shtab_compgen_", "_shtab_replace_nonword")


def completion(shell: str) -> str:
    """Return the completion for ``bash`` or ``zsh``. Raises ``ValueError`` if shtab's output is not as expected."""
    top = fresh_parser()
    for action, words in _completed(top, shell):
        action.complete = {shell: words}  # type: ignore[attr-defined]  # shtab's own attribute
    if shell == "zsh":
        _suit_zsh(top)
    text, registration, _ = shtab.complete(top, shell).partition(_REGISTRATION[shell])
    if not registration:
        raise ValueError(f"shtab {shtab.__version__} registers its function for {shell} in another way")
    # With shtab, zsh completes only the first of any number of words (zshcompsys(1), _arguments).
    text = text.replace('"(*)::', '"*:')
    for name in _SHARED:
        text = text.replace(name, f"_dms_relay{name}")
    ours = Path(__file__).with_name(f"completion.{shell}").read_text("utf-8")
    return f"{text.rstrip()}\n\n{ours}"


def _completed(top: argparse.ArgumentParser, shell: str) -> Iterator[tuple[argparse.Action, str]]:
    """Yield each argument with a completion function, and the function."""
    for action in actions_of(top):
        if action.metavar == "DIR":
            yield action, _DIRECTORIES[shell]
    for command in commands_of(top):
        for action in actions_of(command.parser):
            words = _WORDS.get((command.name, action.dest))
            if words:
                yield action, f"_dms_relay_{words}"


def _suit_zsh(top: argparse.ArgumentParser) -> None:
    """Show the short line for each command, and accept a value after a blank or after ``=``."""
    for command in commands_of(top):
        command.parser.description = None
    for parser in (top, *(command.parser for command in commands_of(top))):
        for action in actions_of(parser):
            if action.option_strings and action.nargs is None:
                action.option_strings = [f"{name}=" for name in action.option_strings]
