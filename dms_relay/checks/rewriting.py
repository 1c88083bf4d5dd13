"""Senders that Postfix rewrites before their relay and login are looked up: SRS, ``canonical_maps``, masquerading.

Asks the lookup tables as ``dms-relay explain`` does, including a daemon of the Sender Rewriting Scheme (SRS). Silent if
there is no master.cf, or a rewritten sender has the same relay and login.

Known limits: at most ``SENDERS_MAX`` senders; of a domain, one user and those that a table in a file names. Cannot know
what a milter or a content filter rewrites.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from dms_relay.assignments import sender_keys
from dms_relay.checks.delivery import SENDERS_MAX
from dms_relay.checks.logins import listed
from dms_relay.checks.rules import Finding
from dms_relay.errors import PostfixError
from dms_relay.explain.rewriting import SENDER, NotFollowedError, Rewriting
from dms_relay.model import NULL_SENDER, Origin
from dms_relay.postfix import main_cf
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.checks.context import CheckContext
    from dms_relay.model import Login

_MAIN_CF = Origin("main.cf")
#: The prefixes of tables of SRS daemons: PostSRSd 1 and 2.
_DAEMONS = ("tcp:", "socketmap:")
#: Types of tables in files, whose keys can be listed (DATABASE_README).
_LISTED = frozenset({"texthash", "hash", "btree", "lmdb", "cdb", "dbm", "sdbm"})


def check_rewriting(context: CheckContext) -> Iterator[Finding]:
    """Yield each rewriting of senders, once, with the senders that lose their relay or login by it."""
    senders = dict.fromkeys(use.sender for use in context.assignments if use.sender not in {"", NULL_SENDER})
    if context.machine is None or context.machine.now is None or not senders:
        return
    postfix = Postfix(context.paths.postfix_dir)
    try:
        rewriting = Rewriting(context.machine.now)
        named = _named(postfix, rewriting, senders)
        changed = list(_changed(context, rewriting, islice(senders, SENDERS_MAX), islice(named, SENDERS_MAX)))
    except NotFollowedError as error:
        what = f"senders may be rewritten before their relay and login are looked up: {error}"
        yield Finding("sender-rewritten", _MAIN_CF, what, _answer(str(error)))
        return
    except PostfixError:  # ``context`` reports it
        return
    for parameter in dict.fromkeys(name for name, _, _ in changed):
        found = {key: new for name, key, new in changed if name == parameter}
        yield _finding(parameter, rewriting.values.get(parameter), found)


def _answer(reason: str) -> str:
    """Return the remedy if a lookup fails: the reason begins with the parameter, and the table if there is one."""
    parameter, _, why = reason.partition(": ")
    if why.startswith(_DAEMONS):
        return "start the daemon that answers for that table, then run dms-relay check again"
    if why.startswith("the entries of "):
        return f"remove one of these entries from {parameter}"
    return f"have Postfix read that table, or remove it from {parameter} in main.cf"


def _named(postfix: Postfix, rewriting: Rewriting, senders: Iterable[str]) -> Iterator[str]:
    """Yield the addresses in tables that belong to senders with a relay or a login."""
    values = (rewriting.values.get(parameter) for parameter in rewriting.parameters(SENDER))
    if keys := [key for value in values for table in main_cf.split(value) for key in _keys(postfix, table)]:
        known = {sender.casefold() for sender in senders}
        yield from (key for key in keys if known.intersection(sender_keys(key)))


def _keys(postfix: Postfix, table: str) -> list[str]:
    """Return the addresses among the keys of a table, if its type has literal keys that can be listed."""
    kind, _, name = table.partition(":")
    keys: list[str] = []
    if kind == "inline":
        keys = [pair.strip("{} ").partition("=")[0].strip() for pair in main_cf.split(name.strip("{} "))]
    elif kind in _LISTED:
        with suppress(PostfixError):  # asking it says why
            keys = postfix.keys(table)
    return [key for key in keys if key.rpartition("@")[0]]


def _changed(
    context: CheckContext, rewriting: Rewriting, senders: Iterable[str], named: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the parameter that first rewrites a sender, the sender's key, and the resulting address."""
    found: set[str] = set()
    for key in (*senders, *named):
        address = f"someone{key}" if key.startswith("@") else key
        new, steps = rewriting.of(address, SENDER)
        is_new = found.isdisjoint(sender_keys(key))
        if steps and is_new and _uses(context, new) != _uses(context, address):
            found.add(key.casefold())
            yield steps[0].parameter, key, new


def _uses(context: CheckContext, address: str) -> set[tuple[str, str, Login | None]]:
    """Return the relays, nexthops and logins of an address."""
    keys = [*sender_keys(address), ""]
    senders = {use.sender.casefold() for use in context.assignments}
    key = next((key for key in keys if key in senders), None)
    found = (use for use in context.assignments if use.sender.casefold() == key)
    return {(use.relay, use.nexthop, use.entry.login if use.entry else None) for use in found if use.nexthop}


def _finding(parameter: str, value: str, changed: dict[str, str]) -> Finding:
    keys = list(changed)
    new = changed[keys[0]]
    sender = f"someone{keys[0]}" if keys[0].startswith("@") else keys[0]
    text = f"{parameter} turns {sender} into {new} first, so relay and login of {listed(keys)} are not used"
    own = ",".join(dict.fromkeys(key.rpartition("@")[2] for key in keys))
    way_out = "remove that entry"
    if any(table.startswith(_DAEMONS) for table in main_cf.split(value)):
        way_out = f"exclude your own domains from SRS (in docker-mailserver: SRS_EXCLUDE_DOMAINS={own})"
    elif parameter == "masquerade_domains":
        way_out = f"remove the domain from {parameter}"
    remedy = f"{way_out}, or give @{new.rpartition('@')[2]} the same relay and login"
    return Finding("sender-rewritten", _MAIN_CF, text, remedy)
