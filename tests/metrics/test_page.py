"""The text for Prometheus: read by its own parser, and held to what is in the state directory."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dms_relay.mail_queue import Group, Reason
from dms_relay.metrics.deliveries import Deliveries
from dms_relay.metrics.names import METRICS
from dms_relay.metrics.page import page
from dms_relay.metrics.queue import Queue
from dms_relay.model import Paths
from dms_relay.watch.record import RECORD
from tests.metrics.test_deliveries import HEAD, HINTS, known, line

if TYPE_CHECKING:
    from pathlib import Path

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
RESULTS = [
    {"relay": "a", "nexthop": "[a.test]:587", "login": "me (env)", "result": "ok", "seconds": 0.5,
     "certificate_until": "2030-01-02T03:04:05+00:00"},
    {"relay": "b", "nexthop": "[b.test]:587", "login": None, "result": "login refused", "seconds": 1.5},
]  # fmt: skip


class GivenQueue(Queue):
    """A queue with some groups, as if it were read."""

    def __init__(self, paths: Paths, groups: list[Group] | None) -> None:
        """Take them; ``None`` for a queue that cannot be read."""
        super().__init__(paths)
        self._groups, self._is_readable, self._at = groups, groups is not None, time.time()
        self._is_read.set()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return places without a Postfix that runs, and with something counted."""
    paths = Paths(tmp_path / "config", tmp_path / "postfix", tmp_path / "state")
    for path in (paths.config_dir, paths.postfix_dir, paths.state_dir):
        path.mkdir(mode=0o700)
    (paths.postfix_dir / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {tmp_path}\n")
    (paths.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n")
    deliveries = Deliveries(str(known(paths.state_dir, HINTS)))
    for text in (line(), line(), line("4.0.0, status=deferred (later)"), line(tag="relay-a/smtp")):
        deliveries.take(text.encode())
    deliveries.take(f"{HEAD}smtpd[1]: connect from x\n{HEAD}smtpd[1]: NOQUEUE: reject: RCPT from x: 554 no\n".encode())
    deliveries.counters.write(now=True)
    return paths


def group(relay: str, **more: Any) -> Group:  # noqa: ANN401 -- fields of a group
    """Return a group with two messages."""
    given = {"waiting": 3, "messages": 2, "oldest": time.time() - 50, "size": 900, "queues": {"deferred": 2}, **more}
    return Group(relay=relay, **given)


def record(paths: Paths, **more: Any) -> None:  # noqa: ANN401 -- what a record holds
    """Write what a keeper says of itself."""
    path = paths.state_dir / RECORD
    path.write_text(json.dumps({"version": 1, "started": 5.0, "children": {}, "troubles": [], **more}))
    path.chmod(0o600)


def text(paths: Paths, groups: list[Group] | None = None) -> str:
    """Return the page."""
    return page(paths, {}, GivenQueue(paths, groups), "3.7.11").decode()


def samples(text: str) -> Samples:
    """Read the page as Prometheus' own parser does; each sample stands there once."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert METRICS[name].kind == family.type
        assert METRICS[name].text == family.documentation
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(METRICS[name].labels)
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def labels(**given: str) -> tuple[tuple[str, str], ...]:
    """Return labels as a key."""
    return tuple(sorted(given.items()))


def test_counters_and_histograms(paths: Paths) -> None:
    """What is counted is there, 0 for what has not happened yet, and a histogram adds up."""
    found = samples(text(paths))
    name = "postfix_smtp_messages_processed_total"
    assert found[name, labels(relay="[r.test]:587", status="sent", dsn="2")] == 2
    assert found[name, labels(relay="[r.test]:587", status="deferred", dsn="4")] == 1
    assert found[name, labels(relay="a", status="sent", dsn="2")] == 1
    assert found[name, labels(relay="b", status="sent", dsn="2")] == 0
    assert found["postfix_smtpd_connects_total", ()] == 1
    assert found["postfix_smtpd_messages_rejected_total", labels(code="554")] == 1
    assert found["postfix_qmgr_messages_removed_total", ()] == 0
    delay = "dms_relay_delivery_delay_seconds"
    assert found[f"{delay}_count", labels(relay="[r.test]:587")] == 2
    assert found[f"{delay}_sum", labels(relay="[r.test]:587")] == pytest.approx(1.0)
    assert found[f"{delay}_bucket", labels(relay="[r.test]:587", le="0.1")] == 0
    assert found[f"{delay}_bucket", labels(relay="[r.test]:587", le="0.5")] == 2
    assert found[f"{delay}_bucket", labels(relay="[r.test]:587", le="+Inf")] == 2


def test_nobody_counts(paths: Paths) -> None:
    """Without an entrypoint that counts there is no metric of deliveries."""
    for path in paths.state_dir.iterdir():
        path.unlink()
    assert not [name for name, _ in samples(text(paths)) if name.startswith("postfix_")]


def test_the_queue(paths: Paths) -> None:
    """Each relay has what waits for it; one with nothing has 0; signs that cannot be shown are replaced."""
    reasons = (Reason("login refused", 3, "", ""),)
    found = samples(text(paths, [group("a", reasons=reasons, senders={"a.test": 2}), group('odd"\n\\relay')]))
    assert found["dms_relay_queue_messages", labels(relay="a")] == 2
    assert found["dms_relay_queue_recipients_by_reason", labels(relay="a", reason="login refused")] == 3
    assert found["dms_relay_queue_messages_by_sender", labels(relay="a", sender_domain="a.test")] == 2
    assert found["dms_relay_queue_messages_by_queue", labels(relay="a", queue="deferred")] == 2
    assert 49 < found["dms_relay_queue_oldest_age_seconds", labels(relay="a")] < 80
    assert found["dms_relay_queue_messages", labels(relay='odd"?\\relay')] == 2
    assert found["dms_relay_queue_messages", labels(relay="b")] == 0


def test_a_queue_that_cannot_be_read(paths: Paths) -> None:
    """It is said so, and nothing of what waits; the real one, of a Postfix without postqueue's files, as well."""
    found = samples(text(paths))
    assert found["dms_relay_queue_readable", ()] == 0
    assert not [name for name, _ in found if name == "dms_relay_queue_messages"]
    (paths.postfix_dir / "main.cf").unlink()
    queue = Queue(paths)
    queue.read()
    assert samples(page(paths, {}, queue, "").decode())["dms_relay_queue_readable", ()] == 0


def test_what_the_keeper_says(paths: Paths) -> None:
    """Login tests and the ends of certificates are of its record; none runs, so the inputs are looked at themselves."""
    record(paths, tests={"at": 100.0, "results": RESULTS})
    found = samples(text(paths))
    assert found["dms_relay_login_test_success", labels(relay="a", nexthop="[a.test]:587", login="me (env)")] == 1
    assert found["dms_relay_login_test_success", labels(relay="b", nexthop="[b.test]:587", login="")] == 0
    end = found["dms_relay_certificate_expiry_timestamp_seconds", labels(relay="a", nexthop="[a.test]:587")]
    assert end == 1893553445
    assert found["dms_relay_login_test_timestamp_seconds", ()] == 100
    assert (found["dms_relay_keeper_running", ()], found["dms_relay_apply_due", ()]) == (0, 0)


def test_wrong_inputs(paths: Paths) -> None:
    """Each error in the inputs counts, and a change that is not applied is due."""
    (paths.config_dir / "postfix-relaymap.cf").write_text("@a.test [r.test]:587x\n@b.test [r.test\n")
    assert samples(text(paths))["dms_relay_wrong_inputs", ()] == 2
    (paths.config_dir / "postfix-relaymap.cf").write_text("@a.test [r.test]:587\n")
    found = samples(text(paths))
    assert (found["dms_relay_wrong_inputs", ()], found["dms_relay_apply_due", ()]) == (0, 1)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not there (Debian: prometheus)")
def test_promtool_takes_it(paths: Paths) -> None:
    """Prometheus' own tool has nothing to say of the page."""
    record(paths, tests={"at": 100.0, "results": RESULTS})
    given = text(paths, [group("a", senders={"a.test": 2})])
    done = subprocess.run(["promtool", "check", "metrics"], input=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
