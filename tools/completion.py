"""The completion for a shell: what shtab makes of the parser, and shell code of ours around it (completion.bash, .zsh).

shtab follows the line from command to command, and offers commands, options and choices. Ours adds what shtab cannot do:

- bash: words that hold ``:``, ``@`` or brackets, which bash cuts to pieces before shtab sees them; words from a file, which
  shtab's ``cmd`` would have the shell expand; ``--option=value``; and nothing at all where nothing is to be offered, where
  shtab has bash look for host names, variables and files (``-o bashdefault``).
- both: the directories that the line names count for the words, too.

shtab's last lines register its function; they give way to ours, which register a function around it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import shtab

from tools.tree import actions_of, commands_of, fresh_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

#: Command, argument, and what is offered for it: the shell functions ``_dms_relay_…``.
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
#: How shtab begins to register its function.
_REGISTRATION = {"bash": "\ncomplete -o bashdefault ", "zsh": "\ntypeset -A opt_args\n"}
#: What has one name in all that any version of shtab makes for bash, though not one meaning.
_SHARED = ("_set_parser_defaults", "_set_new_action", "_shtab_compgen_", "_shtab_replace_nonword")


def completion(shell: str) -> str:
    """Make the completion for ``bash`` or ``zsh``; ``ValueError`` says that shtab makes something else than we know."""
    top = fresh_parser()
    for action, words in _completed(top, shell):
        action.complete = {shell: words}  # type: ignore[attr-defined]  # shtab's own way to say it
    if shell == "zsh":
        _suit_zsh(top)
    text, registration, _ = shtab.complete(top, shell).partition(_REGISTRATION[shell])
    if not registration:
        raise ValueError(f"shtab {shtab.__version__} registers its function for {shell} in another way")
    # shtab has zsh complete the first of any number of words alone (zshcompsys(1), _arguments).
    text = text.replace('"(*)::', '"*:')
    for name in _SHARED:
        text = text.replace(name, f"_dms_relay{name}")
    ours = Path(__file__).with_name(f"completion.{shell}").read_text("utf-8")
    return f"{text.rstrip()}\n\n{ours}"


def _completed(top: argparse.ArgumentParser, shell: str) -> Iterator[tuple[argparse.Action, str]]:
    """Yield each argument that is completed by a function, with the function."""
    for action in actions_of(top):
        if action.metavar == "DIR":
            yield action, _DIRECTORIES[shell]
    for command in commands_of(top):
        for action in actions_of(command.parser):
            words = _WORDS.get((command.name, action.dest))
            if words:
                yield action, f"_dms_relay_{words}"


def _suit_zsh(top: argparse.ArgumentParser) -> None:
    """Have the short line shown for each command, and a value taken after a blank or after ``=``."""
    for command in commands_of(top):
        command.parser.description = None
    for parser in (top, *(command.parser for command in commands_of(top))):
        for action in actions_of(parser):
            if action.option_strings and action.nargs is None:
                action.option_strings = [f"{name}=" for name in action.option_strings]
