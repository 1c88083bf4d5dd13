"""The manual page: argparse-manpage's output for the parser, in man(7), and sections that the parser does not know.

The exit codes come from the parser's help, the variables from the code that reads them.
"""

from __future__ import annotations

import argparse
import re
from datetime import date
from typing import TYPE_CHECKING

from argparse_manpage.manpage import Manpage  # type: ignore[import-untyped]  # without types

from dms_relay import __version__
from dms_relay.arguments import EXIT_CODES
from dms_relay.log import FORMATS, LEVELS
from dms_relay.model import MAPS, RELAYHOST_MAP, SASL_PASSWD, TRANSPORTS, Paths
from dms_relay.model.providers import PROVIDERS
from dms_relay.postfix.table_types import TABLE_TYPES
from dms_relay.sources import relay_env, relaymap, sasl_password
from dms_relay.sources.environment import FILE_SUFFIXES, NAMES
from dms_relay.sources.settings import DEFAULT_PORT
from tools.tree import actions_of, commands_of, fresh_parser

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The day of the last substantial change of the page (man-pages(7), "Title line"): no text depends on today.
_DATE = date(2026, 11, 26)
_NAME = "set up Postfix to send its mail through relay services"
_DESCRIPTION = """
The inputs are environment variables and the files of the configuration directory; Postfix's lookup tables and parameters are
made from them. Nothing is written before all of them have been read and found right. No command ever shows a password.
Alone or after a command, -h or --help says in short what can be given there."""
_SETTINGS = {
    "DEFAULT_RELAY_HOST": "Where all mail goes: [smtp.example.com]:587. Brackets mean the host itself, no MX lookup. "
    "You can write several, separated by commas; Postfix tries them in order.",
    "RELAY_HOST": "A host name or address: the relay for the domains that this server manages.",
    "RELAY_PORT": f"Its port, {DEFAULT_PORT} if not set.",
    "RELAY_USER": "The user name of the login at DEFAULT_RELAY_HOST or, if that is not set, at RELAY_HOST.",
    "RELAY_PASSWORD": "The password of this login.",
    "RELAY_ROUTING": f"{MAPS} (if there is no relay.yaml): lookup tables by sender, as docker-mailserver has them; "
    f"{TRANSPORTS}: a service of Postfix for each relay, with TLS and logins of its own.",
    "RELAY_TLS_LEVEL": f"With {TRANSPORTS}, what these relays must prove: encrypt if not set.",
    "RELAY_TABLES": f"The type of the tables: {', '.join(TABLE_TYPES)}. If not set, big tables are indexed.",
    "RELAY_OAUTH2_PROVIDER": f"With {TRANSPORTS}, an access token instead of the password: {' or '.join(PROVIDERS)}, "
    "which defines the endpoints and the scope.",
    "RELAY_OAUTH2_TENANT": "For Microsoft: the domain or the ID of the tenant.",
    "RELAY_OAUTH2_CLIENT_ID": "The ID of the client (the app) at the provider.",
    "RELAY_OAUTH2_CLIENT_SECRET": "The client's secret.",
    "RELAY_OAUTH2_CLIENT_CERTIFICATE": "Instead of the secret: the certificate of the client (PEM).",
    "RELAY_OAUTH2_CLIENT_KEY": "The private key of this certificate (PEM).",
    "RELAY_OAUTH2_REFRESH_TOKEN": "The first refresh token; later ones are kept in the state directory.",
    "RELAY_OAUTH2_SERVICE_ACCOUNT": "The key of a Google service account (JSON).",
    "RELAY_OAUTH2_TOKEN_URL": "The token endpoint of another provider; https only.",
    "RELAY_OAUTH2_SCOPE": "What the token should permit, if it is not known from the provider.",
    "RELAY_OAUTH2_CA_FILE": "A file with the authorities to trust at the token endpoint, instead of the system's.",
}
#: Variables of the program itself.
OTHERS = {
    "LOG_LEVEL": f"Like --log-level, which wins: {', '.join(LEVELS)}.",
    "LOG_FORMAT": f"Like --log-format, which wins: {', '.join(FORMATS)}.",
    "DMS_RELAY_CONFIG_DIR": "The configuration directory; --config-dir wins.",
    "DMS_RELAY_STATE_DIR": "The directory for tokens and the state of dms-relay watch; /var/lib/dms-relay if not set.",
    "RELAY_WATCH_INTERVAL": "How often dms-relay watch looks at the inputs: 0.5, 30s, 5m; --interval wins.",
    "RELAY_TEST_INTERVAL": "How often it tests the logins at the relays: 900, 30m, 1h; never if not set.",
    "RELAY_METRICS": "Where dms-relay watch serves metrics for Prometheus: :9154, or HOST:PORT; nowhere if not set.",
    "MAIL_CONFIG": "The directory of Postfix's configuration; --postfix-dir wins.",
}
#: What to do, and the shortest command for it.
_EXAMPLES = {
    "Send all mail through one relay": "DEFAULT_RELAY_HOST='[smtp.example.com]:587' RELAY_USER=me "
    "RELAY_PASSWORD__FILE=/run/secrets/relay dms-relay apply",
    "See what would change, and what was understood": "dms-relay plan; dms-relay show",
    "Send the mail of a domain through a relay of its own": "dms-relay add-domain example.com smtp.example.net 587",
    "Set its login, without a password in the shell's history": "dms-relay add-auth example.com me",
    "Ask where a message goes, and why": "dms-relay explain boss@example.com friend@example.org",
    "Check for problems from a script": "dms-relay check --strict --json",
    "Test each relay with a message": "dms-relay test --send-to me@example.org",
}
_SEE_ALSO = ".BR postconf (5),\n.BR postfix (1)"
#: How argparse-manpage shows the arguments of a command.
_USAGE = re.compile(r"^usage: (.*)$", re.MULTILINE)
#: Keeps groff from breaking domains and options, and from stretching blanks (groff(7)); comes after the title line.
_PLAIN_LINES = ".nh\n.ad l\n"


def man_page() -> str:
    """Return the manual page."""
    top = fresh_parser()
    _suit_manpage(top)
    page = Manpage(top, {"version": __version__, "manual_title": "dms-relay"}, "single-commands-section")
    page.description = _NAME
    page.date = _DATE  # in a text, hyphens would be escaped
    page.add_section("synopsis", "=", f".B {_roff(top.prog)}\n{_roff(' '.join(page.synopsis[1:]))}")
    page.add_section("exit status", "=", _entries({str(code): text for code, text in EXIT_CODES.items()}))
    page.add_section("environment", "=", _entries(environment()))
    page.add_section("files", "=", _entries(files()))
    page.add_section("examples", "=", _examples().removesuffix("\n.PP"))
    page.add_section("see also", "=", _SEE_ALSO)
    title, end, text = str(page).partition("\n")
    return title + end + _PLAIN_LINES + _USAGE.sub(r".B \1", text)


def _suit_manpage(top: argparse.ArgumentParser) -> None:
    """Put options before commands, and describe each command once, without its --help."""
    top.description = f"{top.description}{_DESCRIPTION}"
    top.epilog = None
    top._action_groups.reverse()  # noqa: SLF001 -- the sections have their order
    top._positionals.title = "commands"  # noqa: SLF001 -- a section's title
    for parser in (top, *(command.parser for command in commands_of(top))):
        parser.usage = None
        for action in actions_of(parser):
            if "--help" in action.option_strings:
                action.help = argparse.SUPPRESS
    for command in commands_of(top):
        command.line.help = _roff(command.parser.description or "")
        command.parser.description = None


def environment() -> dict[str, str]:
    """Return the text of each variable. Raises ``ValueError`` if one that is read has no text here."""
    if set(_SETTINGS) != set(NAMES):
        raise ValueError(f"without a text, or not read: {set(_SETTINGS) ^ set(NAMES)}")
    files = ", ".join(f"{name}{FILE_SUFFIXES[0]}" for name in NAMES)
    text = "The absolute path of a file that holds the value, such as a secret of a container."
    return {**_SETTINGS, files: text, **OTHERS}


def _examples() -> str:
    return "\n".join(f"{_roff(what)}:\n.PP\n.nf\n.RS 4\n{_roff(how)}\n.RE\n.fi\n.PP" for what, how in _EXAMPLES.items())


def files() -> dict[str, str]:
    """Return each file that is read or written, with its contents."""
    paths = Paths()
    return {
        str(paths.config_dir / relaymap.NAME): "Where the mail of a sender goes, one sender on each line: @example.com "
        "[smtp.example.com]:587. A domain alone opts out of RELAY_HOST.",
        str(paths.config_dir / sasl_password.NAME): "The logins, by sender or by relay: @example.com user:password.",
        str(paths.config_dir / relay_env.NAME): "The variables, as NAME=value, that the environment does not set.",
        str(paths.table(RELAYHOST_MAP)): "Written: relays by sender.",
        str(paths.table(SASL_PASSWD)): "Written: logins by sender and by relay. Only root may read it.",
        str(paths.state): "Written: the values from before, to restore when the inputs are gone.",
    }


def _entries(entries: Mapping[str, str]) -> str:
    """Return a list of terms, each followed by its meaning."""
    return "\n".join(f".TP\n.B {_roff(term)}\n{_roff(text)}" for term, text in entries.items())


def _roff(text: str) -> str:
    """Return text escaped for roff; no line of ours begins with a point or an apostrophe."""
    return text.replace("\\", "\\e").replace("-", "\\-")
