"""AUTH: which mechanism, what each refusal means, and that no password is shown or tried twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed import Auth, Login, Mode, Tls
from testbed.listener import Listener
from tests.relay_test.scene import PASSWORD, advice, told

if TYPE_CHECKING:
    from testbed import Relay
    from testbed.listener import Client
    from tests.relay_test.scene import Scene

LOGINS = {"r-user": PASSWORD}
CLEAR: dict[str, Any] = {"level": "none", "allow_cleartext_login": True}
NOT_OURS = (
    "the server offers none of the mechanisms that this command tests for passwords: PLAIN, LOGIN, CRAM-MD5. XOAUTH2 and"
    " OAUTHBEARER need an access token (login: oauth2); SCRAM and DIGEST-MD5 may work in Postfix"
)
ASK = (
    "ask the service how to use SMTP with a password: another port, or a setting of the account;"
    " or whether it accepts OAuth2 (docs/oauth2.md)"
)
WRONG = (
    "the user name or the password is wrong, or is not the one for SMTP: many services have separate ones",
    "correct the login at relay.yaml:5:7; use the service's SMTP credentials, if it has separate ones",
)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_mechanisms(scene: Scene, mechanism: str) -> None:
    """A server that has one of the mechanisms alone gets the login by it, where relay.yaml permits it."""
    relay = scene.relay("r", Mode(mechanisms=(mechanism,), logins=LOGINS))
    scene.relays["r"]["login"]["mechanisms"] = ["plain", "login", "cram-md5"]
    result = scene.result()
    assert (result["result"], result["mechanism"]) == ("ok", mechanism)
    assert [(a.login, a.accepted, a.tls) for a in relay.attempts] == [(Login("r-user", PASSWORD), True, "TLSv1.3")]


def test_plain_comes_first_inside_tls(scene: Scene) -> None:
    """Inside TLS PLAIN comes before the others, in whatever order the server has them."""
    scene.relay("r", Mode(mechanisms=("CRAM-MD5", "LOGIN", "PLAIN"), logins=LOGINS))
    assert scene.result()["mechanism"] == "PLAIN"


def test_cram_md5_comes_first_in_the_clear(scene: Scene) -> None:
    """In the clear, where that is meant, the password does not travel if it need not."""
    mode = Mode(Tls.NONE, Auth.DEMANDED, mechanisms=("PLAIN", "LOGIN", "CRAM-MD5"), logins=LOGINS)
    relay = scene.relay("r", mode, **CLEAR)
    assert (scene.result()["mechanism"], len(relay.attempts)) == ("CRAM-MD5", 1)


@pytest.mark.parametrize("offered", [("CRAM-MD5",), ("SCRAM-SHA-256", "XOAUTH2")])
def test_no_mechanism_that_the_relay_permits(scene: Scene, offered: tuple[str, ...]) -> None:
    """A relay permits PLAIN and LOGIN; the remedy names what the server has, and is followed."""
    relay = scene.relay("r", Mode(mechanisms=offered, logins=LOGINS))
    result = scene.result()
    assert told(result) == ("mechanism", f"the server offers only these AUTH mechanisms: {' '.join(offered)}", None)
    name = offered[0].lower()
    assert advice(result) == (
        "Postfix would not log in either: the mechanisms of this relay are plain, login",
        f"if the service has no other, write login: {{mechanisms: [{name}]}} at this relay in relay.yaml",
    )
    assert relay.attempts == ()
    scene.relays["r"]["login"]["mechanisms"] = [name]
    assert scene.result()["result"] == ("ok" if name == "cram-md5" else "not checked")


def test_a_mechanism_that_is_not_here(scene: Scene) -> None:
    """Where Postfix would use a mechanism that the command has not, it says so; the remedy is followed."""
    relay = scene.relay("r", Mode(mechanisms=("PLAIN", "SCRAM-SHA-256"), logins=LOGINS))
    scene.relays["r"]["login"]["mechanisms"] = ["scram-sha-256", "plain"]
    result = scene.result()
    assert told(result) == (
        "not checked",
        (
            "of the mechanisms offered Postfix would choose SCRAM-SHA-256, which this command does not support,"
            " so no login was sent; offered: PLAIN SCRAM-SHA-256"
        ),
        None,
    )
    assert advice(result) == (
        (
            "Cyrus SASL, with which Postfix logs in, takes the strongest mechanism that is announced and installed, even"
            " if the server does not support it for this login: mail may wait although PLAIN or LOGIN would work"
        ),
        (
            "write login: {mechanisms: [plain, login]} at this relay in relay.yaml, if the server has one of the two;"
            " otherwise send a message through Postfix, and see its log"
        ),
    )
    assert relay.attempts == ()
    scene.relays["r"]["login"]["mechanisms"] = ["plain", "login"]
    assert scene.result()["result"] == "ok"


@pytest.mark.parametrize("offered", [("GSSAPI", "XOAUTH2"), ("GSSAPI",), ("ANONYMOUS", "EXTERNAL")])
def test_no_mechanism_that_is_here(scene: Scene, offered: tuple[str, ...]) -> None:
    """A server without a mechanism of ours gets nothing."""
    relay = scene.relay("r", Mode(mechanisms=offered))
    result = scene.result()
    assert told(result) == ("mechanism", f"the server offers only these AUTH mechanisms: {' '.join(offered)}", None)
    assert advice(result) == (NOT_OURS, ASK)
    assert relay.attempts == ()


@pytest.mark.parametrize("offered", [("XOAUTH2", "OAUTHBEARER"), ("XOAUTH2",)])
def test_a_server_that_takes_tokens_only(scene: Scene, offered: tuple[str, ...]) -> None:
    """A password is not sent to a server that takes access tokens alone; the remedy says how to have one."""
    relay = scene.relay("r", Mode(mechanisms=offered))
    result = scene.result()
    assert told(result) == ("mechanism", f"the server offers only these AUTH mechanisms: {' '.join(offered)}", None)
    assert advice(result) == (
        "the server accepts only access tokens, no password",
        "give the login oauth2 instead of the password, in relay.yaml (docs/oauth2.md)",
    )
    assert relay.attempts == ()


REPLIES = {
    "535 5.7.8 Authentication credentials invalid": "wrong login",
    "535 authentication failed": "wrong login",
    "535-5.7.8 Username and Password not accepted": "wrong login",
    "534 5.7.9 Application-specific password required": "wrong login",
    "534 5.7.14 Please log in via your web browser and then try again": "wrong login",
    "550 5.7.8 no": "wrong login",
    "534 5.7.9 Authentication mechanism is too weak": "mechanism",
    "538 5.7.11 Encryption required for requested authentication mechanism": "mechanism",
    "504 5.5.4 Unrecognized authentication type": "mechanism",
    "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.": "mechanism",
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant": "mechanism",
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.": "mechanism",
    "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. [DB9PR08CA0010]": "wrong login",
    "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.": "mechanism",
    "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated.": "mechanism",
    "535 5.7.139 Authentication unsuccessful": "wrong login",
    "535 5.7.3 Authentication unsuccessful": "wrong login",
    "451 4.7.30 Basic authentication is not supported for Client Submission, for now": "mechanism",
    "535 5.7.0 Basic authentication has been disabled for this account": "mechanism",
    "534 5.7.9 Please log in with your web browser": "wrong login",
    "535 5.7.8 Please use an app password": "wrong login",
    "535 5.7.8 Error: SMTP AUTH is disabled for this mailbox": "mechanism",
    "550 5.7.1 Invalid username or password": "wrong login",
    "554 5.7.0 user name or password not valid": "wrong login",
    "550 5.7.30 Basic authentication is not supported for Client Submission.": "mechanism",
    "454 4.7.0 Temporary authentication failure": "rejected",
    "421 4.7.0 Too many login attempts": "rejected",
    "432 4.7.12 A password transition is needed": "rejected",
    "530 5.7.0 Must issue a STARTTLS command first": "rejected",
    "554 5.7.1 not from this address": "rejected",
}


@pytest.mark.parametrize("reply", REPLIES)
def test_replies(scene: Scene, reply: str) -> None:
    """Each way in which servers refuse a login has its class; the login was offered once, the reply is shown."""
    said = f"{reply}\r\n535 5.7.8 more" if reply[3] == "-" else reply
    relay = scene.relay("r", Mode(logins={}, auth_reply=said))
    result = scene.result()
    shown = f"{reply.replace('-', ' ', 1)} 5.7.8 more" if reply[3] == "-" else reply
    assert told(result) == (REPLIES[reply], "the server refused AUTH PLAIN", shown)
    assert len(relay.attempts) == 1


def test_wrong_login(scene: Scene) -> None:
    """The remedy names the place of the login."""
    scene.relay("r", Mode(logins={"r-user": "another"}))
    assert advice(scene.result()) == WRONG


def test_temporary(scene: Scene) -> None:
    """A reply of 4xx says nothing of the login."""
    scene.relay("r", Mode(logins={}, auth_reply="454 4.7.0 Temporary authentication failure"))
    assert advice(scene.result()) == (
        "the server temporarily refuses: overload, a limit, or too many attempts from here",
        "wait, then try again; if the reply stays the same, ask the service about it",
    )


def test_password_not_taken(scene: Scene) -> None:
    """A service that takes no password has another remedy than a wrong one."""
    scene.relay("r", Mode(logins={}, auth_reply="538 5.7.11 Encryption required"))
    assert advice(scene.result()) == (
        "the server does not accept passwords for this account, right or wrong: see its reply",
        ASK,
    )


@pytest.mark.parametrize(
    ("reply", "cause", "remedy"),
    [
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
            "SMTP AUTH is turned off for this mailbox of Microsoft 365",
            "Set-CASMailbox -Identity r-user -SmtpClientAuthenticationDisabled $false",
        ),
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            "SMTP AUTH is turned off for this whole organization of Microsoft 365",
            "Set-CASMailbox -Identity r-user -SmtpClientAuthenticationDisabled $false",
        ),
        (
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            "Microsoft 365 accepts no passwords for SMTP here",
            "give the login oauth2 instead of the password",
        ),
    ],
)
@pytest.mark.parametrize("where", ["AUTH", "MAIL"])
def test_what_microsoft_says_of_passwords(scene: Scene, reply: str, cause: str, remedy: str, where: str) -> None:
    """Each of its refusals has a remedy of its own, at AUTH as at MAIL FROM."""
    scene.relay("r", Mode(logins={}, auth_reply=reply) if where == "AUTH" else Mode(refusals={"MAIL": reply}))
    result = scene.result()
    assert (result["result"], cause in advice(result)[0], remedy in advice(result)[1]) == ("mechanism", True, True)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("echo", ["{password}", "{encoded}", "x{password}x{encoded}x"])
def test_an_echo_is_masked(scene: Scene, echo: str, mechanism: str) -> None:
    """A server that says the password back, plain or encoded, finds it masked: in the table, in JSON, in the log."""
    scene.relay("r", Mode(logins={}, mechanisms=(mechanism,), auth_reply=f"535 5.7.8 {echo} is wrong"))
    shown = echo.replace("{password}", "********").replace("{encoded}", "********")
    assert scene.result()["failure"]["reply"] == f"535 5.7.8 {shown} is wrong"
    assert f"  reply:   535 5.7.8 {shown} is wrong" in scene.run("--timeout", "5").out.splitlines()


def test_a_user_name_that_is_the_password(scene: Scene) -> None:
    """A token that is user name and password at once is shown nowhere."""
    scene.relay("r", Mode(logins={}, auth_reply="535 5.7.8 {password} is unknown"))
    scene.relays["r"]["login"]["username"] = PASSWORD
    scene.write()
    result = scene.run()
    assert result.code == 1
    assert "r, [r.test]:" in result.out
    assert ", login ********: wrong login" in result.out


def test_the_reply_cannot_steer_the_terminal(scene: Scene) -> None:
    """Control characters in a reply become blanks, and a long reply is cut."""
    scene.relay("r", Mode(logins={}, auth_reply=f"535 5.7.8 \x1b[2Jno\a {'x' * 600}"))
    reply = scene.result()["failure"]["reply"]
    assert reply.startswith("535 5.7.8 [2Jno xxx")
    assert len(reply) == 401


@pytest.mark.parametrize("password", ["pass word", "päss:wörd", "x" * 300, "\\$'\""])
def test_any_password(scene: Scene, password: str) -> None:
    """A password arrives as it is, whatever it is made of."""
    relay = scene.relay("r", Mode(logins={"r-user": password}))
    scene.relays["r"]["login"]["password"] = password
    assert scene.result()["result"] == "ok"
    assert [attempt.login for attempt in relay.attempts] == [Login("r-user", password)]


def serve_bad_challenge(client: Client) -> None:
    """Have a challenge that is no base64."""
    for text in ("220 r", "250-r\r\n250 AUTH CRAM-MD5", "334 ???"):
        client.say(f"{text}\r\n")
        client.hear()


def test_a_challenge_that_is_none(scene: Scene) -> None:
    """A challenge that cannot be read is no SMTP; nothing is made of the password."""
    with Listener(serve_bad_challenge) as server:
        scene.name("r", server.host, server.port, **CLEAR)
        result = scene.result()
    assert told(result) == ("not SMTP", "the challenge of AUTH CRAM-MD5 is not base64", None)


def at_service(scene: Scene, host: str, reply: str) -> Relay:
    """Have a relay that has the name of a well-known service and refuses every login."""
    relay = scene.testbed.relay(host, Mode(logins={}, auth_reply=reply))
    scene.names.records[host, "A"] = [relay.host]
    scene.name("r", host, relay.port)
    return relay


HINTS = {
    "smtp.gmail.com": (
        "Gmail accepts an access token (docs/gmail.md), or an app password, which needs 2-Step Verification; it refuses the"
        " account's own password"
    ),
    "email-smtp.eu-west-1.amazonaws.com": (
        "Amazon SES needs SMTP credentials, created in its console for one region; AWS access keys do not work"
    ),
    "smtp.sendgrid.net": "SendGrid's user name is the word apikey, and the password is an API key",
    "smtp-broadcasts.postmarkapp.com": (
        "Postmark accepts the Server API Token as both user name and password, or an SMTP token: access key, secret key"
    ),
    "smtp-relay.brevo.com": "Brevo needs an SMTP key; an API key does not work",
    "in-v3.mailjet.com": "Mailjet's user name is the API key, and the password is its secret key",
    "smtp.eu.mailgun.org": "Mailgun has SMTP credentials for each domain; an API key does not work",
    "smtp.fastmail.com": "Fastmail accepts only an app password; it refuses the account's own password",
}


@pytest.mark.parametrize("host", HINTS)
def test_hints(scene: Scene, host: str) -> None:
    """A wrong login at a well-known service is shown with what is known of it."""
    at_service(scene, host, "535 5.7.8 no")
    scene.write()
    assert f"  hint:    {HINTS[host]}" in scene.run().out.splitlines()


@pytest.mark.parametrize("host", ["smtp.office365.com", "smtp-mail.outlook.com"])
def test_hint_of_microsoft(scene: Scene, host: str) -> None:
    """Microsoft's refusal of passwords is told from a wrong password, and shown with what is known of it."""
    at_service(scene, host, "550 5.7.30 Basic authentication is not supported for Client Submission.")
    result = scene.result()
    assert result["result"] == "mechanism"
    (hint,) = result["failure"]["hints"]
    assert hint.startswith(("Microsoft 365 is phasing out passwords", "Outlook.com has accepted only OAuth2"))


def test_a_login_that_carries_its_packing(scene: Scene) -> None:
    """Where a login is refused that has quotes around it, a hint says so; where it is not refused, nothing is said."""
    hint = (
        "the password has quotes around it, which are taken as part of it: remove the quotes, unless they belong to it"
    )
    quoted = f'"{PASSWORD}"'
    for login, hints in ((("r-user", PASSWORD), [hint]), (("r-user", quoted), None)):
        scene.relay("r", Mode(logins={login[0]: login[1]}))
        scene.relays["r"]["login"]["password"] = quoted
        failure = scene.result()["failure"]
        assert (failure and failure["hints"]) == hints
