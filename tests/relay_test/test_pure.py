"""The parts that touch nothing: versions of TLS, names in certificates, texts, and work in parallel."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from dms_relay.model import Login, LoginEntry, Origin
from dms_relay.postfix.main_cf import split
from dms_relay.postfix.tls_policy import policy_keys
from dms_relay.relay_test.certificate import digest, has_fingerprint, matches, read, wanted_names
from dms_relay.relay_test.connection import SmtpConnection
from dms_relay.relay_test.demand import PROTOCOLS, Demand, of_main_cf, protocols
from dms_relay.relay_test.diagnosis import diagnose
from dms_relay.relay_test.hints import HINTS, hints
from dms_relay.relay_test.message import compose, is_address
from dms_relay.relay_test.outcome import Detail, Failure, Observations, Result, StepError
from dms_relay.relay_test.parallel import PARALLEL_MAX, run_all
from dms_relay.relay_test.secrets import Secrets, encoded, plain
from dms_relay.relay_test.settings import settings
from dms_relay.relay_test.targets import Target, address_of
from tests.relay_test.scene import PASSWORD
from tests.support.scene import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY = LoginEntry("[r.test]:587", Login("user", PASSWORD), Origin("postfix-sasl-password.cf", 3))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (">=TLSv1", ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
        (">=tlsv1.2", ("TLSv1.2", "TLSv1.3")),
        (">=TLSv1, <=TLSv1.2", ("TLSv1", "TLSv1.1", "TLSv1.2")),
        ("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", ("TLSv1.2", "TLSv1.3")),
        ("TLSv1.2 TLSv1.3", ("TLSv1.2", "TLSv1.3")),
        ("TLSv1.2:!TLSv1.3", ("TLSv1.2",)),
        ("", PROTOCOLS),
        (">=0303", ("TLSv1.2", "TLSv1.3")),
        ("!0x0301 >=TLSv1", ("TLSv1.1", "TLSv1.2", "TLSv1.3")),
        (">=TLSv1.4", ()),
        ("TLSv1.2 nonsense", ()),
    ],
)
def test_protocols(text: str, allowed: tuple[str, ...]) -> None:
    """Each way of writing them that postconf(5) knows. Where a word is none, Postfix uses no TLS (seen): none is allowed."""
    assert protocols(text) == set(allowed)


@pytest.mark.parametrize(
    ("parameters", "level"),
    [
        ({}, "none"),
        ({"smtp_use_tls": "yes"}, "may"),
        ({"smtp_enforce_tls": "yes"}, "verify"),
        ({"smtp_enforce_tls": "yes", "smtp_tls_enforce_peername": "no"}, "encrypt"),
        ({"smtp_tls_security_level": "may", "smtp_enforce_tls": "yes"}, "may"),
        ({"smtp_tls_security_level": "Encrypt"}, "encrypt"),
        ({"smtp_use_tls": "YES"}, "may"),
    ],
)
def test_level_of_main_cf(parameters: dict[str, str], level: str) -> None:
    """Where no level is set, older parameters count (postconf(5), smtp_tls_security_level)."""
    assert of_main_cf(parameters).level == level


def test_keys_and_tables_of_policies() -> None:
    """A domain has the policies of its parents too; tables are separated as Postfix does it."""
    assert policy_keys("a.b.test") == ("a.b.test", ".b.test", ".test")
    assert policy_keys("[a.b.test]:587") == ("[a.b.test]:587",)
    tables = ["inline:{a=b, {c = d e}}", "texthash:/x", "hash:/y"]
    assert split("inline:{a=b, {c = d e}}, texthash:/x hash:/y") == tables
    assert split("") == []


@pytest.mark.parametrize(
    ("name", "wanted", "is_match"),
    [
        ("mail.example.com", "mail.example.com", True),
        ("MAIL.example.com", "mail.EXAMPLE.com", True),
        ("mail.example.com", "example.com", False),
        ("mail.example.com", ".example.com", True),
        ("a.b.example.com", ".example.com", True),
        ("example.com", ".example.com", False),
        ("evilexample.com", ".example.com", False),
        ("*.example.com", "mail.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", True),
        ("*.com", "example.com", True),
        ("*", "example.com", False),
        ("m*.example.com", "mail.example.com", False),
        ("", "", True),
        ("xn--bcher-kva.test", "bücher.test", True),
        ("a.xn--bcher-kva.test", ".BÜCHER.test", True),
        ("*.xn--bcher-kva.test", "mail.bücher.test", True),
        ("xn--bcher-kva.test", ".bücher.test", False),
        ("xn--bcher-kva.test", "bü-\u2028.test", False),
    ],
)
def test_names(name: str, wanted: str, *, is_match: bool) -> None:
    """A name matches as Postfix has it (tls_client.c)."""
    assert matches([name], [wanted]) == is_match


def test_wanted_names() -> None:
    """``hostname``, ``nexthop`` and ``dot-nexthop`` stand for names."""
    patterns = ("hostname", "nexthop", "dot-nexthop", "x.test")
    assert wanted_names(patterns, "mx.test", "example.test") == ("mx.test", "example.test", ".example.test", "x.test")


def test_what_is_no_certificate() -> None:
    """Octets that are no certificate are none, and have the fingerprint that they have."""
    assert read(b"nonsense") is None
    assert has_fingerprint(b"nonsense", [digest(b"nonsense", "sha256").lower()], "sha256")
    assert not has_fingerprint(b"nonsense", [""], "no-such-digest")


@pytest.mark.parametrize("kind", Failure)
@pytest.mark.parametrize("detail", [Detail.NONE, Detail.TEMPORARY, Detail.CLEARTEXT])
@pytest.mark.parametrize("by_maps", [False, True])
def test_each_class_has_cause_and_remedy(kind: Failure, detail: Detail, *, by_maps: bool) -> None:
    """Whatever fails, there is something to say, and no text says a password."""
    target = Target("r", "[r.test]:25", Demand("secure"), ENTRY, by_maps=by_maps)
    found = diagnose(Result(target, Observations(), 0.0, StepError(kind, "what", detail=detail)))
    assert found is not None
    assert all(found)
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize("detail", [Detail.EXPIRED, Detail.NAMES, Detail.FINGERPRINT, Detail.AUTHORITIES])
def test_certificates_with_maps(detail: Detail) -> None:
    """With maps the remedy names main.cf, not relay.yaml."""
    target = Target("r", "[r.test]:25", Demand("secure"), ENTRY, by_maps=True)
    found = diagnose(Result(target, Observations(), 0.0, StepError(Failure.CERTIFICATE, "what", detail=detail)))
    assert found is not None
    assert "tls: {" not in found.remedy


def test_hints_name_the_service_alone() -> None:
    """A host with a like name gets no hint, and none is shown for a failure that it does not explain."""
    for host in ("smtp.gmail.com.evil.test", "gmail.com", "xsmtp.gmail.com", "email-smtp.eu-west-1.amazonaws.com.test"):
        assert list(hints(host, Failure.LOGIN)) == []
    (of_ses,) = hints("email-smtp.eu-west-1.amazonaws.com", Failure.LOGIN)
    for host in (
        "vpce-0a1b-2c3d.email-smtp.us-east-1.vpce.amazonaws.com",
        "email-smtp-fips.us-gov-west-1.amazonaws.com",
    ):
        assert list(hints(host, Failure.LOGIN)) == [of_ses]
    assert list(hints("SMTP.Gmail.com", Failure.LOGIN)) == [HINTS[0].text]
    assert list(hints("smtp.gmail.com", Failure.REFUSED)) == []


@pytest.mark.parametrize(
    ("nexthop", "host", "port", "by_mx"),
    [
        ("[r.test]:587", "r.test", 587, False),
        ("[r.test]", "r.test", 25, False),
        ("r.test:2525", "r.test", 2525, True),
        ("r.test", "r.test", 25, True),
        ("[r.test]:submission", "r.test", 587, False),
        ("[r.test]:smtps", "r.test", 465, False),
        ("[::1]:26", "::1", 26, False),
        ("[IPv6:::1]", "IPv6:::1", 25, False),
        ("192.0.2.1:26", "192.0.2.1", 26, False),
    ],
)
def test_nexthops(nexthop: str, host: str, port: int, *, by_mx: bool) -> None:
    """Host, port, and whether MX hosts are meant, of each kind of nexthop."""
    target = Target("r", nexthop, Demand("may"))
    assert (target.host, target.port, target.by_mx) == (host, port, by_mx)


@pytest.mark.parametrize(
    ("key", "address"), [("@a.test", "postmaster@a.test"), ("u@a.test", "u@a.test"), ("<>", ""), ("", "")]
)
def test_addresses_of_sender_keys(key: str, address: str) -> None:
    """A domain's sender is its postmaster."""
    assert address_of(key) == address


def test_addresses() -> None:
    """What can stand in a command as it is."""
    assert all(map(is_address, ("a@b", "a.b+c@d.test", "x" * 64 + "@a.test")))
    assert not any(map(is_address, ("a@b\r\n", "a@b>", "a", "@b", "a@-b", "a..b@c", '"a b"@c')))


def test_the_message_has_no_password_and_no_odd_line() -> None:
    """It is ASCII, with CRLF, and no line that begins with a dot."""
    target = Target("r\u00fc", "[r.test]:25", Demand("may"), ENTRY)
    text = compose(target, "a@a.test", "b@b.test", "mail.test", datetime.now(UTC)).decode("ascii")
    assert PASSWORD not in text
    assert not any(line.startswith(".") for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")


def test_settings() -> None:
    """Postfix's own parameters say how names are looked up and who we are."""
    made = settings({"inet_protocols": "ipv4", "smtp_helo_name": "me.test", "smtp_host_lookup": "dns, native"}, 1)
    assert (made.families, made.helo, made.lookups) == ((4,), "me.test", ("dns", "native"))
    assert (settings({}, 1).families, settings({}, 1).helo) == ((6, 4), "localhost")


def test_no_part_shows_a_password() -> None:
    """Neither ``repr`` nor an exception of what holds a login shows it."""
    target = Target("r", "[r.test]:25", Demand("may"), ENTRY)
    result = Result(target, Observations(), 0.0, StepError(Failure.LOGIN, "what"))
    for value in (target, result, Secrets(ENTRY.login), {target: result}):
        assert PASSWORD not in repr(value) + str(value) + str(ValueError(value))


def test_secrets_in_any_letter_case() -> None:
    """A server that changes the letter case of what it echoes finds it masked too; an empty password masks nothing."""
    assert Secrets(ENTRY.login).hide(f"no {PASSWORD.upper()}") == "no ********"
    assert Secrets(Login("user", "")).hide("nothing here") == "nothing here"


def test_piece_of_a_secret() -> None:
    """A server may say a part of what was sent in base64, or break its line: no piece of it is shown."""
    sent = encoded(plain(ENTRY.login))
    assert Secrets(ENTRY.login).hide(f"535 bad: {sent[:-6]}") == "535 bad: ********"
    assert sent[4:20] not in Secrets(ENTRY.login).hide(f"535 {sent[:20]} {sent[20:]}")


@pytest.mark.parametrize("before", ["", "\0", "u:", "\0user\0", "user:", "é\0"])
@pytest.mark.parametrize("form", [str, str.upper, lambda text: text.replace("+", "-").replace("/", "_")])
def test_any_piece_of_a_secret(before: str, form: Callable[[str], str]) -> None:
    """No piece of what was sent is shown, wherever it is cut and whatever stands around it, in whichever alignment."""
    password = "s3cret?>P4ss~~w\xff"
    secrets = Secrets(Login("user", password))
    sent = form(encoded(f"{before}{password}"))
    # A sign that the password shares with what stands before it depends on that.
    start = -(-4 * len(before.encode()) // 3)
    least = 6 if sent.isupper() else 4
    for first in range(start, len(sent) - least):
        for end in range(first + least, len(sent) + 1):
            piece = sent[first:end].rstrip("=")
            if len(piece) >= least:
                shown = secrets.hide(f"535 5.7.8 no x{piece}y of you")
                left = shown.removeprefix("535 5.7.8 no x").removesuffix("y of you")
                assert not any(piece[at : at + 3] in left for at in range(len(piece) - 2)), (piece, shown)


def test_other_words_are_shown() -> None:
    """What servers say beside it stays."""
    text = "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6 5.7.139 [AM0PR04CA0012.eurprd04.prod.outlook.com]"
    assert Secrets(ENTRY.login).hide(text) == text


def test_secrets_cut_or_not_in_utf_8() -> None:
    """An echo without the padding of base64 is masked, and one of octets that are not UTF-8."""
    assert Secrets(ENTRY.login).hide("no czNjcmV0LVA0c3M") == "no ********"
    assert Secrets(Login("user", "p\udcff")).hide("no p\ufffd") == "no ********"


def test_each_class_is_documented() -> None:
    """The page has a heading for each class, and the services of which something is known."""
    text = (ROOT / "docs/testing.md").read_text("utf-8")
    headings = [line.removeprefix("### `").removesuffix("`") for line in text.splitlines() if line.startswith("### ")]
    assert headings == list(Failure)
    assert all(hint.text.partition(" ")[0].removesuffix("'s") in text for hint in HINTS)


@pytest.mark.parametrize("line", ["a\r\nb", "a\n", "a\0"])
def test_no_line_has_a_line_end(line: str) -> None:
    """What would make two commands of one is a bug of ours, and is not sent; the error does not show it."""
    with pytest.raises(ValueError, match=r"^a line of SMTP with a line end in it$"):
        SmtpConnection(None, 1, Secrets()).ask(line, "it")  # type: ignore[arg-type]  # nothing is sent


@pytest.mark.parametrize("said", [b"421 4.3.2 too busy\r\n", b""])
def test_last_words(said: bytes) -> None:
    """What a server said before it closed the connection is its reply to a command that could not be sent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        theirs.close()
        wire = SmtpConnection(ours, 5, Secrets())
        if said:
            assert wire.ask("EHLO me.test", "EHLO").text == "421 4.3.2 too busy"
        else:
            with pytest.raises(StepError, match=r"^connection lost: the connection broke at EHLO: Broken pipe$"):
                wire.ask("EHLO me.test", "EHLO")


def test_results_have_the_order_of_the_items() -> None:
    """Whichever is done first."""
    last = threading.Event()

    def wait(number: int) -> int:
        if number == 0:
            assert last.wait(10)
        if number == 2:
            last.set()
        return number

    done: list[int] = []
    assert run_all(wait, [0, 1, 2], done.append) == [0, 1, 2]
    assert done == [1, 2, 3]


def test_no_more_threads_than_there_may_be() -> None:
    """As many as may be work at the same time, and no more, however many items there are."""
    gate = threading.Barrier(PARALLEL_MAX)
    most: list[int] = []
    lock = threading.Lock()
    working = [0]

    def wait(_: int) -> None:
        with lock:
            working[0] += 1
            most.append(working[0])
        gate.wait(10)
        with lock:
            working[0] -= 1

    run_all(wait, list(range(PARALLEL_MAX * 2)))
    assert max(most) == PARALLEL_MAX


def test_a_bug_in_a_thread_is_no_silence() -> None:
    """An exception in one of the threads is raised to whoever waits for the results."""

    def fail(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_all(fail, [1])


def test_nothing_to_do() -> None:
    """No item, no thread, no result."""
    assert run_all(str, []) == []
