"""For each class of failure of TLS a real server on loopback that behaves so; the message, cause and remedy that it gets."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from dms_relay.model import SYSTEM_AUTHORITIES
from testbed import PLAIN, SMTPS, Auth, Certificate, Mode, Tls
from testbed.listener import Listener, silent
from tests.relay_test.scene import advice, told

if TYPE_CHECKING:
    from testbed.listener import Client
    from tests.relay_test.scene import Scene

TLS_PORT = "use the port that the service documents for TLS: 587, or 465 with implicit TLS"
HELLO = "220 odd.test ESMTP\r\n"


def test_no_tls_offered(scene: Scene) -> None:
    """A server without STARTTLS at a level that needs it: it sees no login."""
    relay = scene.relay("no-tls", Mode(Tls.NONE), level="encrypt")
    result = scene.result()
    assert told(result) == ("no TLS offered", "the server does not offer STARTTLS", None)
    assert advice(result) == (
        "this port has no TLS, or something on the way removes STARTTLS from the server's replies",
        TLS_PORT,
    )
    assert relay.attempts == ()


def test_starttls_refused(scene: Scene) -> None:
    """A server that offers STARTTLS and refuses it for good is one without TLS; what it says is shown."""
    relay = scene.relay("refuses", Mode(refusals={"STARTTLS": "554 5.7.3 no TLS here"}), level="encrypt")
    assert told(scene.result()) == ("no TLS offered", "the server refused STARTTLS", "554 5.7.3 no TLS here")
    assert relay.attempts == ()


@pytest.mark.parametrize("reply", ["454 4.7.0 TLS not available", "421 4.3.2 too busy", "451 4.3.0 try later"])
def test_starttls_refused_for_the_moment(scene: Scene, reply: str) -> None:
    """A server that has no TLS at the moment is not one without TLS: it may have it later."""
    relay = scene.relay("refuses", Mode(refusals={"STARTTLS": reply}), level="encrypt")
    result = scene.result()
    assert told(result) == ("rejected", "the server refused STARTTLS", reply)
    assert advice(result) == (
        "the server has TLS, but not at the moment: it has too many connections, or trouble with its certificate",
        "wait, then try again; if the reply stays the same, ask the service about it",
    )
    assert relay.attempts == ()


def test_handshake(scene: Scene) -> None:
    """A server that knows old versions of TLS only, where it must prove who it is. Postfix 3.7.11 says the same of it."""
    relay = scene.relay("old", Mode(newest_tls=ssl.TLSVersion.TLSv1_1))
    result = scene.result()
    assert result["result"] == "TLS handshake"
    assert result["failure"]["what"].startswith("the TLS handshake failed: ")
    assert advice(result) == (
        "the server has no TLS version from 1.2 on, or none that main.cf permits, or no cipher in common",
        "ask the service for TLSv1.2 or later; check smtp_tls_mandatory_protocols and smtp_tls_protocols in main.cf",
    )
    assert relay.attempts == ()


@pytest.mark.parametrize("allowed", [">=TLSv1.3", "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1, !TLSv1.2", "TLSv1.3"])
def test_version_that_main_cf_does_not_allow(scene: Scene, allowed: str) -> None:
    """``smtp_tls_mandatory_protocols`` counts, in each way in which it can be written."""
    scene.main_cf(f"smtp_tls_mandatory_protocols = {allowed}\n")
    scene.relay("old", Mode(newest_tls=ssl.TLSVersion.TLSv1_2), level="encrypt")
    assert scene.result()["result"] == "TLS handshake"


def test_version_that_is_too_new(scene: Scene) -> None:
    """What main.cf does not allow does not pass, where no older version comes about."""
    scene.main_cf("smtp_tls_mandatory_protocols = TLSv1.1\n")
    relay = scene.relay("new", Mode(), level="encrypt")
    what = "the server uses TLSv1.2, which main.cf does not permit"
    assert told(scene.result()) == ("TLS handshake", what, None)
    assert relay.attempts == ()


def test_certificate_of_another_name(scene: Scene) -> None:
    """The certificate is for another host."""
    relay = scene.relay("named", Mode(certificate=Certificate.OTHER_NAME))
    result = scene.result()
    what = "the certificate is for other.test, not for named.test or .named.test"
    assert told(result) == ("certificate", what, None)
    assert advice(result) == (
        "the host has another name, or another server answers",
        "write a name of the certificate as the host, if it belongs to the service; or add it to tls: {match: …}",
    )
    assert relay.attempts == ()


def test_certificate_expired(scene: Scene) -> None:
    """The certificate's time is over."""
    relay = scene.relay("expired", Mode(certificate=Certificate.EXPIRED))
    result = scene.result()
    assert told(result) == ("certificate", "the certificate was not accepted: certificate has expired", None)
    assert advice(result) == (
        "the certificate has expired, or this machine's clock is wrong",
        "have the relay renew its certificate; check the clock with: date -u",
    )
    assert (relay.attempts, result["remarks"]) == ((), [])


def test_certificate_of_an_unknown_authority(scene: Scene) -> None:
    """Nobody that is trusted vouches for the certificate."""
    relay = scene.relay("unknown", Mode(certificate=Certificate.UNKNOWN_AUTHORITY))
    result = scene.result()
    what = "the certificate was not accepted: unable to get local issuer certificate"
    assert told(result) == ("certificate", what, None)
    assert advice(result) == (
        "no trusted authority signed it: it is self-signed or of a private authority, or another server answers",
        "make tls: {ca_file: …} name a file that contains the authority's certificate; Debian's own is "
        + SYSTEM_AUTHORITIES,
    )
    assert relay.attempts == ()


def test_certificate_without_the_fingerprint(scene: Scene) -> None:
    """The certificate has another fingerprint; the one that it has is shown."""
    relay = scene.relay("other", Mode(), level="fingerprint", fingerprints=[":".join(["AB"] * 32)])
    result = scene.result()
    what = f"the fingerprint does not match: that of the certificate is {relay.fingerprint} (SHA-256)"
    assert told(result) == ("certificate", what, None)
    assert advice(result) == (
        "the server has a new certificate, or another server answers",
        "ask the service for the fingerprint; if it is the one shown, add it to tls: {fingerprints: …}",
    )
    assert relay.attempts == ()


def test_implicit_tls_expected(scene: Scene) -> None:
    """A server with TLS from the first octet, where STARTTLS is configured; its certificate is shown all the same."""
    relay = scene.relay("smtps", SMTPS)
    result = scene.result(timeout="3")  # a handshake must end within it
    what = "no greeting within 3 s, but the server accepts implicit TLS"
    assert told(result) == ("implicit TLS expected", what, None)
    assert advice(result) == (
        f"port {relay.port} expects implicit TLS (SMTPS), which is not configured",
        "write tls: {mode: implicit} (with level encrypt or a stronger one); or use port 587",
    )
    assert result["tls"]["certificate"]["names"] == ["smtps.test"]
    assert relay.attempts == ()


def test_starttls_expected(scene: Scene) -> None:
    """The reverse: a server that greets in the clear, where TLS from the first octet is configured."""
    relay = scene.relay("submission", Mode(), mode="implicit")
    result = scene.result()
    assert result["result"] == "STARTTLS expected"
    assert result["failure"]["what"].endswith(", because the server greets without TLS")
    assert advice(result) == (
        f"port {relay.port} expects STARTTLS, but implicit TLS is configured",
        "write tls: {mode: starttls}; or use port 465",
    )
    assert relay.attempts == ()


@pytest.mark.parametrize("level", ["dane", "dane-only"])
def test_not_checked(scene: Scene, level: str) -> None:
    """At the levels of DANE the command says what it cannot check, and sends no login."""
    relay = scene.relay("dane", Mode(), level=level, allow_cleartext_login=True)
    result = scene.result()
    assert result["result"] == "not checked"
    assert result["failure"]["what"].startswith(
        f"level {level} needs TLSA records, which this command does not look up"
    )
    assert advice(result) == (
        "this command does not look up TLSA records, and sends no login where it cannot verify the level",
        f"try: posttls-finger -l {level} '[dane.test]:{relay.port}'",
    )
    assert (relay.attempts, result["tls"]["protocol"]) == ((), "TLSv1.3")


def test_dane_without_a_login(scene: Scene) -> None:
    """At level dane a relay without a login is tried as at may, and it is said that Postfix may demand more."""
    scene.relay("open", Mode(Tls.OFFERED, Auth.NONE), login=False, level="dane")
    result = scene.result()
    remark = "TLSA records are not looked up here: with one, Postfix demands more"
    assert (result["result"], result["remarks"], result["tls"]["protocol"]) == ("ok", [remark], "TLSv1.3")


def test_an_expiring_certificate(scene: Scene) -> None:
    """A certificate that expires soon is remarked on, and no failure."""
    scene.relay("soon", Mode(certificate=Certificate.EXPIRING))
    result = scene.result()
    assert (result["result"], result["remarks"]) == ("ok", ["the certificate expires in 4 days"])


def test_an_expired_certificate_where_nobody_looks(scene: Scene) -> None:
    """At level encrypt an expired certificate is a remark."""
    scene.relay("expired", Mode(certificate=Certificate.EXPIRED), level="encrypt")
    result = scene.result()
    remark = "the certificate has expired; this level does not check that"
    assert (result["result"], result["remarks"]) == ("ok", [remark])


def test_may_without_tls(scene: Scene) -> None:
    """At level may all goes in the clear where there is no TLS, and it is said."""
    scene.relay("plain", PLAIN, login=False, level="may")
    remark = "the server does not offer STARTTLS; level may permits mail in the clear"
    assert scene.result()["remarks"] == [remark]


def test_may_with_a_handshake_that_fails(scene: Scene) -> None:
    """At level may a handshake that fails is followed by a session in the clear, as Postfix does it."""
    scene.main_cf("smtp_tls_protocols = >=TLSv1.2\n")
    old = Mode(Tls.OFFERED, Auth.NONE, newest_tls=ssl.TLSVersion.TLSv1_1)
    relay = scene.relay("old", old, login=False, level="may")
    result = scene.result()
    assert (result["result"], result["tls"]["protocol"], len(relay.connections)) == ("ok", None, 2)
    assert result["remarks"][0].endswith("; level may permits mail in the clear")


def test_may_with_a_login_and_a_handshake_that_fails(scene: Scene) -> None:
    """Where there is a login, nothing follows, as in Postfix: whoever breaks the handshake in between must not get it."""
    scene.main_cf("smtp_tls_protocols = >=TLSv1.2\n")
    old = Mode(Tls.OFFERED, Auth.OFFERED, newest_tls=ssl.TLSVersion.TLSv1_1)
    relay = scene.relay("old", old, level="may", allow_cleartext_login=True)
    assert scene.result()["result"] == "TLS handshake"
    assert (relay.attempts, len(relay.connections)) == ((), 1)


def test_what_comes_before_tls_does_not_count(scene: Scene) -> None:
    """What somebody in between adds behind the answer to STARTTLS is not taken for an answer inside TLS (CVE-2011-0411)."""
    context = scene.testbed.authority.server("odd.test").context

    def serve(client: Client) -> None:
        for text in (HELLO, "250-odd.test\r\n250 STARTTLS\r\n"):
            client.say(text)
            client.hear()
        client.say("220 go on\r\n250-odd.test\r\n250 AUTH PLAIN\r\n")
        client.start_tls(context)
        client.hear()
        client.say("250 odd.test\r\n")
        silent(client)

    with Listener(serve) as server:
        scene.name("between", server.host, server.port, level="encrypt")
        assert told(scene.result()) == ("no AUTH offered", "the server does not offer AUTH inside TLS", None)
    assert server.lines == ["EHLO mail.example.test", "STARTTLS", "EHLO mail.example.test"]
