"""What Google's refusals mean: what is wrong, and where to fix it.

Sources: "OAuth 2.0 for server to server applications" (error codes of service accounts) and "for mobile and desktop apps"
(refresh token expiration), developers.google.com, identity/protocols/oauth2.
"""

from __future__ import annotations

_DELEGATION = "in the Google Admin console, Security, Access and data control, API controls, Domain-wide delegation"
_CLIENTS = "in the Google Cloud console, APIs & Services, Credentials"
_SCOPE = "https://mail.google.com/"

#: Error, a part of its description (in lower case; empty is any), what is wrong, what to do. The first match counts.
REFUSALS: tuple[tuple[str, str, str, str], ...] = (
    (
        "invalid_grant",
        "jwt signature",
        "the key of the service account is no longer valid",
        "create a new key (JSON) in the Google Cloud console, IAM & Admin, Service Accounts, Keys",
    ),
    ("invalid_grant", "short-lived", "this machine's clock is wrong", "set it (NTP)"),
    (
        "invalid_grant",
        "account not found",
        "the service account does not exist any more",
        "create one in the Google Cloud console, IAM & Admin",
    ),
    (
        "invalid_grant",
        "invalid email",
        "the username is not a mailbox of this Workspace",
        "write the address of the mailbox that sends as username",
    ),
    (
        "invalid_grant",
        "rapt",
        "the Workspace requires a new sign-in from time to time",
        "use a service account, or trust the app: Google Admin console, Security, Google Cloud session control",
    ),
    (
        "invalid_grant",
        "",
        "the refresh token was revoked or has expired (new password, 6 months unused, or 7 days of an app in testing)",
        "publish the app (Google Cloud console, Google Auth Platform, Audience), and run dms-relay login for this relay",
    ),
    (
        "unauthorized_client",
        "",
        "the service account may not act for this mailbox",
        f"add its Client ID {_DELEGATION}, with the scope {_SCOPE}; it can take a day",
    ),
    (
        "access_denied",
        "",
        "the service account does not have this scope, or the person did not agree",
        f"add its Client ID {_DELEGATION}, with the scope {_SCOPE}",
    ),
    (
        "admin_policy_enforced",
        "",
        "the Workspace does not trust the app",
        "trust it: Google Admin console, Security, API controls",
    ),
    ("invalid_client", "", "client_id or client_secret is wrong", f"write both as they are {_CLIENTS}"),
    ("deleted_client", "", "the client was deleted", f"create a new one {_CLIENTS}"),
    (
        "invalid_scope",
        "",
        "this grant does not allow this scope; a device code never allows the one for mail",
        f"leave scope out, or write {_SCOPE}",
    ),
)
