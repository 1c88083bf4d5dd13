"""The manual page: what argparse-manpage makes of the parser, in man(7), and the sections of which the parser knows nothing.

The exit codes come from the end of the parser's help; ``ValueError`` says that they no longer stand there as we know it.
"""

from __future__ import annotations

import argparse
import re
from datetime import date
from typing import TYPE_CHECKING

from argparse_manpage.manpage import Manpage  # type: ignore[import-untyped]  # it has no types

from dms_relay import __version__
from dms_relay.model import RELAYHOST_MAP, SASL_PASSWD, Paths
from dms_relay.sources import relay_env, relaymap, sasl_password
from dms_relay.sources.settings import DEFAULT_PORT
from tools.tree import actions_of, commands_of, fresh_parser

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The day of the last change of substance in what stands here (man-pages(7), "Title line"): no text depends on today.
_DATE = date(2026, 11, 24)
_NAME = "make Postfix hand its mail to relay services"
_DESCRIPTION = """
The inputs are environment variables and the files of the configuration directory; Postfix's lookup tables and parameters are
made from them. Nothing is written before all of them have been read and found right. No command ever shows a password.
Alone or after a command, -h or --help says in short what can be given there."""
_ENVIRONMENT = {
    "DEFAULT_RELAY_HOST": "Where all mail goes: [smtp.example.com]:587. Brackets mean the host itself, no MX lookup. "
    "Several are separated by commas and tried in order.",
    "RELAY_HOST": "A host name or address: the relay for the domains that this server manages.",
    "RELAY_PORT": f"Its port, {DEFAULT_PORT} if not set.",
    "RELAY_USER, RELAY_PASSWORD": "The login at DEFAULT_RELAY_HOST or, where that is not set, at RELAY_HOST.",
    "DEFAULT_RELAY_HOST__FILE, RELAY_HOST__FILE, RELAY_PORT__FILE, RELAY_USER__FILE, RELAY_PASSWORD__FILE": "The absolute "
    "path of a file that holds the value, such as a secret of a container.",
    "LOG_LEVEL, LOG_FORMAT": "As --log-level and --log-format, which are stronger.",
    "MAIL_CONFIG": "The directory of Postfix's configuration; --postfix-dir is stronger.",
}
_SEE_ALSO = ".BR postconf (5),\n.BR postfix (1)"
#: A code and its meaning; two may stand in one line.
_EXIT_CODE = re.compile(r"(?:^| {2,})(\d+) {2,}(.+?)(?= {2,}\d|$)", re.MULTILINE)
#: How argparse-manpage shows what a command takes.
_USAGE = re.compile(r"^usage: (.*)$", re.MULTILINE)
#: Domains and options are not to be broken, nor blanks stretched (groff(7)); stands after the title line.
_PLAIN_LINES = ".nh\n.ad l\n"


def man_page() -> str:
    """Make the manual page."""
    top = fresh_parser()
    codes = _exit_codes(top.epilog or "")
    _suit_manpage(top)
    page = Manpage(top, {"version": __version__, "manual_title": "dms-relay"}, "single-commands-section")
    page.description = _NAME
    page.date = _DATE  # no text, in which hyphens would be escaped
    page.add_section("synopsis", "=", f".B {_roff(top.prog)}\n{_roff(' '.join(page.synopsis[1:]))}")
    page.add_section("exit status", "=", _entries(codes))
    page.add_section("environment", "=", _entries(_ENVIRONMENT))
    page.add_section("files", "=", _entries(_files()))
    page.add_section("see also", "=", _SEE_ALSO)
    title, end, text = str(page).partition("\n")
    return title + end + _PLAIN_LINES + _USAGE.sub(r".B \1", text)


def _suit_manpage(top: argparse.ArgumentParser) -> None:
    """Have options stand before commands, and each command described once, without its --help."""
    top.description = f"{top.description}{_DESCRIPTION}"
    top.epilog = None
    top._action_groups.reverse()  # noqa: SLF001 -- their order is that of the sections
    top._positionals.title = "commands"  # noqa: SLF001 -- and this a section's title
    for parser in (top, *(command.parser for command in commands_of(top))):
        parser.usage = None
        for action in actions_of(parser):
            if "--help" in action.option_strings:
                action.help = argparse.SUPPRESS
    for command in commands_of(top):
        command.line.help = _roff(command.parser.description or "")
        command.parser.description = None


def _exit_codes(epilog: str) -> dict[str, str]:
    """Find the exit codes at the end of the help, and sort them."""
    found = _EXIT_CODE.findall(epilog)
    if not epilog.startswith("exit codes:\n") or len(found) != len(re.findall(r"\d+", epilog)):
        raise ValueError("the end of the help is no list of exit codes")
    return dict(sorted(found, key=lambda code: int(code[0])))


def _files() -> dict[str, str]:
    paths = Paths()
    return {
        str(paths.config_dir / relaymap.NAME): "Where the mail of a sender goes, a sender a line: @example.com "
        "[smtp.example.com]:587. A domain alone opts out of RELAY_HOST.",
        str(
            paths.config_dir / sasl_password.NAME
        ): "With which login, by sender or by relay: @example.com user:password.",
        str(paths.config_dir / relay_env.NAME): "The variables, NAME=value, for what the environment does not set.",
        str(paths.table(RELAYHOST_MAP)): "Written: relays by sender.",
        str(paths.table(SASL_PASSWD)): "Written: logins by sender and by relay. Only its owner may read it, root.",
        str(paths.state): "Written: what was there before, to be put back once the inputs are gone.",
    }


def _entries(entries: Mapping[str, str]) -> str:
    """Return a list of terms, each with what it means below it."""
    return "\n".join(f".TP\n.B {_roff(term)}\n{_roff(text)}" for term, text in entries.items())


def _roff(text: str) -> str:
    """Write text so that roff takes it as it is; no line of ours begins with a point or an apostrophe."""
    return text.replace("\\", "\\e").replace("-", "\\-")
