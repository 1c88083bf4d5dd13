"""A real smtp(8) logs in with tokens through the plugin; what it cannot send, or is refused, is deferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.model.oauth2 import NO_TOKEN
from testbed import Mode
from testbed.layout import write_old
from testbed.lookup_table import replace
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from testbed import Postfix, Testbed
    from tests.sasl.plugin import Plugin

USER = "me@example.com"
LONG = "x" * 8192
OURS_FIRST = {
    "smtp_sasl_auth_enable": "yes",
    "smtp_sasl_security_options": "noanonymous",
    "smtp_tls_security_level": "encrypt",
}
TOKENS_ONLY = {"smtp_sasl_mechanism_filter": "xoauth2, oauthbearer"}
KEEPS_BOTH_OUT = "!xoauth2, !oauthbearer, static:all"
NAMED = {"xoauth2": ("XOAUTH2",), "oauthbearer": ("OAUTHBEARER",)}


@pytest.fixture(scope="session", autouse=True)
def _postfix_is_there() -> None:
    require_postfix()


def start(testbed: Testbed, plugin: Plugin, settings: dict[str, str]) -> Postfix:
    """Start a Postfix that finds the plugin, and sends what is for NAME.org to relay NAME.test."""
    routes = {f"{n.removesuffix('.test')}.org": f"smtp:[{n}]:{r.port}" for n, r in testbed.relays.items()}
    found = {"import_environment": plugin.import_environment, "transport_maps": inline(routes)}
    return testbed.postfix(OURS_FIRST | found | settings)


def inline(entries: dict[str, str]) -> str:
    """Return a table that stands in main.cf."""
    return "inline:{" + ", ".join(f"{{{key} = {value}}}" for key, value in entries.items()) + "}"


def deferred(postfix: Postfix, name: str) -> str:
    """Wait until a message for NAME.org is deferred, and return what the log says of it."""
    for _ in range(500):
        found = [line for line in postfix.log().splitlines() if f"{name}.org>" in line and "status=deferred" in line]
        if found:
            return found[0]
        postfix.queue()
    pytest.fail(postfix.log())


@pytest.mark.parametrize("chroot", ["y", "n"])
def test_delivery(testbed: Testbed, plugin: Plugin, chroot: str) -> None:
    """By either mechanism, with a short token and one of 8 KiB, in a chroot and without one."""
    sent = {f"{name}-{len(token)}": (name, token) for name in NAMED for token in ("short", LONG)}
    for name, (mechanism, token) in sent.items():
        testbed.relay(f"{name}.test", Mode(tokens={(USER, token)}, mechanisms=NAMED[mechanism]))
    nexthops = {name: testbed.relays[f"{name}.test"].nexthop for name in sent}
    table = inline({nexthops[name]: f"{USER}:{token}" for name, (_, token) in sent.items()})
    routes = inline({f"{name}.org": f"smtp:{nexthop}" for name, nexthop in nexthops.items()})
    settings = {"smtp_sasl_password_maps": table, "transport_maps": routes}
    postfix = start(testbed, plugin, TOKENS_ONLY | settings)
    if chroot == "n":
        postfix.command("postconf", "-F", "smtp/unix/chroot=n")
        postfix.reload()
    for name in sent:
        postfix.send("a@example.com", [f"b@{name}.org"], name)
    received = {r.message_id: (r.mechanism, r.login) for r in testbed.ledger.wait_for(len(sent))}
    assert {name: (r[0], r[1].password) for name, r in received.items() if r[1]} == {
        name: (mechanism.upper(), token) for name, (mechanism, token) in sent.items()
    }
    assert postfix.complaints() == []


def test_refusals(testbed: Testbed, plugin: Plugin) -> None:
    """A revoked token is deferred with the server's own words, and stands nowhere in the log, whatever the server says."""
    cases = {f"{m}-{style}": (m, style) for m in NAMED for style in ("334", "535")}
    for name, (mechanism, style) in cases.items():
        mode = Mode(
            tokens=(), token_refusal=style, mechanisms=NAMED[mechanism], auth_reply=f"535 5.7.8 no, says {name}"
        )
        testbed.relay(f"{name}.test", mode)
    table = inline({f"{name}.test": f"{USER}:revoked-token" for name in cases})
    postfix = start(testbed, plugin, TOKENS_ONLY | {"smtp_sasl_password_maps": table})
    for name in cases:
        postfix.send("a@example.com", [f"b@{name}.org"], name)
    for name in cases:
        said = deferred(postfix, name)
        assert f"(SASL authentication failed; server {name}.test[" in said
        assert f"said: 535 5.7.8 no, says {name})" in said
        assert "dsn=4.7.8" in said
    assert "revoked-token" not in postfix.log()
    assert set(postfix.statuses()) == {"deferred"}


def test_no_token_yet(testbed: Testbed, plugin: Plugin) -> None:
    """Without a token mail is deferred, nothing is sent, and the log says why; once the token is there, the mail goes."""
    relay = testbed.relay("a.test", Mode(tokens={(USER, "good")}))
    postfix = start(testbed, plugin, TOKENS_ONLY)
    path = postfix.config / "sasl"
    table = replace(postfix, "cdb", path, {"a.test": f"{USER}:{NO_TOKEN}"})
    postfix.command("postconf", f"smtp_sasl_password_maps={table}")
    postfix.reload()
    postfix.send("a@example.com", ["b@a.org"], "one")
    said = deferred(postfix, "a")
    assert "SASL authentication failed; cannot authenticate to server a.test" in said
    assert "dsn=4.7.0" in said
    assert relay.attempts == ()
    (warning, *_) = postfix.complaints()
    assert "there is no access token yet; nothing was sent" in warning
    replace(postfix, "cdb", path, {"a.test": f"{USER}:good"})
    postfix.flush()
    postfix.wait_until_queue_empty()
    assert [r.message_id for r in relay.wait_for(1)] == ["one"]
    assert "bounced" not in postfix.statuses()


def test_two_accounts(testbed: Testbed, plugin: Plugin) -> None:
    """Each sender has the account and the token of its own; a password in the table of tokens is sent to nobody."""
    good = {("anna@example.com", "token-a"), ("ben@example.com", "token-b")}
    relay = testbed.relay("a.test", Mode(tokens=good))
    table = {user: f"{user}:{token}" for user, token in good} | {"cleo@example.com": "cleo:pass word"}
    settings = {"smtp_sender_dependent_authentication": "yes", "smtp_sasl_password_maps": inline(table)}
    postfix = start(testbed, plugin, TOKENS_ONLY | settings)
    for user in table:
        postfix.send(user, ["b@a.org"], user)
    received = relay.wait_for(2)
    assert {(r.sender, r.user) for r in received} == {(user, user) for user, _ in good}
    assert "dsn=4.7.0" in deferred(postfix, "a")
    assert {a.login.password for a in relay.attempts} == {"token-a", "token-b"}
    assert "pass word" not in postfix.log()


def test_the_trap(testbed: Testbed, plugin: Plugin) -> None:
    """A password goes out as a token where the plugin is found before PLAIN; main.cf's filter keeps that from happening."""
    relay = testbed.relay("a.test", Mode(logins={USER: "password"}, tokens=()))
    postfix = start(testbed, plugin, {"smtp_sasl_password_maps": inline({"a.test": f"{USER}:password"})})
    postfix.send("a@example.com", ["b@a.org"], "one")
    deferred(postfix, "a")
    assert relay.attempts[0].mechanism in {"XOAUTH2", "OAUTHBEARER"}
    assert relay.received == ()
    main_cf = postfix.config / "main.cf"
    write_old(main_cf, main_cf.read_text() + f"smtp_sasl_mechanism_filter = {KEEPS_BOTH_OUT}\n")
    postfix.reload()
    postfix.flush()
    postfix.wait_until_queue_empty()
    assert [(r.message_id, r.mechanism) for r in relay.wait_for(1)] == [("one", "PLAIN")]
