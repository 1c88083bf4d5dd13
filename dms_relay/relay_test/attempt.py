"""Tests one target, from the name to QUIT, and returns the result.

If a failure has several possible causes, a second connection tells them apart; no login is sent on it.
"""

from __future__ import annotations

import dataclasses
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dms_relay.model import values
from dms_relay.model.oauth2 import NO_TOKEN
from dms_relay.relay_test import tls
from dms_relay.relay_test.access import Access
from dms_relay.relay_test.connect import connect
from dms_relay.relay_test.connection import SmtpConnection
from dms_relay.relay_test.loops import other_addresses
from dms_relay.relay_test.outcome import Failure, Observations, Result, StepError
from dms_relay.relay_test.resolve import addresses
from dms_relay.relay_test.secrets import Secrets
from dms_relay.relay_test.session import Session, look_at_certificate
from dms_relay.relay_test.token_facts import facts_of

if TYPE_CHECKING:
    import socket

    from dms_relay.relay_test.resolve import HostAddress
    from dms_relay.relay_test.settings import TestSettings
    from dms_relay.relay_test.targets import Target

#: The failures that occur if one side waits for TLS and the other does not.
_SILENT = frozenset({Failure.TIMED_OUT, Failure.LOST, Failure.NOT_SMTP, Failure.HANDSHAKE})


def attempt(target: Target, settings: TestSettings) -> Result:
    """Test a target. A failure is a result, not an error."""
    begin, seen = time.monotonic(), Observations()
    settings = settings.begun()
    error: StepError | None = None
    try:
        target = _with_token(target, settings, seen)
        if target.demand.trouble:
            raise StepError(Failure.CONFIGURATION, target.demand.trouble)  # noqa: TRY301 -- a step like any other
        found = other_addresses(addresses(target, settings), settings, by_mx=target.by_mx)
        address, sock = _first(found, settings, seen)
        _session(address, sock, target, settings, seen)
    except StepError as failed:
        error = failed
    except Exception as bug:  # noqa: BLE001 -- the other results still count; its text is not shown, as it could contain anything
        error = StepError(Failure.LOST, f"a bug in dms-relay ended this test ({type(bug).__name__}): please report it")
    return Result(target, seen, time.monotonic() - begin, error)


def _with_token(target: Target, settings: TestSettings, seen: Observations) -> Target:
    """Return the target, with an access token if its login takes one; record its facts, or why there is none."""
    if target.entry is None or target.entry.login.oauth2 is None:
        return target
    access = settings.access(target) if settings.access else Access(target.entry.login)
    if access.login.password != NO_TOKEN:
        seen.token = facts_of(access.login.password, access.facts)
    seen.token_error = access.error
    return dataclasses.replace(target, entry=values.replace(target.entry, login=access.login))


def _first(
    found: tuple[HostAddress, ...], settings: TestSettings, seen: Observations
) -> tuple[HostAddress, socket.socket]:
    """Connect to the first address that accepts; raise the most informative failure if none does."""
    failures: list[tuple[HostAddress, StepError]] = []
    for number, address in enumerate(found):
        seen.host, seen.ip, seen.port = address
        try:
            # Each address gets a share of the time left, so that a silent one leaves time for the others.
            sock = connect(address, _tenths(settings.left / (len(found) - number)))
        except StepError as error:
            failures.append((address, error))
            continue
        seen.remarks += [f"{a.ip}: {e.what}, so the next address was tried" for a, e in failures]
        return address, sock
    (seen.host, seen.ip, seen.port), worst = min(failures, key=lambda item: item[1].kind is Failure.UNREACHABLE)
    if len(failures) > 1:
        raise StepError(worst.kind, "; ".join(f"{a.ip}: {e.what}" for a, e in failures))
    raise worst


def _tenths(seconds: float) -> float:
    """Return seconds for display, at least a tenth."""
    return max(round(seconds, 1), 0.1)


def _session(
    address: HostAddress, sock: socket.socket, target: Target, settings: TestSettings, seen: Observations
) -> None:
    try:
        Session(sock, target, settings, seen).run()
    except StepError as error:
        settings = settings.begun()  # a second look, on another connection, gets the same time
        if target.demand.level == "may" and error.kind is Failure.HANDSHAKE and target.entry is None:
            _in_the_clear(error, address, target, settings, seen)
            return
        raise _told_apart(error, address, target, settings, seen) from None


def _in_the_clear(
    error: StepError, address: HostAddress, target: Target, settings: TestSettings, seen: Observations
) -> None:
    """Continue without TLS on another connection, as Postfix does at level ``may`` after a failed handshake.

    Not with a login: an attacker could break the handshake to get it (smtp_proto.c, RETRY_AS_PLAINTEXT).
    """
    seen.remarks.append(f"{error.what}; level may permits mail in the clear")
    seen.protocol, seen.cipher, seen.certificate = "", "", None
    Session(connect(address, settings.timeout), target, settings, seen, with_tls=False).run()


def _told_apart(
    error: StepError, address: HostAddress, target: Target, settings: TestSettings, seen: Observations
) -> StepError:
    if error.kind is Failure.CERTIFICATE and seen.certificate is None:
        look_at_certificate(address, target, settings, seen)
    if seen.has_greeted or seen.protocol or error.kind not in _SILENT:
        return error
    if not target.demand.implicit and _speaks_tls(address, target, settings, seen):
        return StepError(Failure.IMPLICIT_TLS, f"{error.what}, but the server accepts implicit TLS")
    if target.demand.implicit and _greets(address, settings):
        return StepError(Failure.STARTTLS, f"{error.what}, because the server greets without TLS")
    return error


def _speaks_tls(address: HostAddress, target: Target, settings: TestSettings, seen: Observations) -> bool:
    """Return True if the server completes a TLS handshake before any greeting."""
    with suppress(OSError, StepError), connect(address, settings.timeout) as sock:
        tls.handshake(sock, target, seen, settings.timeout, is_verified=False).close()
        return True
    return False


def _greets(address: HostAddress, settings: TestSettings) -> bool:
    """Return True if the server greets without TLS."""
    with suppress(StepError), connect(address, settings.timeout) as sock:
        SmtpConnection(sock, settings.timeout, Secrets()).read("greeting")
        return True
    return False
