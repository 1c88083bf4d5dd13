"""Facts about two providers: where they issue tokens, and the scope that a mail client requests. Constants.

Sources. Microsoft: "Authenticate an IMAP, POP or SMTP connection using OAuth" (learn.microsoft.com, exchange), "OAuth 2.0
client credentials flow" and "device authorization grant flow" (the same, entra/identity-platform). Google: "Using OAuth 2.0
for server to server applications" and "for mobile and desktop apps" (developers.google.com, identity/protocols/oauth2), and
"OAuth 2.0 Mechanism" (the same, gmail/imap).

Known limits: the public clouds only. For a national one, the operator sets ``token_url`` and ``scope``.
"""

from __future__ import annotations

from dms_relay.model.oauth2 import CLIENT_CREDENTIALS
from dms_relay.model.values import frozen

PROVIDERS = MICROSOFT, GOOGLE = ("microsoft", "google")

_MICROSOFT = "https://login.microsoftonline.com"
#: Application permissions (SMTP.SendAsApp) apply to the audience as a whole.
_MICROSOFT_APP_SCOPE = "https://outlook.office365.com/.default"
#: Delegated: the person's own mailbox; without ``offline_access`` there is no refresh token.
_MICROSOFT_USER_SCOPE = "https://outlook.office.com/SMTP.Send offline_access"
#: The only scope that Google accepts for SMTP. Its device flow refuses it ("Invalid device flow scope"), so a person has to
#: agree in a browser (RFC 6749, section 4.1, with RFC 7636).
_GOOGLE_SCOPE = "https://mail.google.com/"
#: The characters of a tenant: a GUID, a domain name, or one of ``common``, ``organizations``, ``consumers``.
_IN_TENANT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


@frozen
class Endpoints:
    """Where to request tokens, and with which scope. A field is empty if the provider has no such thing.

    ``device_url`` is for the device code (RFC 8628), ``authorization_url`` for a browser (RFC 6749, section 3.1).
    """

    token_url: str = ""
    device_url: str = ""
    authorization_url: str = ""
    app_scope: str = ""
    user_scope: str = ""

    def scope(self, grant: str) -> str:
        """Return the scope that a grant requests: an application's own, or that of a person's mailbox."""
        return self.app_scope if grant == CLIENT_CREDENTIALS else self.user_scope


def endpoints(provider: str, tenant: str = "") -> Endpoints:
    """Return the endpoints of a provider; all fields are empty for an unknown one.

    Microsoft's tenant is part of the address: see ``is_tenant``.
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
    """Return True if a text can be a tenant of Microsoft's: nothing else may get into the address of its endpoints."""
    return bool(text) and text.strip(".-") != "" and _IN_TENANT.issuperset(text.lower())
