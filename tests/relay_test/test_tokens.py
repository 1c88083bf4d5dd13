"""AUTH with an access token: what travels, what each refusal means, and that the token is shown nowhere."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dms_relay.model import Login, LoginEntry, Origin
from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, NO_TOKEN, OAuth2
from dms_relay.relay_test import session
from dms_relay.relay_test.access import Access
from dms_relay.relay_test.attempt import attempt
from dms_relay.relay_test.demand import Demand
from dms_relay.relay_test.diagnosis import diagnose
from dms_relay.relay_test.report import document, table
from dms_relay.relay_test.secrets import Secrets
from dms_relay.relay_test.settings import TestSettings
from dms_relay.relay_test.targets import Target
from dms_relay.relay_test.token_facts import TokenFacts, facts_of
from dms_relay.relay_test.token_login import COMMAND_MAX
from testbed.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from dms_relay.relay_test.outcome import Result
    from testbed.listener import Client

USER = "anna=x,y@a.test"
OAUTH2 = OAuth2(CLIENT_CREDENTIALS, "https://id.test/token", "client")
MICROSOFT = "https://outlook.office365.com"
GOOGLE_JSON = '{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'


def jwt(**payload: object) -> str:
    """Return a token that says this of itself, with a signature of no meaning."""
    parts = [b'{"alg":"RS256"}', json.dumps(payload).encode(), secrets.token_bytes(256)]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


class Heard(NamedTuple):
    """What came of a login: the result, what the server heard from AUTH on, and all that is shown."""

    result: Result
    lines: list[str]
    shown: str

    @property
    def failure(self) -> tuple[str, str, str]:
        """The class of the failure, its cause and its remedy."""
        found = diagnose(self.result)
        return self.result.shown, found.cause if found else "", found.remedy if found else ""


def server(mechanisms: str, *, says: str = "", refusal: str = "") -> Callable[[Client], None]:
    """Return a server that takes a token, or refuses it, with JSON before that where it ``says`` something."""

    def serve(client: Client) -> None:
        client.say("220 r.test\r\n")
        client.hear()
        client.say(f"250-r.test\r\n250 AUTH {mechanisms}\r\n")
        if client.hear().count(" ") == 1:
            client.say("334 \r\n")
            client.hear()
        if says:
            client.say(f"334 {b64encode(says.encode()).decode()}\r\n")
            client.hear()
        client.say(f"{refusal or '235 2.7.0 ok'}\r\n")
        while client.hear():
            client.say("250 2.0.0 ok\r\n")

    return serve


def log_in(serve: Callable[[Client], None], token: str, known: TokenFacts | None = None) -> Heard:
    """Log in at a server with a token, as Postfix's filter for tokens has it."""
    entry = LoginEntry("r", Login(USER, token, OAUTH2), Origin("relay.yaml", 5))
    demand = Demand("none", cleartext_login=True, mechanism_filter=("xoauth2", "oauthbearer"), is_of_relay=True)
    with Listener(serve) as listener:
        target = Target("r", listener.nexthop, demand, entry)
        access = Access(entry.login, known or TokenFacts())
        result = attempt(target, TestSettings(10.0, "here.test", access=lambda _: access))
    return Heard(result, listener.lines[1:], "\n".join(table([result])) + json.dumps(document([result])))


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Cyrus SASL's plugin there, whatever this machine has: what follows is the same."""
    monkeypatch.setattr(session, "has_plugin", lambda *_: True)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("length", [100, 6_006, 8_192])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_what_is_sent(mechanism: str, length: int) -> None:
    """The message is that of the mechanism; a token that makes the command too long follows an empty challenge."""
    token = secrets.token_urlsafe(length)[:length]
    heard = log_in(server(mechanism), token)
    assert (heard.result.shown, heard.result.seen.mechanism) == ("ok", mechanism)
    line = heard.lines[0] if length < COMMAND_MAX // 2 else " ".join(heard.lines[:2])
    assert line.startswith(f"AUTH {mechanism} ")
    assert max(map(len, heard.lines[:1])) + 2 <= COMMAND_MAX
    said = b64decode(line.split()[2]).decode()
    port = heard.result.target.port
    assert (
        said
        == {
            "XOAUTH2": f"user={USER}\1auth=Bearer {token}\1\1",
            "OAUTHBEARER": f"n,a=anna=3Dx=2Cy@a.test,\1host=127.0.0.1\1port={port}\1auth=Bearer {token}\1\1",
        }[mechanism]
    )
    assert token not in heard.shown


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("mechanism", "answer"), [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")])
def test_refused_with_json(mechanism: str, answer: str) -> None:
    """What the server says in JSON is shown beside its refusal, which comes after the answer that the mechanism has."""
    serve = server(mechanism, says=GOOGLE_JSON, refusal="535 5.7.8 Username and Password not accepted")
    heard = log_in(serve, "ya29.token")
    # An empty line is not written down; without one, the server would still wait.
    assert [line for line in heard.lines if not line.startswith("AUTH")] == ([answer] if answer else [])
    assert heard.result.error
    assert (
        heard.result.error.reply == f"535 5.7.8 Username and Password not accepted; before that it said {GOOGLE_JSON}"
    )
    kind, cause, remedy = heard.failure
    assert kind == "wrong login"
    assert "lacks the scope https://mail.google.com/" in cause
    assert "dms-relay renew r " in remedy


APP = {"aud": MICROSOFT, "roles": ["SMTP.SendAsApp"]}
PERSON = {"aud": MICROSOFT, "scp": "SMTP.Send"}
UNSUCCESSFUL = "535 5.7.3 Authentication unsuccessful [AM0PR04CA0012.eurprd04.prod.outlook.com]"
REFUSALS = [
    (APP, UNSUCCESSFUL, "wrong login", "Exchange Online does not know the application", "New-ServicePrincipal -AppId"),
    (
        APP | {"roles": ["IMAP.AccessAsApp"]},
        UNSUCCESSFUL,
        "wrong login",
        "has no permission for SMTP",
        "SMTP.SendAsApp",
    ),
    (APP | {"roles": None}, UNSUCCESSFUL, "wrong login", "has no permission for SMTP", "grant admin consent"),
    (PERSON, UNSUCCESSFUL, "wrong login", f"is not for the mailbox {USER}", "dms-relay login r"),
    ({"aud": "https://other.test"}, "535 5.7.8 no", "wrong login", "another service", "dms-relay renew r"),
    (
        APP,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
        "mechanism",
        "for this mailbox of Microsoft 365",
        f"Set-CASMailbox -Identity {USER} ",
    ),
    (
        APP,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
        "mechanism",
        "whole organization",
        f"Set-CASMailbox -Identity {USER} ",
    ),
    (APP, "454 4.7.0 Temporary authentication failure", "rejected", "temporarily", "wait"),
]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("payload", "refusal", "kind", "cause", "remedy"), REFUSALS)
def test_refusals(payload: dict[str, object], refusal: str, kind: str, cause: str, remedy: str) -> None:
    """Microsoft says the same for many reasons: what the token says of itself tells them apart. It is sent once."""
    token = jwt(**payload)
    heard = log_in(server("XOAUTH2", refusal=refusal), token)
    found = heard.failure
    assert (found[0], cause in found[1], remedy in found[2]) == (kind, True, True), found
    assert token not in heard.shown
    assert sum(line.startswith("AUTH") for line in heard.lines) == 1


@pytest.mark.usefixtures("plugin")
def test_an_opaque_token_of_microsoft() -> None:
    """A token that cannot be read: what it was asked for tells whose it is, and nothing is said of permissions."""
    heard = log_in(server("XOAUTH2", refusal=UNSUCCESSFUL), "EwBgA8l6", TokenFacts(scope=f"{MICROSOFT}/.default"))
    assert "is not for the mailbox" in heard.failure[1]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("form", ["{token}", "x{token}x", "{middle}", "{encoded}", "{small}"])
def test_an_echo_is_masked(form: str) -> None:
    """A server that says the token back, or a part of it, in its reply or in its JSON, finds it masked."""
    token = jwt(**APP)
    parts = {
        "token": token,
        "middle": token[40:70],
        "encoded": b64encode(token.encode()).decode()[20:60],
        "small": token.lower(),
    }
    echo = form.format(**parts)
    serve = server("XOAUTH2", says=f'{{"token":"{echo}"}}', refusal=f"535 5.7.8 {echo} is wrong")
    heard = log_in(serve, token)
    assert heard.result.error
    assert "********" in heard.result.error.reply
    assert "is wrong" in heard.result.error.reply
    assert '{"token":"' in heard.result.error.reply
    for piece in (echo[at : at + 12] for at in range(0, len(echo) - 12, 6)):
        assert piece not in heard.shown


def test_texts_are_not_masked_by_chance() -> None:
    """A token of 8 KiB has so many pieces that short ones would be found in any text; those that are masked are longer."""
    hide = Secrets(Login(USER, secrets.token_urlsafe(8_192), OAUTH2)).hide
    text = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/"
    assert all(hide(f"{text}{number}") == f"{text}{number}" for number in range(20))


@pytest.mark.parametrize(("offered", "kind"), [("PLAIN LOGIN", "mechanism"), ("SCRAM-SHA-256", "mechanism")])
def test_a_server_without_tokens(offered: str, kind: str) -> None:
    """A server that has no mechanism for tokens gets none."""
    heard = log_in(server(offered), "token")
    assert heard.failure[0] == kind
    assert "neither XOAUTH2 nor OAUTHBEARER" in heard.failure[1]
    assert not any(line.startswith("AUTH") for line in heard.lines)


@pytest.mark.usefixtures("plugin")
def test_no_token() -> None:
    """What stands in place of a token is sent to nobody."""
    heard = log_in(server("XOAUTH2"), NO_TOKEN)
    assert heard.failure[0] == "no token"
    assert heard.failure[2] == "run dms-relay renew r"
    assert not any(line.startswith("AUTH") for line in heard.lines)


def test_the_plugin_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is tried all the same, since that answers another question; the verdict is what Postfix would do."""
    monkeypatch.setattr(session, "has_plugin", lambda *_: False)
    heard = log_in(server("XOAUTH2"), "token")
    assert heard.failure[0] == "mechanism"
    assert "make plugin" in heard.failure[2]
    assert heard.lines[0].startswith("AUTH XOAUTH2 ")
    refused = log_in(server("XOAUTH2", refusal="535 5.7.8 no"), "token")
    assert refused.failure[0] == "wrong login"
    assert "the plugin for access tokens is not installed" in refused.shown


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    "reply", ["554 5.2.252 SendAsDenied; a@a.test not allowed to send as b@a.test", "550 5.7.60 SMTP; no"]
)
def test_send_as(reply: str) -> None:
    """A sender that the mailbox may not use: the remedy names the command."""

    def serve(client: Client) -> None:
        client.say("220 r.test\r\n")
        client.hear()
        client.say("250-r.test\r\n250 AUTH XOAUTH2\r\n")
        client.hear()
        client.say("235 2.7.0 ok\r\n")
        while line := client.hear():
            client.say(f"{reply if line.startswith('MAIL') else '250 2.0.0 ok'}\r\n")

    heard = log_in(serve, "token")
    assert heard.failure[0] == "rejected"
    assert f"Add-RecipientPermission -Identity SENDER -Trustee {USER}" in heard.failure[2]


PAYLOADS = {
    "an application": (
        jwt(**APP, exp=1_800_000_000),
        ("2027-01-15 08:00", f"audience {MICROSOFT}; roles SMTP.SendAsApp"),
    ),
    "a person": (jwt(**PERSON, exp=1_800_000_000), ("2027-01-15 08:00", f"audience {MICROSOFT}; scope SMTP.Send")),
    "many audiences": (jwt(aud=["a", 1, "b"]), ("unknown", "audience a b")),
    "a hostile one": (jwt(aud="\x1b[2J\n", scp={"a": 1}, exp="x", roles="r"), ("unknown", "audience [2J; roles r")),
    "an end far away": (jwt(exp=10**30), ("unknown", None)),
    "a list": (f"a.{urlsafe_b64encode(b'[]').decode()}.c", ("unknown", None)),
    "no base64": ("a.%.c", ("unknown", None)),
    "deep": (f"a.{urlsafe_b64encode(b'[' * 30_000).decode()}.c", ("unknown", None)),
    "opaque": ("ya29.abc", ("unknown", None)),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_a_token_says(name: str) -> None:
    """Its end, audience, scope and roles are shown where it is a JSON Web Token; whatever else it is does no harm."""
    token, (until, rest) = PAYLOADS[name]
    first, *more = facts_of(token, TokenFacts()).lines()
    assert until in first
    assert more == ([rest] if rest else [])
