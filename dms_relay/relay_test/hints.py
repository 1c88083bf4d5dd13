"""Facts about well-known services, shown with a failure if they help. Pure.

Each comes from the service's own page, cited above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dms_relay.relay_test.outcome import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGIN = frozenset({Failure.LOGIN, Failure.MECHANISM})


class Hint(NamedTuple):
    """A fact about hosts with a prefix and a suffix, for some classes of failure."""

    begin: str
    end: str
    kinds: frozenset[Failure]
    text: str


_MICROSOFT = (
    "Microsoft 365 is phasing out passwords (basic authentication) for SMTP: off by default from the end of December 2026;"
    " SMTP AUTH must be enabled for the mailbox, also for access tokens (docs/microsoft-365.md)"
)
_SES = "Amazon SES needs SMTP credentials, created in its console for one region; AWS access keys do not work"

HINTS = (
    # https://support.google.com/accounts/answer/185833 and https://support.google.com/mail/?p=BadCredentials
    Hint(
        "smtp.gmail.com",
        "",
        _LOGIN,
        "Gmail accepts an access token (docs/gmail.md), or an app password, which needs 2-Step Verification; it refuses the"
        " account's own password",
    ),
    # https://techcommunity.microsoft.com/blog/exchange/exchange-online-to-retire-basic-auth-for-client-submission-smtp-auth/4114750
    Hint("smtp.office365.com", "", _LOGIN, _MICROSOFT),
    Hint("smtp-legacy.office365.com", "", _LOGIN, _MICROSOFT),
    # Microsoft's announcement to users of Outlook.com, June 2024
    Hint(
        "smtp-mail.outlook.com",
        "",
        _LOGIN,
        "Outlook.com has accepted only OAuth2 since September 2024, no password (docs/oauth2.md)",
    ),
    # https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html
    Hint("email-smtp.", ".amazonaws.com", _LOGIN, _SES),
    # https://docs.aws.amazon.com/ses/latest/dg/send-email-set-up-vpc-endpoints.html
    Hint("email-smtp-fips.", ".amazonaws.com", _LOGIN, _SES),
    Hint("vpce-", ".vpce.amazonaws.com", _LOGIN, _SES),
    # https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api
    Hint("smtp.sendgrid.net", "", _LOGIN, "SendGrid's user name is the word apikey, and the password is an API key"),
    # https://postmarkapp.com/support/article/811-what-are-the-smtp-details-api-tokens-i-should-be-using
    Hint(
        "smtp",
        ".postmarkapp.com",
        _LOGIN,
        "Postmark accepts the Server API Token as both user name and password, or an SMTP token: access key, secret key",
    ),
    # https://developers.brevo.com/docs/smtp-integration
    Hint("smtp-relay.brevo.com", "", _LOGIN, "Brevo needs an SMTP key; an API key does not work"),
    # https://documentation.mailjet.com/hc/en-us/articles/360043225693-What-is-an-API-key
    Hint("in-v3.mailjet.com", "", _LOGIN, "Mailjet's user name is the API key, and the password is its secret key"),
    # https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/credentials
    Hint("smtp.", "mailgun.org", _LOGIN, "Mailgun has SMTP credentials for each domain; an API key does not work"),
    # https://www.fastmail.com/help/clients/apppassword.html
    Hint(
        "smtp.fastmail.com", "", _LOGIN, "Fastmail accepts only an app password; it refuses the account's own password"
    ),
)


def hints(host: str, kind: Failure) -> Iterator[str]:
    """Yield the facts about the service at ``host`` that may explain a failure of this class."""
    name = host.casefold()
    for hint in HINTS:
        is_meant = name.startswith(hint.begin) and name.endswith(hint.end) if hint.end else name == hint.begin
        if is_meant and kind in hint.kinds:
            yield hint.text
