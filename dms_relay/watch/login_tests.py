"""Login tests on a timer: runs what ``dms-relay test`` does, and logs each change once.

Reads the inputs and main.cf; connects to the relays; writes nothing. Raises what ``merge`` raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dms_relay.relay_test.report import document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dms_relay.log import Log
    from dms_relay.relay_test.outcome import Result

#: The words of results without a failure (``relay_test.outcome``).
_OK = "ok"
#: The fields that identify a test: relay, nexthop and login.
_KEY = ("relay", "nexthop", "login")


def compared(before: Sequence[dict[str, Any]], results: Sequence[Result], log: Log) -> list[dict[str, Any]]:
    """Return the results for the record, and log what has changed."""
    found = [_recorded(result) for result in document(results)["results"]]
    known = {_key(result): result for result in before}
    for result in found:
        _compare(known.get(_key(result)), result, log)
    return found


def _recorded(result: dict[str, Any]) -> dict[str, Any]:
    login, failure = result["login"], result["failure"] or {}
    told = {name: failure.get(name) for name in ("what", "reply", "cause", "remedy")}
    certificate = result["tls"]["certificate"]
    return {
        **{name: result[name] for name in ("relay", "nexthop", "result", "seconds")},
        "login": login and f"{login['username']} ({login['origin']})",
        "certificate_until": certificate and certificate["valid_until"],
        **told,
    }


def _key(result: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(result[name] for name in _KEY)


def _compare(before: dict[str, Any] | None, now: dict[str, Any], log: Log) -> None:
    was_right = before is None or before["result"] == _OK
    named = {name: now[name] for name in _KEY if now[name]}
    if now["result"] != _OK and was_right:
        text = f"login test: {now['result']}: {now['what']} -- {now['remedy'] or now['cause']}"
        log.error(text, **named)
    elif now["result"] == _OK and not was_right:
        log.info("login test: the relay works again", **named)
