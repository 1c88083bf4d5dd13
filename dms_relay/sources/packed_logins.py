"""Finds the logins in the inputs that include their packing (``packing``), each with its place. Pure."""

from __future__ import annotations

from dms_relay.model import Login, Problem
from dms_relay.sources.packing import USERNAME, packing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.model import LoginEntry, Origin
    from dms_relay.model.configuration import Inputs
    from dms_relay.model.relays import Relay, Sender

#: The entries of postfix-sasl-password.cf that are checked when inputs are read: a program writes longer files, and each
#: entry takes 1 us. ``check`` checks all of them.
FIRST = 1000


def packed_logins(inputs: Inputs) -> Iterator[Problem]:
    """Yield a note for each such login in the environment, in relay.yaml, and in the first lines of the login file."""
    username, password = inputs.username, inputs.password
    if first := username or password:
        login = Login(username.value if username else "", password.value if password else "")
        origins = (username.origin if username else first.origin, password.origin if password else first.origin)
        yield from _notes(login, *origins)
    yield from packed_entries((inputs.logins or ())[:FIRST])
    file = inputs.file
    places: list[Relay | Sender] = [*file.relays, *file.senders] if file else []
    for place in places:
        if place.login and place.login_origin:
            yield from _notes(place.login, place.login_origin, place.login_origin)


def packed_entries(entries: Iterable[LoginEntry]) -> Iterator[Problem]:
    """Yield a note for each entry of the login file that includes its packing."""
    for entry in entries:
        yield from _notes(entry.login, entry.origin, entry.origin)


def _notes(login: Login, of_username: Origin, of_password: Origin) -> Iterator[Problem]:
    for note in packing(login):
        origin = of_username if note.what == USERNAME else of_password
        yield Problem(origin, note.text, note.remedy, is_error=False, rule=note.rule, is_note=True)
