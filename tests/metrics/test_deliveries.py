"""``deliveries``, ``counters``, ``known_relays``: what is counted of a log, whatever stands in it, and what stays of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.metrics import counters
from dms_relay.metrics.deliveries import LINE_MAX, REASONS_MAX, Deliveries
from dms_relay.metrics.known_relays import LABELS_MAX, RELAYS

if TYPE_CHECKING:
    import random
    from pathlib import Path

HINTS = (
    "service\trelay-a\ta\nservice\trelay-b\tb\nhost\tr.test:587\t[r.test]:587\nhost\t::1:25\t[::1]\n"
    "domain\tprovider.test:25\tprovider.test\n"
)
HEAD = "Nov 26 12:00:00 mail postfix/"
TIMES = "delay=0.5, delays=0.1/0.1/0.1/0.2, dsn="
FAKE = "relay=evil[9.9.9.9]:25, delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory that knows some relays."""
    return known(tmp_path, HINTS)


def known(state: Path, hints: str) -> Path:
    """Write what relays there are, as another file than before."""
    fresh = state / "fresh"
    fresh.write_text(hints)
    fresh.chmod(0o600)
    fresh.rename(state / RELAYS)
    return state


def line(
    outcome: str = "2.0.0, status=sent (250 ok)",
    *,
    address: str = "b@r.test",
    relay: str = "r.test[192.0.2.1]:587",
    tag: str = "smtp",
) -> str:
    """Return a line of one recipient."""
    return f"{HEAD}{tag}[12]: 4D1F2A: to=<{address}>, relay={relay}, {TIMES}{outcome}\n"


def counted(state: Path, *lines: str | bytes) -> dict[str, float]:
    """Return what is counted of lines, without delays."""
    deliveries = Deliveries(str(state))
    for text in lines:
        deliveries.take(text if isinstance(text, bytes) else text.encode())
    return outcomes(deliveries)


def outcomes(deliveries: Deliveries) -> dict[str, float]:
    """Return what is counted but delays."""
    return {
        name: value
        for name, value in deliveries.counters.numbers.items()
        if name.split("\t")[0] not in {"stage", "delay"}
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (line(), "tried\t[r.test]:587\tsent\t2"),
        (line(relay="R.Test[192.0.2.1]:587"), "tried\t[r.test]:587\tsent\t2"),
        (line(relay="::1[::1]:25"), "tried\t[::1]\tsent\t2"),
        (line(relay="r.test[192.0.2.1]:25"), "tried\tdirect\tsent\t2"),
        (line(relay="mx1.provider.test[192.0.2.1]:25"), "tried\tprovider.test\tsent\t2"),
        (line(relay="notprovider.test[192.0.2.1]:25"), "tried\tdirect\tsent\t2"),
        (line(tag="relay-a/smtp"), "tried\ta\tsent\t2"),
        (line(tag="relay-b_shared/smtp"), "tried\tb\tsent\t2"),
        (line(tag="relay-gone/smtp"), "tried\tunknown\tsent\t2"),
        (line(tag="relay/smtp", relay="elsewhere.test[192.0.2.9]:25"), "tried\tdirect\tsent\t2"),
        (line("4.7.1, status=deferred (host said: 451 later)"), "tried\t[r.test]:587\tdeferred\t4"),
        (line("5.1.1, status=bounced (host said: 550 no)"), "tried\t[r.test]:587\tbounced\t5"),
        (line("5.1.1, status=SOFTBOUNCE (host said: 550 no)"), "tried\t[r.test]:587\tdeferred\t5"),
        (
            line("4.4.1, status=deferred (connect to r.test[192.0.2.1]:587: Connection refused)", relay="none"),
            "tried\t[r.test]:587\tdeferred\t4",
        ),
        (
            line("4.4.3, status=deferred (unable to look up host r.test: Temporary failure)", relay="none"),
            "tried\t[r.test]:587\tdeferred\t4",
        ),
        (line("4.3.0, status=deferred (unknown mail transport error)", relay="none"), "tried\tunknown\tdeferred\t4"),
        (line("5.4.6, status=bounced (mail loops)", relay="none", tag="error"), "untried\tunknown\tbounced\t5"),
        (f"{HEAD}smtpd[1]: connect from unknown[192.0.2.7]\n", "smtpd_connects"),
        (f"{HEAD}submission/smtpd[1]: 4D1F2A: client=unknown[192.0.2.7]\n", "smtpd_messages"),
        (f"{HEAD}smtpd[1]: NOQUEUE: reject: RCPT from x.test[192.0.2.7]: 554 5.7.1 <a>: no\n", "smtpd_rejected\t554"),
        (f"{HEAD}cleanup[1]: 4D1F2A: message-id=<x>\n", "cleanup_messages"),
        (f"{HEAD}qmgr[1]: 4D1F2A: removed\n", "qmgr_removed"),
        (f"{HEAD}qmgr[1]: 4D1F2A: from=<a@a.test>, status=expired, returned to sender\n", "qmgr_expired"),
        (f"{HEAD}qmgr[1]: 4D1F2A: from=<a@a.test>, status=force-expired, returned to sender\n", "qmgr_expired"),
        (f"{HEAD}bounce[1]: 4D1F2A: sender non-delivery notification: 5E\n", "bounce_notifications"),
        (f"{HEAD}smtp[1]: 4D1F2A: to=<b@r.test>, relay=x\n", "unparsed"),
        (f'{HEAD}smtp[1]: 4D1F2A: to=<"b@r.test>, {FAKE}\n', "unparsed"),
        (f'{HEAD}qmgr[1]: 4D1F2A: from=<"x, status=expired, returned to sender\n', "unparsed"),
        (line("9.0.0, status=sent (x)"), "unparsed"),
        (line("2.0.0, status=lost (x)"), "unparsed"),
        (line().replace("0.1/0.1/0.1/0.2", "nan/0/0/0"), "unparsed"),
        (line().replace("0.1/0.1/0.1/0.2", "0/0/0"), "unparsed"),
        (f"{HEAD}smtpd[1]: NOQUEUE: reject: RCPT from x.test[192.0.2.7]: 9999 x\n", "unparsed"),
        (f"{HEAD}smtpd[1]: NOQUEUE: reject: RCPT\n", "unparsed"),
    ],
)
def test_one_line(state: Path, text: str, name: str) -> None:
    """A line counts once, under one name."""
    assert counted(state, text) == {name: 1}


@pytest.mark.parametrize(
    "text",
    [
        line("2.0.0, status=deliverable (250 ok)"),
        f"{HEAD}smtp[1]: warning: to=<b@r.test>, {FAKE})\n",
        f"{HEAD}smtp[1]: 4D1F2A: host r.test[192.0.2.1] said: 451 to=<b@r.test>, {FAKE})\n",
        f"{HEAD}smtp[1]: connect to r.test[192.0.2.1]:587: Connection refused\n",
        f"{HEAD}cleanup[1]: 4D1F2A: warning: header Subject: to=<b@r.test>, {FAKE}) from x\n",
        f"{HEAD}smtpd[1]: warning: x: 4D1F2A: client=x\n",
        f"{HEAD}smtpd[1]: improper command pipelining after EHLO from x[192.0.2.7]: client=x\\r\\n\n",
        f"{HEAD}smtpd[1]: improper command pipelining after EHLO from x[192.0.2.7]: reject: x y z 599 \\r\\n\n",
        f"{HEAD}smtpd[1]: warning: client=x\n",
        f"{HEAD}cleanup[1]: warning: message-id=<x>\n",
        f'{HEAD}qmgr[1]: 4D1F2A: from=<"x>, status=expired, returned to sender"@a.test>, size=1, nrcpt=1 (queue active)\n',
        "some program of the operator's says: smtp[12]: to=<x>\n",
        "\n",
        "]: \n",
    ],
)
def test_no_delivery(state: Path, text: str) -> None:
    """What is no delivery counts as nothing, whatever strangers have written in it."""
    assert counted(state, text) == {}


@pytest.mark.parametrize("address", [f'"a>, {FAKE}"@r.test', f'"a\\">, {FAKE}"@r.test', '"\\\\"@r.test', '""@r.test'])
@pytest.mark.parametrize("how", ["to", "orig_to"])
def test_addresses_that_look_like_an_outcome(state: Path, address: str, how: str) -> None:
    """An address in quotes may hold all that follows an address; what counts is what stands behind it."""
    text = line("4.0.0, status=deferred (later)", address=address)
    if how == "orig_to":
        text = line("4.0.0, status=deferred (later)").replace("<b@r.test>", f"<b@r.test>, orig_to=<{address}>")
    assert counted(state, text) == {"tried\t[r.test]:587\tdeferred\t4": 1}


def test_replies_that_look_like_an_outcome(state: Path) -> None:
    """What a relay replies is no outcome."""
    text = line(f"4.0.0, status=deferred (host r.test said: 451 x), {FAKE}) status=bounced (x")
    assert counted(state, text) == {"tried\t[r.test]:587\tdeferred\t4": 1}


def test_a_reused_connection(state: Path) -> None:
    """A connection that is used again has one word more."""
    text = line().replace(", delay=", ", conn_use=7, delay=")
    assert counted(state, text) == {"tried\t[r.test]:587\tsent\t2": 1}


def test_lines_in_pieces(state: Path, drawn: random.Random) -> None:
    """However the log is cut into pieces, each line counts once."""
    lines = [line(), line(address="\udcff\udcfe@r.test"), line("5.0.0, status=bounced (no)"), line(tag="relay-a/smtp")]
    data = "".join(drawn.choices(lines, k=40)).encode(errors="surrogateescape")
    cuts = sorted(drawn.randrange(len(data)) for _ in range(60))
    pieces = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert counted(state, *pieces) == counted(state, data)
    assert sum(counted(state, data).values()) == 40


def test_a_line_without_an_end(state: Path) -> None:
    """A line that is too long is left out, and takes no memory; the next one counts."""
    deliveries = Deliveries(str(state))
    for _ in range(100):
        deliveries.take(b"x" * LINE_MAX)
    assert len(deliveries._rest) <= LINE_MAX  # noqa: SLF001 -- what is in memory
    deliveries.take(f"{line()}{line()}".encode())
    assert outcomes(deliveries) == {"tried\t[r.test]:587\tsent\t2": 1}


def test_what_the_queue_manager_does_not_try(state: Path) -> None:
    """Mail that is put off because a relay has just failed counts for that relay, though the line does not name it."""
    reason = "4.7.0, status=deferred (SASL authentication failed; server x said: 535 no)"
    suspended = reason.replace("(", "(delivery temporarily suspended: ")
    found = counted(state, line(reason, tag="relay-a/smtp"), line(suspended, relay="none", tag="error"))
    assert found == {"tried\ta\tdeferred\t4": 1, "untried\ta\tdeferred\t4": 1}


def test_reasons_are_bounded(state: Path) -> None:
    """No more than some reasons are kept, however many a relay gives."""
    deliveries = Deliveries(str(state))
    for number in range(2 * REASONS_MAX):
        deliveries.take(line(f"4.0.0, status=deferred (later {number})").encode())
    assert len(deliveries._reasons) == REASONS_MAX  # noqa: SLF001 -- what is in memory


def test_labels_are_bounded(state: Path) -> None:
    """However often the configuration changes, there are only so many labels, over restarts too."""
    for turn in range(3):
        known(state, "".join(f"service\trelay-x{turn}-{n}\tx{turn}-{n}\n" for n in range(LABELS_MAX)))
        deliveries = Deliveries(str(state))
        for number in range(LABELS_MAX):
            deliveries.take(line(tag=f"relay-x{turn}-{number}/smtp").encode())
        deliveries.counters.write(now=True)
    numbers = dict(counters.loaded(str(state / counters.COUNTS)))
    labels = {name.split("\t")[1] for name in numbers if name.startswith("tried")}
    assert (len(labels), numbers["tried\tother\tsent\t2"]) == (LABELS_MAX + 1, 2 * LABELS_MAX)


def test_relays_may_change(state: Path) -> None:
    """A new file of relays counts from the next piece on; one that is gone, or is not to be believed, changes nothing."""
    deliveries = Deliveries(str(state))
    deliveries.take(line().encode())
    known(state, "host\tr.test:587\tnew\n")
    deliveries.take(line().encode())
    known(state, "nonsense\n")
    deliveries.take(line().encode())
    known(state, "host\tr.test:587\tworse\n")
    (state / RELAYS).chmod(0o666)
    deliveries.take(line().encode())
    (state / RELAYS).unlink()
    deliveries.take(line().encode())
    assert outcomes(deliveries) == {"tried\t[r.test]:587\tsent\t2": 1, "tried\tnew\tsent\t2": 4}


def test_nothing_is_known(tmp_path: Path) -> None:
    """Without a file of relays no relay can be told."""
    assert counted(tmp_path, line()) == {"tried\tunknown\tsent\t2": 1}


def test_delays(state: Path) -> None:
    """Each of the four stages has its histogram, and what is delivered has one of the whole time; sums are exact."""
    deliveries = Deliveries(str(state))
    for text in (line(), line(), line("4.0.0, status=deferred (later)")):
        deliveries.take(text.encode())
    numbers = deliveries.counters.numbers
    assert (numbers["stage\t[r.test]:587\ttransmission\t3"], numbers["delay\t[r.test]:587\t1"]) == (3, 2)
    assert numbers["stage\t[r.test]:587\ttransmission\tsum"] == pytest.approx(0.6)
    assert numbers["delay\t[r.test]:587\tsum"] == pytest.approx(1.0)


def test_counters_go_on(state: Path) -> None:
    """What one process has written is where the next one goes on, and when counting began stays."""
    first = Deliveries(str(state))
    first.take(line().encode())
    first.counters.write()
    first.take(line().encode())
    first.counters.write()
    assert dict(counters.loaded(str(state / counters.COUNTS)))["tried\t[r.test]:587\tsent\t2"] == 1
    assert 0 < (first.counters.rest() or 0) <= counters.INTERVAL
    first.counters.write(now=True)
    second = Deliveries(str(state))
    second.take(line().encode())
    assert second.counters.since == pytest.approx(first.counters.since)
    assert outcomes(second) == {"tried\t[r.test]:587\tsent\t2": 3}
    assert (state / counters.COUNTS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["half", "other version", "negative", "nonsense", "others can write it", "a link"])
def test_a_file_that_cannot_be_used(state: Path, damage: str) -> None:
    """Of a file that is not as we write it nothing counts: all begins at 0."""
    first = Deliveries(str(state))
    first.take(line().encode())
    first.counters.write(now=True)
    path = state / counters.COUNTS
    text = path.read_text()
    if damage == "others can write it":
        path.chmod(0o666)
    elif damage == "a link":
        path.rename(state / "elsewhere")
        path.symlink_to(state / "elsewhere")
    else:
        other = {"half": text[:60], "other version": text.replace("1,", "9,", 1), "nonsense": "\0\xff"}
        path.write_text(other.get(damage, text.replace(": 1,", ": -1,").replace('"version": -1', '"version": 1')))
    assert Deliveries(str(state)).counters.numbers == {}


def test_a_directory_that_cannot_be_written(state: Path) -> None:
    """Where the file cannot be written, an error says so, and what was counted is written when it can be."""
    deliveries = Deliveries(str(state))
    deliveries.take(line().encode())
    moved = state.with_name(f"{state.name}-moved")
    state.rename(moved)
    with pytest.raises(OSError, match="No such file"):
        deliveries.counters.write(now=True)
    moved.rename(state)
    deliveries.counters.write(now=True)
    assert dict(counters.loaded(str(state / counters.COUNTS)))["tried\t[r.test]:587\tsent\t2"] == 1
    assert not list(state.glob(".*.tmp"))
