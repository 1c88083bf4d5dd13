"""How often the queue is read, however many ask."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from dms_relay.metrics import queue
from dms_relay.metrics.queue import Queue
from dms_relay.metrics.sheet import Sheet
from dms_relay.model import Paths

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_all_share_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the queue is read, and for a while after, whoever asks has it read no more, and gets what is known."""
    began: list[float] = []
    may_end = threading.Event()

    def slow(*_: object) -> list[object]:
        began.append(time.monotonic())
        may_end.wait(10)
        return []

    monkeypatch.setattr(queue, "by_relay", slow)
    monkeypatch.setattr(queue, "listing", lambda _: ())
    monkeypatch.setattr(queue, "FIRST_WAIT", 0.05)
    found = Queue(Paths(tmp_path, tmp_path, tmp_path))
    for _ in range(5):
        found.ask()
    sheet = Sheet()
    found.add(sheet)
    assert not list(sheet.collect())
    may_end.set()
    while not found._is_read.is_set():  # noqa: SLF001 -- the thread's end
        time.sleep(0.01)
    for _ in range(5):
        found.ask()
    found.add(sheet)
    assert len(began) == 1
    assert {family.name for family in sheet.collect()} == {
        "dms_relay_queue_readable",
        "dms_relay_queue_listed_timestamp_seconds",
    }


def test_a_long_reading_is_rare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is done for a tenth of the time at most."""
    monkeypatch.setattr(queue, "PAUSE", 0.0)
    monkeypatch.setattr(queue, "by_relay", lambda *_: time.sleep(0.05))
    monkeypatch.setattr(queue, "listing", lambda _: ())
    found = Queue(Paths(tmp_path, tmp_path, tmp_path))
    found.read()
    assert found._not_before - time.monotonic() > queue.FACTOR * 0.05 - 0.1  # noqa: SLF001 -- when it may be read again
