"""Mail on a running Postfix before and after ``import`` and ``apply``: the same relay, the same login, the same TLS."""

from pathlib import Path
from smtplib import SMTPRecipientsRefused

import pytest

from testbed import PATIENCE, SMTPS, SUBMISSION, Inputs, Login, Mode, Postfix, Testbed
from testbed.modes import Auth, Tls

PLAIN = Mode(Tls.NONE, Auth.NONE)
FRIEND = "friend@elsewhere.test"
Arrival = tuple[str, Login | None, bool]
#: Who sends to whom in each of the two tests.
MESSAGES = {
    ("x@a.test", FRIEND): "a",
    ("boss@a.test", FRIEND): "b",
    ("x@smtps.test", FRIEND): "c",
    ("x@other.test", FRIEND): "b",
    ("x@other.test", "you@intra.test"): "m",
    ("<>", FRIEND): "b",
}


def arrivals(testbed: Testbed, postfix: Postfix, part: str) -> dict[tuple[str, str], Arrival]:
    """Send each message, and return where it arrived, with which login and whether there was TLS."""
    before = len(testbed.ledger.received())
    for number, (sender, recipient) in enumerate(MESSAGES):
        postfix.send(sender, [recipient], f"{part}-{number}")
    testbed.ledger.wait_for(before + len(MESSAGES), PATIENCE)
    found = {r.message_id: (r.relay, r.login, r.tls is not None) for r in testbed.ledger.received()[before:]}
    return {pair: found[f"{part}-{number}"] for number, pair in enumerate(MESSAGES)}


def write(postfix: Postfix, name: str, text: str) -> str:
    """Write a lookup table, and return its name."""
    (postfix.config / name).write_text(text)
    return f"texthash:{postfix.config / name}"


def by_hand(testbed: Testbed) -> Postfix:
    """Return a Postfix as operators configure it: tables by sender and by recipient, and a service for port 465."""
    modes = {"a": SUBMISSION, "b": SUBMISSION, "c": SMTPS, "m": PLAIN}
    a, b, c, m = (testbed.relay(name, mode) for name, mode in modes.items())
    postfix = testbed.postfix(start=False)
    settings = {
        "relayhost": b.nexthop,
        "sender_dependent_relayhost_maps": write(postfix, "senders", f"@a.test {a.nexthop}\nboss@a.test {b.nexthop}\n"),
        "sender_dependent_default_transport_maps": write(postfix, "transports", f"@smtps.test wrapped:{c.nexthop}\n"),
        "transport_maps": write(postfix, "recipients", f"intra.test smtp:{m.nexthop}\n"),
        "smtp_tls_policy_maps": write(postfix, "policies", f"{m.nexthop} may\n"),
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_sender_dependent_authentication": "yes",
        "smtp_tls_security_level": "encrypt",
        "smtp_sasl_password_maps": write(
            postfix,
            "logins",
            f"{a.nexthop} a-user:one two\n{b.nexthop} b-user:b#pw\n{c.nexthop} c-user:c:pw\nboss@a.test boss:pw\n",
        ),
    }
    main = postfix.config / "main.cf"
    main.write_text(main.read_text() + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    master = postfix.config / "master.cf"
    service = "wrapped unix - - y - - smtp\n  -o smtp_tls_wrappermode=yes\n"
    master.write_text(master.read_text() + service)
    postfix.start()
    return postfix


def imported(inputs: Inputs, postfix: Postfix, *words: str) -> None:
    """Import into the configuration directory, and apply."""
    result = inputs.run(postfix, "import", "--output", str(inputs.directory), *words)
    assert result.returncode == 0, result.stdout + result.stderr
    result = inputs.run(postfix, "apply")
    assert result.returncode == 0, result.stderr


def test_a_main_cf_written_by_hand(testbed: Testbed, inputs: Inputs) -> None:
    """Every message arrives where it did before, with the same login and the same TLS."""
    postfix = by_hand(testbed)
    before = arrivals(testbed, postfix, "before")
    assert {pair: arrival[0] for pair, arrival in before.items()} == MESSAGES
    result = inputs.run(postfix, "import", "--output", str(inputs.directory))
    # The boss's login was offered to the internal host as well, had that asked for one: it no longer is.
    assert "and 1 goes another way:\n  to intra.test from boss@a.test" in result.stdout, result.stdout + result.stderr
    assert inputs.run(postfix, "apply").returncode == 0
    assert arrivals(testbed, postfix, "after") == before
    assert before["boss@a.test", FRIEND] == ("b", Login("boss", "pw"), True)


def test_allowed_sender_domains(testbed: Testbed, inputs: Inputs, tmp_path: Path) -> None:
    """ALLOWED_SENDER_DOMAINS of boky/postfix goes on in postfix-main.cf: mail of other senders is refused, as there."""
    relay = testbed.relay("only", SUBMISSION)
    text = (
        f"ALLOWED_SENDER_DOMAINS=a.test b.test\nRELAYHOST={relay.nexthop}\nRELAYHOST_USERNAME=u\nRELAYHOST_PASSWORD=p\n"
    )
    (tmp_path / "old.env").write_text(f"{text}POSTFIX_smtp_tls_security_level=encrypt\n")
    # Nobody is asked for the MX hosts of a recipient here.
    postfix = testbed.postfix({"smtpd_relay_restrictions": "permit"})
    imported(inputs, postfix, "--env-file", str(tmp_path / "old.env"))
    own = (inputs.directory / "postfix-main.cf").read_text().replace("reject_unknown_recipient_domain, ", "")
    main = postfix.config / "main.cf"
    main.write_text(main.read_text() + own)
    postfix.reload()
    for sender in ("x@a.test", "x@sub.b.test"):
        postfix.send(sender, [FRIEND], sender)
    with pytest.raises(SMTPRecipientsRefused, match="Recipient address rejected: Access denied"):
        postfix.send("x@stranger.test", [FRIEND], "three")
    testbed.ledger.wait_for(2, PATIENCE)
    assert {received.message_id for received in testbed.ledger.received()} == {"x@a.test", "x@sub.b.test"}


@pytest.mark.parametrize("kind", ["bokysan", "juanluisbaptiste"])
def test_the_environment_of_an_image(testbed: Testbed, inputs: Inputs, tmp_path: Path, kind: str) -> None:
    """What an image's variables say arrives at that relay, with that login, to the letter of the password."""
    relay = testbed.relay("only", SUBMISSION)
    password = "p$w #1"
    variables = {
        "bokysan": f"ALLOWED_SENDER_DOMAINS=a.test\nRELAYHOST={relay.nexthop}\nRELAYHOST_USERNAME=me\n"
        f"RELAYHOST_PASSWORD={password}\nPOSTFIX_smtp_tls_security_level=encrypt\n",
        "juanluisbaptiste": f"SMTP_SERVER={relay.name}\nSMTP_PORT={relay.port}\nSMTP_USERNAME=me\n"
        f"SMTP_PASSWORD={password}\nSERVER_HOSTNAME=mail.a.test\n",
    }
    (tmp_path / "old.env").write_text(variables[kind])
    postfix = testbed.postfix()
    imported(inputs, postfix, "--env-file", str(tmp_path / "old.env"))
    postfix.send("x@a.test", [FRIEND], "one")
    testbed.ledger.wait_for(1, PATIENCE)
    received = testbed.ledger.received()[0]
    assert (received.relay, received.login, received.tls is not None) == ("only", Login("me", password), True)
