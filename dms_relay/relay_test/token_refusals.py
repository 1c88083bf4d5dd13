"""What a server's refusal of an access token means. Pure.

Microsoft answers ``535 5.7.3 Authentication unsuccessful`` whatever the reason, so the token's own facts tell the reasons
apart. Google sends ``334`` with JSON first, and then the same reply as to a wrong password.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dms_relay.relay_test.outcome import Detail, Failure, StepError
from dms_relay.relay_test.token_facts import MICROSOFT_ROLE, MICROSOFT_SCOPE

if TYPE_CHECKING:
    from dms_relay.relay_test.replies import Reply
    from dms_relay.relay_test.token_facts import TokenFacts

#: The prefix of scopes and audiences of Exchange Online, and Google's one scope for SMTP
#: (https://developers.google.com/workspace/gmail/imap/xoauth2-protocol).
_MICROSOFT = ("https://outlook.office365.com", "https://outlook.office.com")
GOOGLE_SCOPE = "https://mail.google.com/"


def token_failure(what: str, reply: Reply, said: str, facts: TokenFacts) -> StepError:
    """Return the failure of a login with a token; ``said`` is the server's reason from an earlier challenge."""
    text = f"{reply.text}; before that it said {said}" if said else reply.text
    if detail := reply.smtp_auth_is_off:
        return StepError(Failure.MECHANISM, what, text, detail)
    if reply.is_temporary:
        return StepError(Failure.REJECTED, what, text, Detail.TEMPORARY)
    return StepError(Failure.LOGIN, what, text, _reason(said, facts))


def _reason(said: str, facts: TokenFacts) -> Detail:
    """Return why a token is refused, as far as the token and the server tell."""
    if _scope_of(said).startswith(GOOGLE_SCOPE):
        return Detail.GOOGLE
    if not f"{facts.audience} {facts.scope}".strip().startswith(_MICROSOFT):
        return Detail.TOKEN_REFUSED
    if facts.is_read and not facts.permissions & {MICROSOFT_ROLE, MICROSOFT_SCOPE}:
        return Detail.NO_PERMISSION
    return Detail.NOT_REGISTERED if MICROSOFT_ROLE in facts.roles else Detail.OTHER_USER


def _scope_of(said: str) -> str:
    """Return the scope that a server names in its refusal (RFC 7628, section 3.2.2); empty if it names none."""
    try:
        found = json.loads(said)
    except ValueError:
        return ""
    scope = found.get("scope") if isinstance(found, dict) else None
    return scope if isinstance(scope, str) else ""
