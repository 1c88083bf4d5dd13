"""``dms-relay test`` with maps: main.cf says what is demanded of TLS, for all nexthops or by its policies."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from testbed import SMTPS, Auth, Certificate, Login, Mode, Tls
from tests.relay_test.scene import PASSWORD, TIMEOUT, advice, told

if TYPE_CHECKING:
    from testbed import Relay
    from tests.relay_test.scene import Scene


def by_maps(scene: Scene, relay: Relay, main_cf: str) -> dict[str, str]:
    """Set up maps with a login at a relay; give the environment."""
    scene.main_cf(main_cf)
    return {"DEFAULT_RELAY_HOST": relay.nexthop, "RELAY_USER": "user", "RELAY_PASSWORD": PASSWORD}


def result_of(scene: Scene, env: dict[str, str], timeout: str = TIMEOUT) -> dict[str, Any]:
    """Return the result of the only relay."""
    (result,) = json.loads(scene.run("--json", env=env, timeout=timeout).out)["results"]
    return dict(result)


def test_maps(scene: Scene) -> None:
    """With maps and a login the level is what ``apply`` sets, not what main.cf has now."""
    relay = scene.testbed.relay("r.test", Mode(certificate=Certificate.UNKNOWN_AUTHORITY))
    result = result_of(scene, by_maps(scene, relay, "smtp_tls_security_level = none\n"))
    assert (result["result"], result["relay"], result["tls"]["level"]) == ("ok", relay.nexthop, "encrypt")
    assert [(a.login, a.tls) for a in relay.attempts] == [(Login("user", PASSWORD), "TLSv1.3")]


@pytest.mark.parametrize(
    ("main_cf", "outcome"),
    [
        ("smtp_tls_security_level = may", "ok"),
        ("smtp_tls_security_level = verify\nsmtp_tls_CAfile = {ca}", "certificate"),
        ("smtp_tls_security_level = verify\nsmtp_tls_CAfile = {ca}\nsmtp_tls_verify_cert_match = r.test", "ok"),
        ("smtp_tls_security_level = secure\nsmtp_tls_CAfile = {ca}\nsmtp_tls_secure_cert_match = .test", "ok"),
        (
            "smtp_tls_security_level = secure\nsmtp_tls_CAfile =\nsmtp_tls_CApath =\nsmtp_tls_secure_cert_match = r.test",
            "",
        ),
        ("smtp_tls_security_level = fingerprint\nsmtp_tls_fingerprint_cert_match = {fingerprint}", "ok"),
        ("smtp_tls_security_level = fingerprint\nsmtp_tls_fingerprint_cert_match = AB:CD", "certificate"),
    ],
)
def test_main_cf_says_what_is_demanded(scene: Scene, main_cf: str, outcome: str) -> None:
    """What ``postfix-main.cf`` says of the level, and main.cf of authorities, names and fingerprints, counts."""
    relay = scene.testbed.relay("r.test", Mode())
    text = main_cf.format(ca=scene.ca_file, fingerprint=relay.fingerprint) + "\n"
    scene.sandbox.write("postfix-main.cf", text)
    result = result_of(scene, by_maps(scene, relay, text))
    assert result["result"] == (outcome or "certificate")
    assert len(relay.attempts) == (result["result"] == "ok")


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        ("secure match=r.test", "ok"),
        ("secure match=x.test:.test", "ok"),
        ("secure match=x.test", "certificate"),
        ("fingerprint match=AB:CD|{fingerprint}", "ok"),
        ("fingerprint match=AB:CD", "certificate"),
        ("encrypt protocols=TLSv1.1", "TLS handshake"),
        ("none", "no AUTH offered"),
        ("dane-only", "not checked"),
    ],
)
def test_policy_of_main_cf(scene: Scene, policy: str, outcome: str) -> None:
    """What ``smtp_tls_policy_maps`` says of a nexthop counts before the level: no password travels where it is not met."""
    relay = scene.testbed.relay("r.test", Mode())
    table = scene.sandbox.postfix_dir / "policy"
    table.write_text(f"[other.test] none\n{relay.nexthop} {policy.format(fingerprint=relay.fingerprint)}\n")
    os.utime(table, (0, 0))  # Postfix waits for a table that was just written
    maps = f"inline:{{ {{x.test = none}}, y.test=may }}, texthash:{table}"
    env = by_maps(scene, relay, f"smtp_tls_CAfile = {scene.ca_file}\nsmtp_tls_policy_maps = {maps}\n")
    assert result_of(scene, env)["result"] == outcome
    assert len(relay.attempts) == (outcome == "ok")


def test_authorities_that_cannot_be_read(scene: Scene) -> None:
    """A file of authorities that is not there is no reason to trust anybody."""
    relay = scene.testbed.relay("r.test", Mode())
    text = "smtp_tls_security_level = secure\nsmtp_tls_CAfile = /nonexistent\n"
    scene.sandbox.write("postfix-main.cf", text)
    result = result_of(scene, by_maps(scene, relay, text))
    where = "/nonexistent or /etc/ssl/certs"
    assert told(result) == (
        "certificate",
        f"the certificate authorities in {where} cannot be read: No such file or directory",
        None,
    )
    assert result["failure"]["remedy"].startswith("install ca-certificates, or make smtp_tls_CAfile in main.cf name")
    assert relay.attempts == ()


@pytest.mark.parametrize(
    ("main_cf", "what"),
    [
        ("smtp_tls_security_level = securee", '"securee" is not a TLS level'),
        (
            "smtp_tls_security_level = may\nsmtp_tls_wrappermode = yes",
            "implicit TLS is not possible at level may",
        ),
    ],
)
def test_levels_that_cannot_be(scene: Scene, main_cf: str, what: str) -> None:
    """Where Postfix would call no host, none is called."""
    relay = scene.testbed.relay("r.test", Mode())
    scene.sandbox.write("postfix-main.cf", f"{main_cf}\n")
    result = result_of(scene, by_maps(scene, relay, f"{main_cf}\n"))
    assert told(result) == ("TLS configuration", what, None)
    assert advice(result) == (
        "Postfix reports a client TLS configuration problem, and keeps the mail in the queue",
        "correct smtp_tls_security_level, smtp_tls_policy_maps or smtp_tls_wrappermode in main.cf",
    )
    assert relay.connections == ()


@pytest.mark.parametrize("level", ["may", "none"])
def test_in_the_clear_where_main_cf_asks_for_it(scene: Scene, level: str) -> None:
    """A password travels in the clear where the level in main.cf means just that, and nowhere else."""
    relay = scene.testbed.relay("r.test", Mode(Tls.NONE, Auth.DEMANDED))
    text = f"smtp_tls_security_level = {level}\n"
    scene.sandbox.write("postfix-main.cf", text)
    assert result_of(scene, by_maps(scene, relay, text))["result"] == "ok"
    assert [attempt.tls for attempt in relay.attempts] == [None]
    (scene.sandbox.config_dir / "postfix-main.cf").unlink()
    assert told(result_of(scene, by_maps(scene, relay, text)))[0] == "no TLS offered"
    assert len(relay.attempts) == 1


def test_wrapper_mode_of_main_cf(scene: Scene) -> None:
    """``smtp_tls_wrappermode`` of main.cf counts with maps; the remedy speaks of main.cf."""
    relay = scene.testbed.relay("r.test", SMTPS)
    assert result_of(scene, by_maps(scene, relay, "smtp_tls_wrappermode = yes\n"))["result"] == "ok"
    result = result_of(scene, by_maps(scene, relay, ""), "3")
    assert (result["result"], result["failure"]["remedy"]) == (
        "implicit TLS expected",
        "write the relay in relay.yaml, with tls: {mode: implicit}; or use port 587",
    )


def test_logins_by_sender_with_maps(scene: Scene) -> None:
    """Each login of ``postfix-sasl-password.cf`` is tried at each relay where a sender uses it; a route's text names it."""
    first, second = (scene.testbed.relay(f"{name}.test", Mode()) for name in ("first", "second"))
    both = f"{first.nexthop}, {second.nexthop}"
    scene.sandbox.write("postfix-relaymap.cf", f"@a.example {both}\n@b.example {second.nexthop}\n")
    scene.sandbox.write("postfix-sasl-password.cf", f"@a.example a:{PASSWORD}\n{second.nexthop} s:{PASSWORD}\n")
    assert scene.run(both).code == 0
    assert [attempt.login.user for attempt in scene.testbed.ledger.attempts()] == ["a", "a"]
    scene.testbed.ledger.clear()
    assert scene.run().code == 0
    assert [attempt.login.user for attempt in first.attempts] == ["a"]
    assert sorted(attempt.login.user for attempt in second.attempts) == ["a", "s"]


@pytest.mark.parametrize(
    ("user_file", "is_sent"),
    [
        ("smtp_sasl_security_options = noplaintext, noanonymous\n", False),
        ("smtp_sasl_security_options = noanonymous\n", True),
    ],
)
def test_no_plain_password_in_the_clear(scene: Scene, user_file: str, is_sent: bool) -> None:  # noqa: FBT001 -- a case
    """With ``noplaintext``, PLAIN and LOGIN are not used without TLS: nor are they by Postfix."""
    relay = scene.testbed.relay("r.test", Mode(Tls.NONE, Auth.OFFERED))
    level = "smtp_tls_security_level = may\n"
    scene.sandbox.write("postfix-main.cf", user_file + level)
    result = result_of(scene, by_maps(scene, relay, level))
    assert (result["result"], bool(relay.attempts)) == (("ok", True) if is_sent else ("mechanism", False))


@pytest.mark.parametrize(
    ("words", "mechanism"), [("!plain, login", "LOGIN"), ("plain", "PLAIN"), ("cram-md5", None), ("/etc/filter", None)]
)
def test_mechanism_filter(scene: Scene, words: str, mechanism: str | None) -> None:
    """``smtp_sasl_mechanism_filter`` counts as for Postfix; one that is a file lets none through here."""
    relay = scene.testbed.relay("r.test", Mode())
    result = result_of(scene, by_maps(scene, relay, f"smtp_sasl_mechanism_filter = {words}\n"))
    assert (result["result"], result["mechanism"]) == (("ok", mechanism) if mechanism else ("mechanism", None))
    assert bool(relay.attempts) == bool(mechanism)


@pytest.mark.parametrize(
    "main_cf",
    [
        "smtp_tls_mandatory_protocols = >=TLSv1.4\n",
        "smtp_tls_policy_maps = static:{encrypt match=x.test}\n",
        "smtp_tls_policy_maps = static:{encrypt foo=bar}\n",
        "smtp_tls_policy_maps = static:fingerprint\n",
    ],
)
def test_tls_that_postfix_takes_for_wrong(scene: Scene, main_cf: str) -> None:
    """Postfix defers such mail (client TLS configuration problem), so nothing is connected to, and no login travels."""
    relay = scene.testbed.relay("r.test", Mode())
    result = result_of(scene, by_maps(scene, relay, main_cf))
    assert (result["result"], relay.connections) == ("TLS configuration", ())


def test_service_that_demands_more_than_main_cf(scene: Scene) -> None:
    """What the service of master.cf overrides counts: a login does not travel at main.cf's weaker level."""
    relay = scene.testbed.relay("r.test", Mode(certificate=Certificate.UNKNOWN_AUTHORITY))
    override = f"  -o smtp_tls_security_level=secure -o smtp_tls_CAfile={scene.ca_file}\n"
    (scene.sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n" + override)
    result = result_of(scene, by_maps(scene, relay, ""))
    assert (result["result"], result["tls"]["level"], relay.attempts) == ("certificate", "secure", ())
