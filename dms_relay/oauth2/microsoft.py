"""What Microsoft's refusals mean: AADSTS codes, what is wrong, and where to fix it.

Source: "Microsoft Entra authentication and authorization error codes" (learn.microsoft.com, entra/identity-platform). Places
are those of the Microsoft Entra admin center.
"""

from __future__ import annotations

_SECRETS = "in the Entra admin center, App registrations, your app, Certificates & secrets"
_APP = "App registrations, your app"
_LOGIN = "run dms-relay login for this relay again"

#: From a code to what is wrong, and what to do. All of these last until a person acts.
REFUSALS: dict[str, tuple[str, str]] = {
    "AADSTS7000215": (
        "the client secret is wrong; often its Secret ID was copied instead of its Value",
        f"create a new one {_SECRETS}, and write its Value, which is shown once",
    ),
    "AADSTS7000222": ("the client secret has expired", f"create a new one {_SECRETS}, and replace the old one here"),
    "AADSTS7000218": (
        "the app must send a secret or a certificate",
        f"name client_secret_file; or for a login by device: {_APP}, Authentication, Allow public client flows: Yes",
    ),
    "AADSTS700025": ("the app is public and must not send a secret", "remove client_secret"),
    "AADSTS700027": (
        "the app does not have this certificate, or it does not belong to the key",
        f"upload the certificate of client_certificate_file {_SECRETS}, Certificates",
    ),
    "AADSTS700024": ("the signature is not valid at this time", "set this machine's clock (NTP)"),
    "AADSTS700016": (
        "the tenant has no app of this client_id",
        f"write the Application (client) ID and the Directory (tenant) ID of {_APP}, Overview",
    ),
    "AADSTS90002": ("there is no such tenant", f"write the Directory (tenant) ID of {_APP}, Overview"),
    "AADSTS900023": (
        "the tenant is neither a domain name nor an ID",
        f"write the Directory (tenant) ID of {_APP}, Overview",
    ),
    "AADSTS50194": ("the app is for one tenant only", "write the tenant's name or ID instead of common"),
    "AADSTS50059": ("the tenant is unknown", f"write the Directory (tenant) ID of {_APP}, Overview"),
    "AADSTS7000112": ("the app is disabled", "enable it: Enterprise applications, your app, Properties"),
    "AADSTS7000229": (
        "the app has no service principal in this tenant",
        f"grant admin consent: {_APP}, API permissions",
    ),
    "AADSTS65001": (
        "nobody has consented to the app's permissions",
        f"grant admin consent: {_APP}, API permissions, with SMTP.SendAsApp (application) or SMTP.Send (delegated)",
    ),
    "AADSTS50105": (
        "the user is not assigned to the app",
        "assign the user: Enterprise applications, your app, Users and groups",
    ),
    "AADSTS500011": (
        "the scope names a service that this tenant does not have",
        "leave scope out, or write https://outlook.office365.com/.default",
    ),
    "AADSTS70011": (
        "the scope is wrong",
        "leave scope out, or write https://outlook.office.com/SMTP.Send offline_access",
    ),
    "AADSTS1002012": (
        "with a client secret or a certificate the scope must be a whole service",
        "leave scope out, or write https://outlook.office365.com/.default",
    ),
    "AADSTS53003": (
        "a Conditional Access policy blocks it",
        "exclude the app or the account: Protection, Conditional Access; the sign-in log names the policy",
    ),
    "AADSTS53000": (
        "a Conditional Access policy requires a managed device",
        "exclude the app: Protection, Conditional Access",
    ),
    "AADSTS50076": ("a policy requires a second factor", _LOGIN),
    "AADSTS50079": (
        "the user must first set up a second factor",
        f"sign in as the user in a browser once, then {_LOGIN}",
    ),
    "AADSTS50074": ("a policy requires a second factor", _LOGIN),
    "AADSTS50158": ("a policy requires further proof of identity", _LOGIN),
    "AADSTS700082": ("the refresh token has expired: it was not used for too long", _LOGIN),
    "AADSTS70008": ("the refresh token has expired", _LOGIN),
    "AADSTS70043": ("the refresh token has expired because of a sign-in frequency policy", _LOGIN),
    "AADSTS50173": ("the refresh token was revoked: the password was changed, or an administrator revoked it", _LOGIN),
    "AADSTS50133": ("the refresh token was revoked: the password was changed", _LOGIN),
    "AADSTS70000": ("the refresh token is not valid", _LOGIN),
    "AADSTS9002313": ("the refresh token is damaged, or from elsewhere", _LOGIN),
    "AADSTS50034": ("the tenant has no such user", "write the user's own tenant, or another username"),
    "AADSTS50020": ("the user belongs to another tenant", "write the user's own tenant, or another username"),
    "AADSTS50055": ("the user's password has expired", f"set a new one, then {_LOGIN}"),
    "AADSTS50057": ("the user's account is disabled", "enable it: Users, the user, Properties"),
}
