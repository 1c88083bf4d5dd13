"""The command line of ``dms-relay``: commands, arguments, options. The man page and the shells' completion are made from it.

Reads nothing and writes nothing but what argparse prints: help, or a usage error, which never shows a word that could be a
password.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, NoReturn

from dms_relay import __version__
from dms_relay.apply import LOCK_TIMEOUT
from dms_relay.drain.arguments import add_draining
from dms_relay.import_arguments import add_import
from dms_relay.keeper_arguments import KEPT, add_keeping
from dms_relay.log import FORMATS, LEVELS, printable
from dms_relay.model import times
from dms_relay.model.places import CONFIG_DIR_VARIABLE, DMS_DIRECTORY, HOST_DIRECTORY
from dms_relay.sources.settings import DEFAULT_PORT
from dms_relay.token_arguments import add_token_commands

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Options of the program itself, which stand before the command.
_OPTIONS = frozenset({"--config-dir", "--postfix-dir", "--log-level", "--log-format"})
#: Columns of the help where there is no terminal, and on a very narrow one: 80, less argparse's own margin.
_HELP_WIDTH = 78
#: Seconds that a try of ``test`` may take. A relay may greet late, to see who cannot wait.
TEST_TIMEOUT = 30.0
#: What the shells' completion can be printed for.
SHELLS = ("bash", "zsh")
#: The command that may have a password in its words, and its options.
_SECRET = "add-auth"  # noqa: S105 -- a command
_SECRET_OPTIONS = ("--password-stdin", "--no-apply", "--help", "-h")
#: What the shells' completion asks.
_HIDDEN = "complete"
#: What an option looks like, and hardly a password; and what is said where a word is not shown.
_OPTION_LIKE = re.compile(r"--[a-z]+(-[a-z]+)*")
_QUOTE = "an extra word (not shown) or a mistyped option; put a password with spaces in quotes, or use --password-stdin"
#: Likeness (difflib, 0 to 1) from which a word counts as a slip of an option.
_LIKENESS = 0.7
#: What each exit code means (sysexits(3); ``errors.py``), for the help and for the manual page.
EXIT_CODES = {
    os.EX_OK: "done, or nothing to do",
    1: "explain, check, test, status: something is wrong; import: not all mail goes as before; "
    "renew: a token was not renewed; drain: mail remains; plan --exit-code: there are changes",
    2: "wrong usage, or a wrong argument",
    os.EX_NOINPUT: "an input cannot be read",
    os.EX_UNAVAILABLE: "a Postfix program is missing or failed, or a token endpoint issued no token",
    os.EX_SOFTWARE: "a bug in dms-relay, with a traceback",
    os.EX_CANTCREAT: "a file cannot be written, and is unchanged",
    os.EX_IOERR: "the output cannot be written",
    os.EX_TEMPFAIL: "another run holds the lock",
    os.EX_CONFIG: "the inputs are wrong; Postfix is as before",
    130: "ended with Ctrl-C",
}
_CONFIG_DIR = (
    f"the directory of the inputs (${CONFIG_DIR_VARIABLE}, else {DMS_DIRECTORY} in a container or if it is mounted, "
    f"else {HOST_DIRECTORY})"
)
_FROM_SCRATCH = "undo what came from another configuration directory, or from one that no longer exists"
_DOMAIN = "a domain or an address, with or without a leading @: example.com, boss@example.com"


def parse(argv: Sequence[str], prog: str) -> argparse.Namespace:
    """Read a command line, without the program's name; ends the process (``SystemExit``) where it cannot be read."""
    words = _prepared(list(argv))
    at = _command(words)
    # Where the help of the program is asked for, it names them all.
    top = parser(prog, words[at] if at < len(words) and not {"-h", "--help"}.intersection(words[:at]) else "")
    arguments, unknown = top.parse_known_args(words)
    if unknown:
        names = _names(unknown, may_hold_password=_SECRET in argv)
        not_shown = _QUOTE if _SECRET in argv else "an extra word, or a mistyped option"
        hint = "; write it before the command" if _OPTIONS.intersection(names) else ""
        top.error(f"unrecognized arguments: {' '.join(names) or not_shown}{hint}")
    return arguments


def _names(unknown: list[str], *, may_hold_password: bool) -> list[str]:
    """Return the names of options that can be shown: what else stands there may be a password."""
    names = [word.partition("=")[0] for word in unknown]
    return [name for name in names if name in _OPTIONS or (not may_hold_password and _OPTION_LIKE.fullmatch(name))]


def _prepared(argv: list[str]) -> list[str]:
    """Take ``COMMAND help``, as docker-mailserver has it, for ``COMMAND --help``, and keep a password apart from options."""
    at = _command(argv)
    if argv[at : at + 1] == ["help"]:
        return [*argv[:at], *argv[at + 1 : at + 2], "--help"]
    if argv[at + 1 :] == ["help"]:
        return [*argv[: at + 1], "--help"]
    if argv[at : at + 1] == [_SECRET]:
        return [*argv[: at + 1], *_options_first(argv[at + 1 :])]
    return argv


def _command(argv: list[str]) -> int:
    """Return the place of the command among the words: after the options of the program, each with its value."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _OPTIONS else 1
    return at


def _options_first(words: list[str]) -> list[str]:
    """Put options first, and ``--`` before all other words: a password may begin with a hyphen."""
    end = words.index("--") if "--" in words else len(words)
    options = [word for word in words[:end] if _is_option(word)]
    others = [word for word in words[:end] if not _is_option(word)]
    return [*options, "--", *others, *words[end + 1 :]]


def _is_option(word: str) -> bool:
    """Return True if a word is an option of the command, or was meant to be one and is to be refused as such."""
    if word in _SECRET_OPTIONS or not word.startswith("--"):
        return word in _SECRET_OPTIONS
    from difflib import get_close_matches  # noqa: PLC0415 -- 5 ms, and rarely needed

    return bool(get_close_matches(word.partition("=")[0], _SECRET_OPTIONS, n=1, cutoff=_LIKENESS))


def parser(prog: str = "dms-relay", command: str = "") -> argparse.ArgumentParser:
    """Make the parser of the whole command line; for a ``command``, as far as that needs.

    The commands of a boot come first: all others would cost it 3 ms (``bench``).
    """
    top = _Parser(
        prog=prog,
        allow_abbrev=False,
        description="Set up Postfix to send its mail through relay services, from environment variables and files.",
        epilog="\n".join(["exit codes:", *(f"  {code:<4} {text}" for code, text in EXIT_CODES.items())]),
        formatter_class=Formatter,
    )
    top.add_argument("--version", action="version", version=f"dms-relay {__version__}")
    top.add_argument("--config-dir", metavar="DIR", help=_CONFIG_DIR)
    top.add_argument("--postfix-dir", metavar="DIR", help="Postfix's configuration ($MAIL_CONFIG, else /etc/postfix)")
    top.add_argument("--log-level", choices=LEVELS, help="how much to log to standard error ($LOG_LEVEL, else info)")
    top.add_argument("--log-format", choices=FORMATS, help="the format of log lines ($LOG_FORMAT, else console)")
    commands = _Commands(top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=top.prog))
    for add in (_add_applying, _add_editing, _add_asking, add_token_commands, add_import, _add_helping):
        add(commands)
        if commands.has(command):
            break
    return top


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps help, each exit code by itself."""

    def __init__(self, prog: str, width: int = 0) -> None:
        """Take the terminal's width, if none is given. argparse would import shutil for it (4 ms), for each argument."""
        try:
            width = width or os.get_terminal_size().columns - 2
        except (OSError, ValueError):
            width = _HELP_WIDTH
        super().__init__(prog, width=max(width, _HELP_WIDTH))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        from textwrap import fill  # noqa: PLC0415 -- argparse imports it for help alone, too

        wrapped = (fill(line, width, subsequent_indent=" " * 7 * line.startswith(" ")) for line in text.splitlines())
        return indent + "\n".join(wrapped)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors show no value of an option, and no command that the help does not show."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with exit code 2."""
        message = re.sub(r"ignored explicit argument .*", "it takes no value", message, flags=re.DOTALL)
        super().error(printable(re.sub(rf", '?({_HIDDEN}|{KEPT})'?(?=[,)])", "", message)))


class _Commands:
    """Adds commands."""

    def __init__(self, commands: argparse._SubParsersAction[_Parser]) -> None:
        self._commands = commands

    def has(self, name: str) -> bool:
        """Return True if there is a command of that name by now."""
        return name in self._commands.choices

    def add(self, name: str, what: str, more: str = "") -> argparse.ArgumentParser:
        """Add one, with its line in the help of the program, and ``more`` in its own."""
        made = self._commands.add_parser(name, help=what, formatter_class=Formatter, allow_abbrev=False)
        made.description = f"{what[0].upper()}{what[1:]}.{more and ' '}{more}"
        return made

    def add_edit(self, name: str, what: str, more: str = "") -> argparse.ArgumentParser:
        """Add one that edits a file of the configuration directory."""
        command = self.add(name, what, more)
        command.add_argument("--no-apply", dest="apply", action="store_false", help="only edit the file, do not apply")
        return command

    def add_hidden(self, name: str) -> argparse.ArgumentParser:
        """Add one that the help does not show."""
        return self._commands.add_parser(name, formatter_class=Formatter)


def _add_applying(commands: _Commands) -> None:
    apply = commands.add("apply", "make Postfix match the inputs, and reload it if it runs")
    apply.add_argument("--no-reload", dest="reload", action="store_false", help="leave a running Postfix alone")
    apply.add_argument("--from-scratch", action="store_true", help=_FROM_SCRATCH)
    apply.add_argument(
        "--lock-timeout",
        type=seconds,
        default=LOCK_TIMEOUT,
        metavar="TIME",
        help="how long to wait for another run (%(default)g)",
    )
    plan = commands.add("plan", "show what apply would change, as a diff; writes nothing")
    plan.add_argument("--exit-code", action="store_true", help="exit with 1 if there is something to change")
    plan.add_argument("--from-scratch", action="store_true", help="show what apply --from-scratch would change")
    show = commands.add("show", "show the merged configuration, each value with its origin")
    show.add_argument("--json", action="store_true", help="as one JSON object")


def _add_editing(commands: _Commands) -> None:
    listing = commands.add("list", "list senders, their relays and their logins, without passwords")
    listing.add_argument("--json", action="store_true", help="as a JSON array")
    domain = commands.add_edit("add-domain", "send the mail of a sender through a relay")
    domain.add_argument("domain", metavar="DOMAIN", help=_DOMAIN)
    domain.add_argument("host", metavar="HOST", help="the relay's host name or address")
    domain.add_argument("port", metavar="PORT", nargs="?", default=DEFAULT_PORT, help="its port (%(default)s)")
    auth = commands.add_edit(
        "add-auth",
        "set the login of a sender or of a relay",
        "Without PASSWORD and --password-stdin, it asks for the password twice, without echo.",
    )
    auth.add_argument("domain", metavar="DOMAIN", help=f"{_DOMAIN}; or a relay as in its route: [smtp.example.com]:587")
    auth.add_argument("username", metavar="USERNAME", help="the user name that the relay gave you")
    auth.add_argument(
        "password", metavar="PASSWORD", nargs="?", help="better leave it out: the shell's history keeps it"
    )
    auth.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    excluded = commands.add_edit("exclude-domain", "exclude a domain from RELAY_HOST")
    excluded.add_argument("domain", metavar="DOMAIN", help="a domain, with or without a leading @")
    removed = commands.add_edit("remove-domain", "remove a sender with its relay or opt-out")
    removed.add_argument("domain", metavar="DOMAIN", help=_DOMAIN)
    removed = commands.add_edit("remove-auth", "remove the login of a sender or of a relay")
    removed.add_argument("domain", metavar="DOMAIN", help=f"{_DOMAIN}; or a relay: [smtp.example.com]:587")


def _add_asking(commands: _Commands) -> None:
    explain = commands.add(
        "explain",
        "explain the route of a message, and why",
        "It says what Postfix does with its present configuration, and whether apply is due.",
    )
    explain.add_argument("sender", metavar="SENDER", help="the envelope sender: user@example.com, or <>")
    explain.add_argument(
        "recipient", metavar="RECIPIENT", nargs="?", help="the recipient; without one, a recipient that no table names"
    )
    explain.add_argument("--json", action="store_true", help="as one JSON object")
    check = commands.add(
        "check",
        "say what is wrong with the inputs and with Postfix, and how to fix it",
        "Exits with 1 if there is an error, and with 78 if the inputs cannot be used.",
    )
    check.add_argument("--strict", action="store_true", help="treat warnings as errors")
    check.add_argument("--json", action="store_true", help="as one JSON object")
    test = commands.add(
        "test", "test each relay with each of its logins, without sending mail", "Exits with 1 if one of them fails."
    )
    test.add_argument("relay", metavar="RELAY", nargs="*", help="a relay's name or nexthop; without one, all of them")
    test.add_argument("--send-to", metavar="ADDRESS", help="also send one message there through each relay that works")
    test.add_argument("--send-from", metavar="ADDRESS", help="its envelope sender; without it, one that uses the relay")
    test.add_argument(
        "--timeout", type=seconds, default=TEST_TIMEOUT, metavar="TIME", help="for each try (%(default)g)"
    )
    test.add_argument("--json", action="store_true", help="as one JSON object")
    queue = commands.add(
        "queue",
        "say what waits in Postfix's queue, by relay: how much, how long, why, and what to do",
        "The reasons are those that Postfix noted at the last try; the relays are those of the configuration in force.",
    )
    queue.add_argument("--json", action="store_true", help="as one JSON object")
    add_keeping(commands, seconds)
    add_draining(commands)


def _add_helping(commands: _Commands) -> None:
    completion = commands.add("completion", "print the completion for a shell")
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help=" or ".join(SHELLS))
    commands.add("schema", "print the JSON Schema of relay.yaml, for editors")
    commands.add("man", "print the manual page, for man -l -")
    commands.add_hidden(_HIDDEN).add_argument("what")


def seconds(text: str) -> float:
    """Read a time."""
    if (found := times.seconds(text)) is None:
        raise argparse.ArgumentTypeError(f"this is not a time -- write {times.FORMS}")
    return found
