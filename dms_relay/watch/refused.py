"""Finds mail that waits because a relay has refused an OAuth2 login, and gets it delivered.

A token can be revoked before it expires: smtp(8) then defers with "SASL authentication failed". The time of that is the
time of the message's file in the queue's directory ``defer``. If the token is older, it was refused, and is to be
renewed at once; if it is newer, the message is to be tried again. Reads the queue through postqueue(1), and the state
directory.

Known limits: if the tables do not name the host that refused, it may be any OAuth2 relay whose nexthop has MX records or
whose login is the sender's; and a password refused at the same host looks like a token. In a very large queue, looks
only at the first ``_MESSAGES_MAX`` refused messages.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from dms_relay import tokens
from dms_relay.errors import PostfixError
from dms_relay.postfix import child
from dms_relay.tokens import in_force

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dms_relay.model import Paths
    from dms_relay.tokens.in_force import InForce

#: The text of smtp(8) (smtp_sasl_glue.c), and the part before the server's reply.
_REFUSED = "SASL authentication failed"
_SAID = " said: "
_SERVER = re.compile(r"\bserver ([^\s\[]+)\[([^\]]*)\]")
#: Matches the host in a lookup key that is a nexthop.
_HOST = re.compile(r"\[?([^\]@\s:]+)\]?(:\w+)?")
#: Maximum number of messages to look at, and to try again, at once.
_MESSAGES_MAX = 1000
#: Seconds that a queue program may take.
_TIMEOUT = 60.0


def refused(paths: Paths, queue: Path) -> dict[str, Any]:
    """Return the relays whose token is to be renewed at once; retry the mail whose token was renewed since."""
    logins = in_force.load(paths.state_dir)
    kept = {login.id: tokens.load(paths.state_dir, login.id) for login in logins}
    deferred = _deferred_at(queue) if logins else {}
    relays: set[str] = set()
    again: list[str] = []
    for number, sender, reason in _messages(paths.postfix_dir) if deferred else ():
        if (at := deferred.get(number)) is None:
            continue
        issued = {login.relay: kept[login.id].issued_at for login in _meant(reason, sender, logins)}
        valid = {login.relay for login in logins if tokens.is_valid(kept[login.id], at)}
        if _SAID in reason:  # otherwise it is a local failure, such as a missing SASL plugin
            relays |= {relay for relay, since in issued.items() if since < at and relay in valid}
        if any(since > at for since in issued.values()):
            again.append(number)
    for number in again:
        _run(paths.postfix_dir, "postqueue", "-i", number)
    return {"relays": sorted(relays), "again": len(again)}


def _meant(reason: str, sender: str, logins: tuple[InForce, ...]) -> list[InForce]:
    """Return the logins that a refusal may concern: those at that host, or those whose tables name no host."""
    found = _SERVER.search(reason)
    if not found:
        return list(logins)
    names = set(found.groups())
    at_host = [login for login in logins if names & _hosts(login)]
    return at_host or [login for login in logins if any(_is_open(key, sender) for _, key in login.tables)]


def _hosts(login: InForce) -> set[str]:
    return {match[1] for _, key in login.tables if (match := _HOST.fullmatch(key))}


def _is_open(key: str, sender: str) -> bool:
    """Return True if a lookup key may belong to any host: a nexthop that stands for its MX hosts, or the sender."""
    if "@" not in key:
        return not key.startswith("[")
    local, _, domain = sender.casefold().rpartition("@")
    return key.casefold() in {f"{local}@{domain}", f"{local.partition('+')[0]}@{domain}", f"@{domain}"}


def _deferred_at(queue: Path) -> dict[str, float]:
    """Return when each message was last deferred: bounce(8) then appends to its file."""
    found = {}
    for directory, _, names in os.walk(queue / "defer"):
        for name in names:
            try:
                found[name] = os.stat(os.path.join(directory, name)).st_mtime  # noqa: PTH116, PTH118 -- very many
            except OSError:
                continue  # it was delivered meanwhile
    return found


def _messages(directory: Path) -> Iterator[tuple[str, str, str]]:
    """Yield queue ID, sender and reason of the messages that wait because a login was refused."""
    count = 0
    for line in _run(directory, "postqueue", "-j").splitlines():
        message = json.loads(line)
        reasons = [recipient.get("delay_reason", "") for recipient in message["recipients"]]
        reason = next((text for text in reasons if _REFUSED in text), "")
        if message["queue_name"] == "deferred" and reason and count < _MESSAGES_MAX:
            count += 1
            yield message["queue_id"], message["sender"], reason


def _run(directory: Path, name: str, *arguments: str) -> str:
    path = child.which(name)
    if path is None:
        raise PostfixError(f"{name} is not found", "install Postfix, or add its directory to PATH", program=name)
    command = [path, "-c", str(directory), *arguments]
    try:
        done = child.run(command, {"PATH": os.environ.get("PATH", "")}, b"", _TIMEOUT)
    except (OSError, child.TimeoutExpired) as error:
        reason, remedy = child.why_not_run(error, _TIMEOUT)
        raise PostfixError(f"{name} cannot be run: {reason}", remedy, program=name) from None
    if done.returncode:
        raise PostfixError(
            f"{name} failed with exit code {done.returncode}", program=name, program_code=done.returncode
        )
    return done.stdout.decode("utf-8", "replace")
