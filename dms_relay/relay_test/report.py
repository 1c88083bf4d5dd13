"""Results as a table with an explanation of each failure, and as one JSON document, both without passwords. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from dms_relay.relay_test.diagnosis import diagnose, remarks
from dms_relay.relay_test.hints import hints
from dms_relay.relay_test.outcome import Failure
from dms_relay.relay_test.secrets import printable
from dms_relay.relay_test.targets import ORIGINS_MAX
from dms_relay.sources.packing import packing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dms_relay.relay_test.certificate import Certificate
    from dms_relay.relay_test.outcome import Result, StepError
    from dms_relay.relay_test.targets import Target
    from dms_relay.relay_test.token_facts import TokenFacts

_HEAD = ("RELAY", "ADDRESS", "TLS", "CERTIFICATE UNTIL", "LOGIN", "RESULT", "TIME")
_NOTHING = "-"


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the table, one line per result, then the explanations."""
    alike = Counter(_login_of(result) for result in results)
    rows = [_HEAD, *(_row(result, is_alike=alike[_login_of(result)] > 1) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, (*widths, 0), strict=True))
        yield "  ".join(cells).rstrip()
    for result in results:
        yield from _explanation(result)


def _login_of(result: Result) -> tuple[str, str, str]:
    return result.target.relay, result.target.nexthop, result.target.shown_login


def _row(result: Result, *, is_alike: bool) -> tuple[str, ...]:
    """Return the cells of a result; if another one looks alike, the place of the login tells them apart."""
    seen, until = result.seen, result.seen.certificate and result.seen.certificate.valid_until
    return (
        printable(result.target.relay),
        printable(seen.address or result.target.nexthop),
        f"{seen.protocol} {seen.cipher}".strip() or _NOTHING,
        f"{until:%Y-%m-%d}" if until else _NOTHING,
        printable(_login_and_place(result) if is_alike else result.target.shown_login),
        result.shown,
        f"{result.seconds:.1f} s",
    )


def _login_and_place(result: Result) -> str:
    entry = result.target.entry
    return f"{entry.login.shown_username} ({entry.origin})" if entry else result.target.shown_login


def _explanation(result: Result) -> Iterator[str]:
    """Yield what happened, why, and what to do; or only the remarks; or nothing."""
    lines = list(_lines(result))
    if lines:
        login = f", login {printable(result.target.shown_login)}" if result.target.entry else ""
        yield ""
        where = dict.fromkeys((printable(result.target.relay), result.target.nexthop))
        yield f"{', '.join(where)}{login}: {result.shown}"
        yield from (f"  {name + ':':8} {printable(text)}" for name, text in lines)


def _lines(result: Result) -> Iterator[tuple[str, str]]:
    if (error := result.error) and (found := diagnose(result)):
        yield "what", error.what
        if error.reply:
            yield "reply", error.reply
        if where := _where(result.target):
            yield "where", where
        yield "cause", found.cause
        yield "remedy", found.remedy
        yield from (("hint", text) for text in _hints(result, error))
    yield from (("remark", text) for text in remarks(result))
    if result.seen.token:
        yield from (("token", text) for text in result.seen.token.lines())
    if result.seen.sent:
        yield "sent", "the server accepted the message"


def _where(target: Target) -> str:
    """Return the places that name the host; empty where none is known."""
    shown = ", ".join(map(str, target.origins[:ORIGINS_MAX]))
    return f"{shown}, and others" if target.origins[ORIGINS_MAX:] else shown


def _hints(result: Result, error: StepError) -> Iterator[str]:
    """Yield what may explain a failure: facts about the service; for a refused login, text that is hardly part of it."""
    yield from hints(result.host, error.kind)
    if error.kind is Failure.LOGIN and result.target.entry:
        yield from (f"{note.text}: {note.remedy}" for note in packing(result.target.entry.login))


def document(results: Sequence[Result]) -> dict[str, Any]:
    """Return the document for ``--json``; times are in seconds, dates in ISO 8601."""
    return {"ok": all(result.error is None for result in results), "results": [_result(item) for item in results]}


def _result(result: Result) -> dict[str, Any]:
    target, seen, error = result.target, result.seen, result.error
    found = diagnose(result)
    entry = target.entry
    return {
        "relay": target.relay,
        "nexthop": target.nexthop,
        "origins": [str(origin) for origin in target.origins[:ORIGINS_MAX]],
        "host": seen.host or None,
        "address": seen.ip or None,
        "port": target.port,
        "tls": _tls(result),
        "login": entry and {"username": entry.login.shown_username, "origin": str(entry.origin)},
        "mechanism": seen.mechanism or None,
        "token": seen.token and _token(seen.token),
        "result": result.shown,
        "failure": error
        and {
            "what": error.what,
            "reply": error.reply or None,
            "cause": found and found.cause,
            "remedy": found and found.remedy,
            "hints": list(_hints(result, error)),
        },
        "remarks": list(remarks(result)),
        "sent": seen.sent,
        "seconds": round(result.seconds, 3),
    }


def _tls(result: Result) -> dict[str, Any]:
    seen, demand = result.seen, result.target.demand
    return {
        "level": demand.level,
        "mode": "implicit" if demand.implicit else "starttls",
        "protocol": seen.protocol or None,
        "cipher": seen.cipher or None,
        "certificate": seen.certificate and _certificate(seen.certificate),
    }


def _token(facts: TokenFacts) -> dict[str, Any]:
    return {
        "valid_until": facts.valid_until and facts.valid_until.isoformat(),
        "scope": facts.scope or None,
        "audience": facts.audience or None,
        "roles": list(facts.roles),
        "new": facts.is_new,
    }


def _certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "names": list(certificate.names),
        "issuer": certificate.issuer,
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": certificate.valid_until.isoformat(),
        "fingerprint": certificate.fingerprint,
    }
