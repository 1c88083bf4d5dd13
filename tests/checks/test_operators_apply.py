"""``apply`` warns where main.cf or master.cf keeps mail from every relay, and not where relays have their own transports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay.sources
from tests.checks.given import DEFAULT, LOGIN, LOGINS, RELAYMAP, SECRET, TRANSPORTS
from tests.checks.operator_cases import FILE
from tests.support.machine import MASTER_CF
from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

WARNED = {
    "default_transport = error\n": "the transport error (default_transport) delivers no mail to a relay",
    "default_transport = discard:\n": "the transport discard (default_transport) delivers no mail to a relay",
    "default_transport = retry:later\n": "the transport retry (default_transport) delivers no mail to a relay",
    "defer_transports = local, smtp\n": "no mail leaves: defer_transports in main.cf names smtp",
}


@pytest.mark.parametrize("more", WARNED)
def test_warned(sandbox: Sandbox, more: str) -> None:
    """It is said at each run, and only while it is so."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    for text, said in ((more, True), ("", False), (more, True)):
        sandbox.write_main_cf(BASE_MAIN_CF + text)
        result = sandbox.apply(**DEFAULT, **LOGIN)
        assert (WARNED[more] in result.err) == said


def test_no_service(sandbox: Sandbox) -> None:
    """A master.cf without ``smtp unix`` is said; where there is no master.cf, nothing is known."""
    for text, said in ((MASTER_CF, False), ("smtp inet n - y - - smtpd\n", True), (None, False)):
        path = sandbox.postfix_dir / "master.cf"
        path.unlink(missing_ok=True) if text is None else path.write_text(text)
        assert ("no mail leaves" in sandbox.apply(**DEFAULT, **LOGIN).err) == said


def test_transports_of_their_own(sandbox: Sandbox) -> None:
    """With transports, or without any relay, ``default_transport`` is the operator's own business."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    sandbox.write_main_cf(f"{BASE_MAIN_CF}default_transport = error\n")
    assert "delivers no mail to a relay" not in sandbox.run("apply", env={}).err
    for name, text in FILE.items():
        sandbox.write(name, text)
    assert "delivers no mail to a relay" not in sandbox.apply(**TRANSPORTS).err


@pytest.mark.parametrize(
    ("main", "master"),
    [
        ("transport_maps = texthash:/own\n", ""),
        ("sender_dependent_default_transport_maps = regexp:/own\n", ""),
        ("relayhost = [h.test]:587\n", ""),
        ("", " -o transport_maps=texthash:/own\n"),
        ("", " -o relayhost=[h.test]:587\n"),
    ],
)
def test_login_for_a_nexthop_of_main_cf(sandbox: Sandbox, main: str, master: str) -> None:
    """What may name the key of a login is not looked into at each start, so it is not said that the login is not used."""
    sandbox.write(LOGINS, f"[h.test]:587 me:{SECRET}\n")
    sandbox.write(RELAYMAP, "@one.test [h.test]:2525\n")
    for more, services, is_sure in ((main, master, False), ("", "", True)):
        (sandbox.postfix_dir / "master.cf").write_text(f"{MASTER_CF}rewrite unix - - n - - trivial-rewrite\n{services}")
        sandbox.write_main_cf(BASE_MAIN_CF + more)
        said = sandbox.apply().err
        assert ("is not used" in said) == is_sure
        assert ("run dms-relay check to see if it is" in said) != is_sure


def test_in_docker_mailserver(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """There postfix-main.cf is written to main.cf later, so at the first start it is not in main.cf yet."""
    monkeypatch.setattr(dms_relay.sources, "DMS_START", Path(__file__))
    sandbox.write(LOGINS, f"[h.test]:587 me:{SECRET}\n")
    sandbox.write(RELAYMAP, "@one.test [h.test]:2525\n")
    assert "is not used" in sandbox.apply().err
    sandbox.write("postfix-main.cf", "transport_maps = texthash:/own\n")
    assert "is not used" not in sandbox.apply().err


V4, V6 = {"DEFAULT_RELAY_HOST": "[192.0.2.1]:587"}, {"DEFAULT_RELAY_HOST": "[IPv6:2001:db8::1]:587"}


@pytest.mark.parametrize("routing", [{}, TRANSPORTS])
@pytest.mark.parametrize(
    ("more", "relay", "said"),
    [
        ("inet_protocols = ipv6\n", V4, "inet_protocols = ipv6 excludes the address of relay [192.0.2.1]:587"),
        ("inet_protocols = ipv4\n", V6, "inet_protocols = ipv4 excludes the address of relay [IPv6:2001:db8::1]:587"),
        ("inet_protocols = ipv4\n", V4, ""),
        ("inet_protocols = ipv4, ipv6\n", V6, ""),
        ("inet_protocols = ipv6\n", {"DEFAULT_RELAY_HOST": "[r4.10.0.0.1.test]:587"}, ""),
        ("smtp_bind_address = 127.0.0.1\n", V4, "smtp_bind_address = 127.0.0.1 reaches only this machine"),
        ("smtp_bind_address6 = ::1\n", V6, "smtp_bind_address6 = ::1 reaches only this machine, not relay [IPv6:"),
        ("smtp_bind_address = 127.0.0.1\n", {"DEFAULT_RELAY_HOST": "[127.0.0.9]:587"}, ""),
        ("smtp_bind_address = 192.0.2.7\n", V4, ""),
        ("smtp_bind_address = 127.0.0.1\n", DEFAULT, "reaches only this machine, not relay [r.test]:587"),
        ("smtp_bind_address = 127.0.0.1\n", {"DEFAULT_RELAY_HOST": "[localhost]:587"}, ""),
        ("relay_domains = in.test\nrelay_transport = error\n", V4, "relay_transport = error delivers no mail"),
        ("relay_transport = error\n", V4, ""),
    ],
)
def test_what_keeps_mail(
    sandbox: Sandbox, more: str, relay: dict[str, str], said: str, routing: dict[str, str]
) -> None:
    """``apply`` says it at each run, with the rule and the remedy of ``check``; ``plan`` says it as well."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    sandbox.write_main_cf(BASE_MAIN_CF.replace("inet_protocols", "# inet_protocols") + more)
    for command in ("plan", "apply", "apply"):
        result = sandbox.run(command, env={**relay, **LOGIN, **routing})
        assert (said in result.err) if said else (" reaches " not in result.err and " excludes " not in result.err)
        assert ("postconf -X" in result.err) == bool(said)
