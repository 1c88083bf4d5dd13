"""What is known of two providers: where they hand out tokens, and the scope that a mail client asks for. Constants.

Sources. Microsoft: "Authenticate an IMAP, POP or SMTP connection using OAuth" (learn.microsoft.com, exchange), "OAuth 2.0
client credentials flow" and "device authorization grant flow" (the same, entra/identity-platform). Google: "Using OAuth 2.0
for server to server applications" and "for mobile and desktop apps" (developers.google.com, identity/protocols/oauth2), and
"OAuth 2.0 Mechanism" (the same, gmail/imap).

Known limits: the public clouds only. Who uses a national one names ``token_url`` and ``scope``.
"""

from __future__ import annotations

from dms_relay.model.oauth2 import CLIENT_CREDENTIALS
from dms_relay.model.values import frozen

PROVIDERS = MICROSOFT, GOOGLE = ("microsoft", "google")

_MICROSOFT = "https://login.microsoftonline.com"
#: Application permissions (SMTP.SendAsApp) go by the audience as a whole.
_MICROSOFT_APP_SCOPE = "https://outlook.office365.com/.default"
#: Delegated: the person's own mailbox; without ``offline_access`` there is no refresh token.
_MICROSOFT_USER_SCOPE = "https://outlook.office.com/SMTP.Send offline_access"
#: The one scope that Google takes for SMTP. Its device flow refuses it ("Invalid device flow scope"), so that a person
#: agrees in a browser (RFC 6749, section 4.1, with RFC 7636).
_GOOGLE_SCOPE = "https://mail.google.com/"
#: What may stand in a tenant: a GUID, a domain name, or one of ``common``, ``organizations``, ``consumers``.
_IN_TENANT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


@frozen
class Endpoints:
    """Where tokens are asked for, and for what. Empty is what a provider does not have.

    ``device_url`` is for the device code (RFC 8628), ``authorization_url`` for a browser (RFC 6749, section 3.1).
    """

    token_url: str = ""
    device_url: str = ""
    authorization_url: str = ""
    app_scope: str = ""
    user_scope: str = ""

    def scope(self, grant: str) -> str:
        """Return the scope that a grant asks for: an application's own, or that of a person's mailbox."""
        return self.app_scope if grant == CLIENT_CREDENTIALS else self.user_scope


def endpoints(provider: str, tenant: str = "") -> Endpoints:
    """Return what is known of a provider; all of it is empty for one that is not known.

    Microsoft's tenant is a part of the address: see ``is_tenant``.
    """
    if provider == MICROSOFT:
        base = f"{_MICROSOFT}/{tenant}/oauth2/v2.0"
        return Endpoints(
            f"{base}/token", f"{base}/devicecode", f"{base}/authorize", _MICROSOFT_APP_SCOPE, _MICROSOFT_USER_SCOPE
        )
    if provider == GOOGLE:
        return Endpoints(
            token_url="https://oauth2.googleapis.com/token",  # noqa: S106 -- an address
            authorization_url="https://accounts.google.com/o/oauth2/v2/auth",
            app_scope=_GOOGLE_SCOPE,
            user_scope=_GOOGLE_SCOPE,
        )
    return Endpoints()


def is_tenant(text: str) -> bool:
    """Return True if a text can be a tenant of Microsoft's: nothing else may come into the address of its endpoints."""
    return bool(text) and text.strip(".-") != "" and _IN_TENANT.issuperset(text.lower())
