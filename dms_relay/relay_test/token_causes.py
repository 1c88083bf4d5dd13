"""The likely cause and the remedy of failures with access tokens, and with services that want them. Pure.

As ``causes``. The facts about Microsoft 365 are from "Authenticate an IMAP, POP or SMTP connection using OAuth"
(https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth),
those about Gmail from https://developers.google.com/workspace/gmail/imap/xoauth2-protocol. The pages with each step are
``docs/microsoft-365.md`` and ``docs/gmail.md``.
"""

from __future__ import annotations

from typing import NamedTuple

from dms_relay.relay_test.outcome import Detail, Failure


class Diagnosis(NamedTuple):
    """The likely cause, and what to do."""

    cause: str
    remedy: str


#: The circumstance of general cases.
ANY = ""
_MICROSOFT, _GMAIL = "docs/microsoft-365.md", "docs/gmail.md"
TOKEN_TEXTS = {
    (Failure.TOKEN, ANY): Diagnosis(
        "without an access token Postfix keeps the mail of this login in the queue; it is sent once there is one",
        "{subject}",
    ),
    (Failure.LOGIN, Detail.TOKEN_REFUSED): Diagnosis(
        "the access token is for another user or another service, lacks a scope, or was revoked",
        "compare user name, scope and audience with what the service documents; dms-relay renew {relay} gets a new token",
    ),
    (Failure.LOGIN, Detail.NO_PERMISSION): Diagnosis(
        "the application has no permission for SMTP: the token names neither SMTP.SendAsApp nor SMTP.Send",
        "in the Microsoft Entra admin center, under API permissions, add the application permission SMTP.SendAsApp of"
        " Office 365 Exchange Online, and grant admin consent; then run dms-relay renew {relay} (" + _MICROSOFT + ")",
    ),
    (Failure.LOGIN, Detail.NOT_REGISTERED): Diagnosis(
        "Exchange Online does not know the application, or it has no rights on the mailbox {user}",
        "run in Exchange Online PowerShell: New-ServicePrincipal -AppId CLIENT-ID -ObjectId OBJECT-ID, with the object ID of"
        " the enterprise application, not of the app registration; then Add-MailboxPermission -Identity {user} -User"
        " OBJECT-ID -AccessRights FullAccess; it can take an hour (" + _MICROSOFT + ")",
    ),
    (Failure.LOGIN, Detail.OTHER_USER): Diagnosis(
        "the access token is not for the mailbox {user}, was revoked, or has another scope",
        "as user name, write the mailbox that signed in; otherwise run dms-relay renew {relay}, or have that person"
        " sign in again with dms-relay login {relay} (" + _MICROSOFT + ")",
    ),
    (Failure.LOGIN, Detail.GOOGLE): Diagnosis(
        "the access token is not for the account {user}, lacks the scope https://mail.google.com/, or was revoked",
        "write the address of the account that consented as the user name (with a service account, that of a person of your"
        " Workspace, not the service account's own); check the scope; then run dms-relay renew {relay} ("
        + _GMAIL
        + ")",
    ),
    (Failure.MECHANISM, Detail.SMTP_AUTH_OFF): Diagnosis(
        "SMTP AUTH is turned off for this mailbox of Microsoft 365, for passwords and access tokens alike",
        "run in Exchange Online PowerShell: Set-CASMailbox -Identity {user} -SmtpClientAuthenticationDisabled $false ("
        + _MICROSOFT
        + ")",
    ),
    (Failure.MECHANISM, Detail.TENANT_SMTP_AUTH_OFF): Diagnosis(
        "SMTP AUTH is turned off for this whole organization of Microsoft 365, for passwords and access tokens alike",
        "turn it on for this mailbox only, in Exchange Online PowerShell: Set-CASMailbox -Identity {user}"
        " -SmtpClientAuthenticationDisabled $false (" + _MICROSOFT + ")",
    ),
    (Failure.MECHANISM, Detail.PASSWORDS_ENDED): Diagnosis(
        "Microsoft 365 accepts no passwords for SMTP here, right or wrong: basic authentication is off by default from the"
        " end of December 2026",
        "give the login oauth2 instead of the password, in relay.yaml (" + _MICROSOFT + ")",
    ),
    (Failure.MECHANISM, Detail.TOKENS_WANTED): Diagnosis(
        "the server accepts only access tokens, no password",
        "give the login oauth2 instead of the password, in relay.yaml (docs/oauth2.md)",
    ),
    (Failure.MECHANISM, Detail.NO_TOKEN_MECHANISM): Diagnosis(
        "the server accepts no access tokens: it has neither XOAUTH2 nor OAUTHBEARER, or this is not the service's own host",
        "check host and port: smtp.office365.com and smtp.gmail.com have them at port 587; otherwise use a password",
    ),
    (Failure.MECHANISM, Detail.NO_TOKEN_PLUGIN): Diagnosis(
        "Postfix cannot log in: the plugin with which Cyrus SASL sends access tokens is not installed",
        "run make plugin, and make plugin-install as root, in dms_relay's source; then postfix reload (sasl/README.md)",
    ),
    (Failure.MECHANISM, Detail.AS_TOKEN): Diagnosis(
        "a plugin for access tokens is installed, and Cyrus SASL prefers it; the server would refuse a password sent"
        " that way",
        "write {mechanisms}",
    ),
    (Failure.REJECTED, Detail.SEND_AS): Diagnosis(
        "the account that logs in, {user}, may not send as this sender",
        "run in Exchange Online PowerShell: Add-RecipientPermission -Identity SENDER -Trustee {user} -AccessRights SendAs;"
        " or give the sender a login of its own (" + _MICROSOFT + ")",
    ),
}
