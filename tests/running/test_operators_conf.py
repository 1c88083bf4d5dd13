"""What ``check`` says of an operator's own main.cf is what becomes of the mail, and its remedy has the mail arrive."""

import time
from contextlib import suppress
from smtplib import SMTPRecipientsRefused

import pytest

from dms_relay.checks import check
from dms_relay.model import Paths
from testbed import PATIENCE, PLAIN, SMTPS, SUBMISSION, Inputs, Postfix, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.layout import write_old

SENDER, RECIPIENT = "anna@a.test", "bob@x.test"
LEAVES, TLS = "mail-does-not-leave", "implicit-tls-everywhere"


#: Each takes seconds, and there are many of this kind.
pytestmark = pytest.mark.one_in(3)


def rules(inputs: Inputs, postfix: Postfix) -> set[str]:
    """Return which rules fire."""
    return {one.rule for one in check(Paths(inputs.directory, postfix.config), inputs.settings).findings}


def settle(postfix: Postfix, text: str) -> None:
    """Write main.cf, and have Postfix read it."""
    write_old(postfix.config / "main.cf", text)
    postfix.renew()


def without(postfix: Postfix, name: str) -> str:
    """Return main.cf without a parameter."""
    lines = (postfix.config / "main.cf").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line.partition("=")[0].strip() != name)


@pytest.mark.parametrize(
    "setting", ["default_transport = error", "default_transport = discard", "defer_transports = smtp"]
)
def test_mail_that_does_not_leave(testbed: Testbed, inputs: Inputs, setting: str) -> None:
    """``apply`` and ``check`` say so, no relay gets the mail; and once it is as the remedy has it, the mail arrives."""
    relay = testbed.relay("relay", SUBMISSION)
    name, _, value = setting.partition(" = ")
    postfix = testbed.postfix({name: value})
    inputs.settings = {"DEFAULT_RELAY_HOST": relay.nexthop, "RELAY_USER": "me", "RELAY_PASSWORD": "pw"}
    done = inputs.run(postfix, "apply")
    assert LEAVES in rules(inputs, postfix)
    assert name in done.stderr
    with suppress(SMTPRecipientsRefused):  # smtpd(8) refuses what ``error`` would return
        postfix.send(SENDER, [RECIPIENT], "1")
    if name == "default_transport":
        postfix.wait_until_queue_empty(PATIENCE)
    assert testbed.ledger.received() == ()
    settle(postfix, without(postfix, name))
    assert LEAVES not in rules(inputs, postfix)
    postfix.send(SENDER, [RECIPIENT], "2")
    postfix.flush()
    postfix.wait_until_queue_empty(PATIENCE)
    assert "2" in [one.message_id for one in testbed.ledger.received()]


@pytest.mark.parametrize("port", [465, 2465])
def test_implicit_tls_everywhere(testbed: Testbed, inputs: Inputs, port: int) -> None:
    """With the parameter, the relay on 587 gets nothing; with the remedy, both relays get their mail."""
    implicit, plain = testbed.relay("implicit", SMTPS, port), testbed.relay("plain", SUBMISSION, 587)
    postfix = testbed.postfix({"smtp_tls_wrappermode": "yes"})
    inputs.write(RELAYMAP, f"@a.test {implicit.nexthop}\n@b.test {plain.nexthop}\n")
    inputs.write(LOGINS, f"{implicit.nexthop} me:pw\n{plain.nexthop} me:pw\n")
    inputs.apply(postfix)
    found = rules(inputs, postfix)
    assert TLS in found
    assert "implicit-tls-port" not in found
    postfix.send("u@a.test", [RECIPIENT], "1")
    postfix.send("u@b.test", [RECIPIENT], "2")
    assert [one.relay for one in testbed.ledger.wait_for(1, PATIENCE)] == ["implicit"]
    settle(postfix, without(postfix, "smtp_tls_wrappermode"))
    assert "implicit-tls-port" in rules(inputs, postfix)
    inputs.settings = {"RELAY_ROUTING": "transports"}
    inputs.apply(postfix)
    assert rules(inputs, postfix).isdisjoint({TLS, "implicit-tls-port", LEAVES})
    postfix.send("u@a.test", [RECIPIENT], "3")
    postfix.send("u@b.test", [RECIPIENT], "4")
    postfix.flush()
    postfix.wait_until_queue_empty()
    arrived = {(one.message_id, one.relay) for one in testbed.ledger.wait_for(4, PATIENCE)}
    assert {("3", "implicit"), ("4", "plain")} <= arrived


@pytest.mark.parametrize("port", [465, 2465])
def test_port_of_implicit_tls_in_relay_yaml(testbed: Testbed, inputs: Inputs, port: int) -> None:
    """The port alone says so: ``test`` and Postfix both log in there, and nothing is found."""
    relay = testbed.relay("implicit", SMTPS, port)
    postfix = testbed.postfix()
    text = f"{{host: {relay.host}, port: {port}, tls: {{level: encrypt}}, login: {{username: me, password: pw}}}}"
    inputs.write("relay.yaml", f"version: 1\nrelays:\n  r: {text}\ndefault: r\n")
    inputs.apply(postfix)
    assert rules(inputs, postfix).isdisjoint({TLS, "implicit-tls-port", LEAVES})
    done = inputs.run(postfix, "test")
    assert done.returncode == 0, done.stdout
    postfix.send(SENDER, [RECIPIENT], "1")
    (received,) = testbed.ledger.wait_for(1, PATIENCE)
    assert (received.relay, received.user) == ("implicit", "me")


def test_implicit_tls_of_the_service(testbed: Testbed, inputs: Inputs) -> None:
    """Where master.cf has it, a relay at 465 gets its mail and is no finding; with 587 beside it, the remedy says so."""
    implicit, plain = testbed.relay("implicit", SMTPS, 465), testbed.relay("plain", SUBMISSION, 587)
    postfix = testbed.postfix(start=False)
    service = "smtp      unix  -       -       y       -       -       smtp\n"
    master = (postfix.config / "master.cf").read_text()
    assert service in master
    write_old(postfix.config / "master.cf", master.replace(service, f"{service}  -o smtp_tls_wrappermode=yes\n"))
    postfix.start()
    inputs.write(RELAYMAP, f"@a.test {implicit.nexthop}\n")
    inputs.write(LOGINS, f"{implicit.nexthop} me:pw\n{plain.nexthop} me:pw\n")
    inputs.apply(postfix)
    assert "implicit-tls-port" not in rules(inputs, postfix)
    postfix.send("u@a.test", [RECIPIENT], "1")
    assert [one.relay for one in testbed.ledger.wait_for(1, PATIENCE)] == ["implicit"]
    inputs.write(RELAYMAP, f"@a.test {implicit.nexthop}\n@b.test {plain.nexthop}\n")
    inputs.apply(postfix)
    found = check(Paths(inputs.directory, postfix.config), {}).findings
    (remedy,) = (one.remedy for one in found if one.rule == TLS)
    assert "remove smtp_tls_wrappermode from smtp/unix in master.cf, and set RELAY_ROUTING=transports" in remedy
    write_old(postfix.config / "master.cf", master)
    inputs.settings = {"RELAY_ROUTING": "transports"}
    inputs.apply(postfix)
    postfix.renew()
    assert rules(inputs, postfix).isdisjoint({TLS, "implicit-tls-port", LEAVES})
    for number, domain in enumerate("ab", 2):
        postfix.send(f"u@{domain}.test", [RECIPIENT], str(number))
    arrived = {(one.message_id, one.relay) for one in testbed.ledger.wait_for(3, PATIENCE)}
    assert {("2", "implicit"), ("3", "plain")} <= arrived


def test_bind_address(testbed: Testbed, inputs: Inputs) -> None:
    """A loopback address to connect from reaches relays on this machine only."""
    postfix = testbed.postfix({"smtp_bind_address": "127.0.0.1"})
    inputs.settings = {"DEFAULT_RELAY_HOST": "[192.0.2.1]:587", "RELAY_USER": "me", "RELAY_PASSWORD": "pw"}
    inputs.apply(postfix)
    assert LEAVES in rules(inputs, postfix)
    postfix.send(SENDER, [RECIPIENT], "1")
    wait_for_log(postfix, "connect to 192.0.2.1[192.0.2.1]:587: Invalid argument")


def wait_for_log(postfix: Postfix, text: str, since: int = 0) -> None:
    """Wait until Postfix says this, after ``since`` characters of its log: a case before may have had the same said."""
    end = time.monotonic() + PATIENCE
    while text not in postfix.log()[since:] and time.monotonic() < end:
        time.sleep(0.05)
    assert text in postfix.log()[since:]


def test_login_for_a_nexthop_of_a_table(testbed: Testbed, inputs: Inputs) -> None:
    """A login whose key is a nexthop of ``transport_maps`` is used, as is seen at the relay, and is no finding."""
    mapped, blocked = testbed.relay("mapped", SUBMISSION), testbed.relay("blocked", SUBMISSION)
    postfix = testbed.postfix({"transport_maps": f"inline:{{ {{x.test = relay:{blocked.nexthop}}} }}"})
    inputs.write(RELAYMAP, f"@a.test {mapped.nexthop}\n")
    inputs.write(LOGINS, f"{blocked.nexthop} me:pw\n")
    assert "is not used" not in inputs.run(postfix, "apply").stderr
    assert "login-without-relay" not in rules(inputs, postfix)
    postfix.send(SENDER, [RECIPIENT], "1")
    (received,) = testbed.ledger.wait_for(1, PATIENCE)
    assert (received.relay, received.user) == ("blocked", "me")


def test_filter_without_tls(testbed: Testbed, inputs: Inputs) -> None:
    """The level of TLS for relays keeps mail from a content filter; with the remedy, the filter gets it."""
    relay, scanner = testbed.relay("relay", SUBMISSION), testbed.relay("scanner", PLAIN)
    postfix = testbed.postfix({"content_filter": f"smtp:{scanner.nexthop}"})
    inputs.settings = {"DEFAULT_RELAY_HOST": relay.nexthop, "RELAY_USER": "me", "RELAY_PASSWORD": "pw"}
    inputs.apply(postfix)
    assert "opt-out-needs-tls" in rules(inputs, postfix)
    postfix.send(SENDER, [RECIPIENT], "1")
    wait_for_log(postfix, "TLS is required, but was not offered")
    inputs.settings |= {"RELAY_ROUTING": "transports"}
    inputs.apply(postfix)
    assert "opt-out-needs-tls" not in rules(inputs, postfix)
    postfix.send(SENDER, [RECIPIENT], "2")
    assert "scanner" in {one.relay for one in testbed.ledger.wait_for(1, PATIENCE)}


@pytest.mark.parametrize("setting", ["content_filter = smtp:{}", "transport_maps = inline:{{ {{x.test = relay:{}}} }}"])
def test_inner_host_without_tls_beside_transports(testbed: Testbed, inputs: Inputs, setting: str) -> None:
    """A level that the operator set keeps mail from it with transports as well; with the remedy, it gets its mail."""
    relay, inner = testbed.relay("relay", SUBMISSION), testbed.relay("inner", PLAIN)
    name, _, value = setting.format(inner.nexthop).partition(" = ")
    postfix = testbed.postfix({name: value, "smtp_tls_security_level": "encrypt"})
    inputs.settings = {"DEFAULT_RELAY_HOST": relay.nexthop, "RELAY_USER": "me", "RELAY_PASSWORD": "pw"}
    inputs.settings |= {"RELAY_ROUTING": "transports"}
    inputs.apply(postfix)
    found = check(Paths(inputs.directory, postfix.config), inputs.settings).findings
    (remedy,) = (one.remedy for one in found if one.rule == "opt-out-needs-tls")
    assert remedy == "set smtp_tls_security_level = may in main.cf: each relay keeps its own level"
    postfix.send(SENDER, [RECIPIENT], "1")
    wait_for_log(postfix, "TLS is required, but was not offered")
    settle(postfix, without(postfix, "smtp_tls_security_level") + "smtp_tls_security_level = may\n")
    assert "opt-out-needs-tls" not in rules(inputs, postfix)
    postfix.flush()
    postfix.wait_until_queue_empty()
    assert "inner" in {one.relay for one in testbed.ledger.wait_for(1, PATIENCE)}
