"""``dms-relay login``: a person consents, in any browser, that a relay sends mail in their name.

Reads the inputs; shows an address and a code on standard output, and waits. If the provider gives no code for mail
(Google), reads the address of the browser's last page from standard input. Keeps the refresh token in the state directory,
and puts the access token into the tables if the login is in force already.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.commands.renew import put_into_tables
from dms_relay.errors import UsageError
from dms_relay.merge import merge
from dms_relay.model.oauth2 import DEVICE_CODE, REFRESH_TOKEN
from dms_relay.model.values import frozen
from dms_relay.oauth2 import browser, device
from dms_relay.oauth2.renewal import keep
from dms_relay.sources import read
from dms_relay.tokens import in_force

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from dms_relay.commands import Context
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.model.oauth2 import OAuth2
    from dms_relay.oauth2 import Answer

#: Maximum characters of a pasted address: more than any provider's has, less than a mistaken paste.
_PASTED_MAX = 16384


@frozen
class _Login:
    """An OAuth2 login of the inputs."""

    relay: str
    username: str
    oauth2: OAuth2

    @property
    def id(self) -> str:
        """The name under which its token is kept."""
        return tokens.login_id(self.relay, self.username, self.oauth2)


def run(arguments: Namespace, context: Context) -> int:
    """Get a person's consent to one login, and keep the tokens."""
    config = merge(read(context.paths, context.environ))
    login = _chosen(list(_logins(config)), arguments.relay, arguments.username)
    # Checked first, so that nobody has to consent twice because the disk is full.
    with tokens.Room(context.paths.state_dir, login.id):
        pass
    answer = _agreed(login, context)
    if not answer.refresh_token:
        context.log.warn(
            "the provider gave no refresh token, so this lasts only as long as the access token "
            "-- ask for a scope that includes one (offline_access)"
        )
    keep(context.paths.state_dir, login.id, login.oauth2, answer)
    if login.id in {known.id for known in in_force.load(context.paths.state_dir)}:
        put_into_tables(context)
        context.say(f"logged in: mail of {login.username} goes through relay {login.relay} now")
    else:
        context.say("logged in; run dms-relay apply to have it in force")
    return os.EX_OK


def _logins(config: RelayConfig) -> Iterator[_Login]:
    for service in config.transports.services if config.transports else ():
        for entry in (*service.logins, *service.sender_logins):
            if entry.login.oauth2:
                yield _Login(service.relay.name, entry.login.username, entry.login.oauth2)


def _chosen(logins: Sequence[_Login], relay: str, username: str | None) -> _Login:
    there = {login.id: login for login in logins if login.relay.casefold() == relay.casefold()}
    if not there:
        names = ", ".join(sorted({login.relay for login in logins}))
        remedy = f"write one of {names}" if names else "give a relay a login with oauth2"
        raise UsageError(f"no relay with an OAuth2 login has the name {relay}", remedy)
    found = [login for login in there.values() if username is None or login.username.casefold() == username.casefold()]
    if len(found) != 1:
        users = ", ".join(login.username for login in there.values())
        what = "several logins" if username is None else "no single login of that name"
        raise UsageError(f"relay {relay} has {what}", f"write --username with one of {users}")
    if found[0].oauth2.grant not in {DEVICE_CODE, REFRESH_TOKEN}:
        text = f"the login {found[0].username} at relay {relay} needs no person: its grant is {found[0].oauth2.grant}"
        raise UsageError(text, "run dms-relay renew")
    return found[0]


def _agreed(login: _Login, context: Context) -> Answer:
    oauth2, environ = login.oauth2, context.environ
    if oauth2.device_url or not oauth2.authorization_url:
        asked = device.begin(oauth2, environ=environ)
        context.say(f"Open {asked.address}", f"and enter the code {asked.user_code}, as {login.username}.", "Waiting…")
        context.flush()
        return device.wait(oauth2, asked, environ=environ)
    browsing = browser.begin(oauth2, login.username)
    context.say(
        f"Open this address in a browser, and agree as {login.username}:",
        browsing.url,
        "The browser then ends at a page that it cannot open. Paste the address of that page here:",
    )
    context.flush()
    pasted = sys.stdin.readline(_PASTED_MAX) if sys.stdin else ""
    return browser.finish(oauth2, browsing, pasted, environ=environ)
