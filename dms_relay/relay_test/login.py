"""AUTH: where a password leaves this process (RFC 4954, RFC 4616, RFC 2195); access tokens leave in ``token_login``.

One attempt with one mechanism, the one that Postfix would use (``mechanisms``), since services lock out clients that repeat
a wrong password.

Known limits: no SCRAM, DIGEST-MD5 and NTLM, which Postfix has through ``libsasl2-modules``.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dms_relay.relay_test.outcome import Detail, Failure, StepError
from dms_relay.relay_test.replies import auth_failure
from dms_relay.relay_test.secrets import encoded, plain
from dms_relay.relay_test.token_login import send_token
from dms_relay.relay_test.token_refusals import token_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.model import Login
    from dms_relay.relay_test.connection import SmtpConnection
    from dms_relay.relay_test.replies import Reply
    from dms_relay.relay_test.token_facts import TokenFacts

_CONTINUE = 334


def log_in(wire: SmtpConnection, login: Login, mechanism: str, *, in_tls: bool) -> None:
    """Send the login once; raise ``StepError`` if the server refuses it, or closes the connection."""
    steps = {"PLAIN": _plain, "LOGIN": _login, "CRAM-MD5": _cram_md5}
    with _loss_explained():
        reply = steps[mechanism](wire, login)
    if not reply.is_good:
        raise auth_failure(f"the server refused AUTH {mechanism}", reply, in_tls=in_tls)


def log_in_with_token(
    wire: SmtpConnection, login: Login, mechanism: str, place: tuple[str, int], facts: TokenFacts
) -> None:
    """Send the access token once; raise ``StepError`` as ``log_in`` does. ``place`` is host and port."""
    with _loss_explained():
        reply, said = send_token(wire, login, mechanism, place)
    if not reply.is_good:
        raise token_failure(f"the server refused AUTH {mechanism}", reply, said, facts)


@contextmanager
def _loss_explained() -> Iterator[None]:
    """Mark a lost connection as lost at the login."""
    try:
        yield
    except StepError as error:
        if error.kind is Failure.LOST:
            raise StepError(error.kind, error.what, detail=Detail.AT_LOGIN) from None
        raise


def _plain(wire: SmtpConnection, login: Login) -> Reply:
    return wire.ask(f"AUTH PLAIN {encoded(plain(login))}", "AUTH PLAIN")


def _login(wire: SmtpConnection, login: Login) -> Reply:
    reply = wire.ask("AUTH LOGIN", "AUTH LOGIN")
    for text in (login.username, login.password):
        if reply.code != _CONTINUE:
            break
        reply = wire.ask(encoded(text), "AUTH LOGIN")
    return reply


def _cram_md5(wire: SmtpConnection, login: Login) -> Reply:
    reply = wire.ask("AUTH CRAM-MD5", "AUTH CRAM-MD5")
    if reply.code != _CONTINUE:
        return reply
    try:
        challenge = b64decode("".join(reply.lines), validate=True)
    except binascii.Error:
        raise StepError(Failure.NOT_SMTP, "the challenge of AUTH CRAM-MD5 is not base64") from None
    key = login.password.encode("utf-8", "surrogateescape")
    answer = encoded(f"{login.username} {hmac.new(key, challenge, 'md5').hexdigest()}")
    wire.secrets.add(answer)
    return wire.ask(answer, "AUTH CRAM-MD5")
