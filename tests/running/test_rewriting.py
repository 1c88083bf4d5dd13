"""What `explain` says that cleanup(8) makes of an address is what it makes of it: each rule on a running Postfix."""

import socketserver
import threading
from pathlib import Path

import pytest

from dms_relay.checks import check
from dms_relay.explain.rewriting import RECIPIENT, SENDER, NotFollowedError, Rewriting
from dms_relay.explain.views import view_now
from dms_relay.model import Paths
from dms_relay.postfix.programs import Postfix as Programs
from testbed import PATIENCE, STRANGER, Inputs, Postfix, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from testbed.layout import write_old

OWN = "mydestination = own.test\nmyorigin = origin.test\nrecipient_delimiter = +\n"
SRS = "inline:{ anna@a.test=SRS0=x=a.test=anna@srs.test }"
SENDERS = ("anna@a.test", "Anna+ext@A.test", "ben@host.sub.b.test", "u+x@own.test", "<>")
CASES = (
    f"sender_canonical_maps = {SRS}",
    f"sender_canonical_maps = {SRS}\nsender_canonical_classes = header_sender",
    f"canonical_maps = {SRS}\npropagate_unmatched_extensions = virtual",
    "sender_canonical_maps = static:all@srs.test",
    "sender_canonical_maps = static:all",
    "sender_canonical_maps = inline:{ @a.test=@b.test, @b.test=@c.test, anna@c.test=last@d.test }",
    "sender_canonical_maps = inline:{ @a.test=one@b.test, u=two@b.test, @host.sub.b.test=@b }",
    "sender_canonical_maps = inline:{ @a.test=@b.test }\ncanonical_maps = inline:{ @b.test=@c.test, @a.test=@d.test }",
    "sender_canonical_maps = inline:{ @b=@c.test }\nappend_dot_mydomain = yes\nmydomain = my.test",
    "sender_canonical_maps = inline:{ @a.test=here }\nappend_dot_mydomain = yes\nmyorigin = short\nmydomain = my.test",
    "sender_canonical_maps = regexp:{dir}/patterns",
    "masquerade_domains = b.test",
    "masquerade_domains = !sub.b.test b.test a.test",
    "masquerade_domains = b.test\nmasquerade_exceptions = root, BEN",
    "masquerade_domains = b.test\nmasquerade_classes = header_sender",
    "sender_canonical_maps = inline:{ @host.sub.b.test=@x.c.test }\nmasquerade_domains = c.test",
    "recipient_canonical_maps = inline:{ r@x.test=s@y.test }\nsender_canonical_maps = inline:{ r@x.test=no@z.test }",
    "canonical_maps = inline:{ r@x.test=@y.test }\ncanonical_classes = envelope_recipient",
    # What could be thought to change a sender by which routes are looked up, and does not: see the module.
    "sender_bcc_maps = static:copy@bcc.test\nsmtp_generic_maps = inline:{ nobody@a.test=x@y.test }",
)


def test_envelope(testbed: Testbed, tmp_path: Path) -> None:
    """Each sender and the recipient arrive as they are said to be rewritten."""
    relay = testbed.relay("relay.test", STRANGER)
    postfix = testbed.postfix()
    base = (postfix.config / "main.cf").read_text() + f"relayhost = {relay.nexthop}\n{OWN}"
    (tmp_path / "patterns").write_text("/^anna(.*)@a\\.test$/ SRS0$1@srs.test\n")
    tmp_path.chmod(0o755)
    for case in CASES:
        write_old(postfix.config / "main.cf", f"{base}{case.replace('{dir}', str(tmp_path))}\n")
        postfix.renew()
        rewriting = Rewriting(view_now(Programs(postfix.config)))
        expected = {
            (rewriting.of(sender.strip("<>"), SENDER)[0] or "<>", rewriting.of("r@x.test", RECIPIENT)[0])
            for sender in SENDERS
        }
        testbed.ledger.clear()
        for sender in SENDERS:
            postfix.send(sender, ["r@x.test"], sender)
        arrived = testbed.ledger.wait_for(len(SENDERS), PATIENCE)
        found = {(one.sender, to) for one in arrived for to in one.recipients if to != "copy@bcc.test"}
        assert found == expected, case


def test_the_remedy(testbed: Testbed, inputs: Inputs) -> None:
    """With the relay and the login of the domain that comes of it, the finding is gone and the message arrives."""
    relay = testbed.relay("relay.test")
    postfix = testbed.postfix({"sender_canonical_maps": SRS})
    domains = ("a.test", "srs.test")
    for number, rewritten in enumerate((["sender-rewritten"], []), start=1):
        inputs.write(RELAYMAP, "".join(f"@{domain} {relay.nexthop}\n" for domain in domains[:number]))
        inputs.write(LOGINS, "".join(f"@{domain} anna:secret\n" for domain in domains[:number]))
        inputs.apply(postfix)
        found = check(Paths(inputs.directory, postfix.config), {}).findings
        assert [one.rule for one in found if one.rule == "sender-rewritten"] == rewritten
    postfix.send("anna@a.test", ["r@x.test"], "0")
    [received] = testbed.ledger.wait_for(1, PATIENCE)
    assert (received.sender, received.user) == ("SRS0=x=a.test=anna@srs.test", "anna")


class SrsDaemon(socketserver.StreamRequestHandler):
    """Answers as PostSRSd 1 does, with a route for all domains but one (tcp_table(5))."""

    def handle(self) -> None:
        """Rewrite each address that is asked for."""
        for line in self.rfile:
            user, _, domain = line.decode().removeprefix("get").strip().partition("@")
            is_left = domain in {"", "srs.test", "excluded.test"}
            reply = "500 no" if is_left else f"200 SRS0=x=y={domain}={user}@srs.test"
            self.wfile.write(f"{reply}\n".encode())


def test_an_srs_daemon(testbed: Testbed, inputs: Inputs) -> None:
    """The daemon is asked as Postfix asks it: what it rewrites is a finding, with both ways out, what it leaves is none."""
    relay = testbed.relay("relay.test", STRANGER)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SrsDaemon) as server:
        server.block_on_close = False  # cleanup(8) keeps its connection for a while
        threading.Thread(target=server.serve_forever, daemon=True).start()
        maps = f"tcp:127.0.0.1:{server.server_address[1]}"
        postfix = testbed.postfix({"sender_canonical_maps": maps, "relayhost": relay.nexthop})
        inputs.write(RELAYMAP, f"@a.test {relay.nexthop}\n@excluded.test {relay.nexthop}\n")
        found = check(Paths(inputs.directory, postfix.config), {}).findings
        [finding] = [one for one in found if one.rule == "sender-rewritten"]
        rewriting = Rewriting(view_now(Programs(postfix.config)))
        for sender in ("anna@a.test", "anna@excluded.test"):
            testbed.ledger.clear()
            postfix.send(sender, ["r@x.test"], "0")
            [received] = testbed.ledger.wait_for(1, PATIENCE)
            assert received.sender == rewriting.of(sender, SENDER)[0]
        server.shutdown()
    assert finding.text == (
        "sender_canonical_maps turns someone@a.test into SRS0=x=y=a.test=someone@srs.test first, "
        "so relay and login of @a.test are not used"
    )
    assert finding.remedy == (
        "exclude your own domains from SRS (in docker-mailserver: SRS_EXCLUDE_DOMAINS=a.test), "
        "or give @srs.test the same relay and login"
    )


def test_no_address_mappings(testbed: Testbed) -> None:
    """Where address mappings are off, nothing is rewritten."""
    relay = testbed.relay("relay.test", STRANGER)
    off = {"sender_canonical_maps": SRS, "receive_override_options": "no_address_mappings", "relayhost": relay.nexthop}
    postfix = testbed.postfix(off)
    postfix.send(SENDERS[0], ["r@x.test"], "0")
    [received] = testbed.ledger.wait_for(1, PATIENCE)
    assert received.sender == Rewriting(view_now(Programs(postfix.config))).of(SENDERS[0], SENDER)[0]


@pytest.mark.parametrize("parameter", ["sender_canonical_maps", "canonical_maps"])
def test_a_table_that_gives_no_answer(testbed: Testbed, parameter: str) -> None:
    """Where Postfix would not take the message, no address is named."""
    postfix: Postfix = testbed.postfix({parameter: "texthash:/no/such"}, start=False)
    with pytest.raises(NotFollowedError, match=f"{parameter}: texthash:/no/such: postmap -q failed"):
        Rewriting(view_now(Programs(postfix.config))).of("anna@a.test", SENDER)


class SilentServer(socketserver.BaseRequestHandler):
    """Takes a question, and never answers it."""

    def handle(self) -> None:
        """Wait until the client goes."""
        while self.request.recv(100):
            pass


def test_a_server_that_gives_no_answer(testbed: Testbed, inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once in a run, and waited for no longer than a limit; the finding says that it gives no answer."""
    monkeypatch.setattr("dms_relay.postfix.programs.SERVER_TIMEOUT", 0.3)
    asked = []

    class Counting(SilentServer):
        def handle(self) -> None:
            asked.append(self.client_address)
            super().handle()

    inputs.write(RELAYMAP, "@a.test [r.test]:587\n@b.test [r.test]:587\n")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Counting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        maps = f"tcp:127.0.0.1:{server.server_address[1]}"
        postfix = testbed.postfix({"sender_canonical_maps": maps, "transport_maps": maps}, start=False)
        found = check(Paths(inputs.directory, postfix.config), {}).findings
        server.shutdown()
    [finding] = [one for one in found if one.rule == "sender-rewritten"]
    assert f"sender_canonical_maps: {maps}: postmap -q cannot be run: it did not end within 0.3 s" in finding.text
    assert finding.remedy == "start the daemon that answers for that table, then run dms-relay check again"
    assert len(asked) == 1
