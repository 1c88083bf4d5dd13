"""What counts as lost, and what explains a double: a verdict that everybody can trust must be able to say no."""

from __future__ import annotations

from typing import Any

from testbed.fleet.load import Message
from testbed.fleet.verdict import Verdict, verdict

KILLED = "one"


def record(identity: str, host: str, queue_id: str, *, tls: bool = True) -> dict[str, Any]:
    """Return what the server wrote down."""
    return {"id": identity, "host": host, "queue_id": queue_id, "tls": tls}


def judge(messages: list[Message], *records: dict[str, Any]) -> Verdict:
    """Return the verdict where one replica was killed."""
    return verdict(messages, records, {KILLED})


def test_once_each() -> None:
    """Accepted and arrived once: nothing to say. What nobody accepted need not arrive."""
    found = judge([Message("a", ("two", "A")), Message("b")], record("a", "two", "A"))
    assert found == Verdict(1, 1, [], [], [], [], [])


def test_lost() -> None:
    """Accepted and not arrived is lost, also at a replica that was killed."""
    assert judge([Message("a", (KILLED, "A")), Message("b", ("two", "B"))]).lost == ["a", "b"]


def test_in_the_clear() -> None:
    """One copy without TLS is enough."""
    records = [record("a", "two", "A"), record("a", "two", "A", tls=False)]
    assert judge([Message("a", ("two", "A"))], *records).in_the_clear == ["a"]


def test_sent_again() -> None:
    """The same queue ID twice: explained at a replica that was killed, and nowhere else."""
    messages = [Message("a", (KILLED, "A")), Message("b", ("two", "B"))]
    copies = [record("a", KILLED, "A"), record("b", "two", "B")]
    found = judge(messages, *copies, *copies)
    assert (found.sent_again, found.unexplained) == (["a"], ["b"])


def test_handed_in_again() -> None:
    """Two queue IDs: explained where the answer of a killed replica was lost, and in no other case."""
    messages = [Message(name, ("two", name), unanswered=[host]) for name, host in {"a": KILLED, "b": "two"}.items()]
    messages += [Message("c", ("two", "c"))]
    records = [record(name, "two", name) for name in "abc"]
    records += [record("a", KILLED, "X"), record("b", "two", "Y"), record("c", KILLED, "Z")]
    found = judge(messages, *records)
    assert (found.handed_in_again, found.unexplained) == (["a"], ["b", "c"])


def test_both() -> None:
    """A killed replica may have sent again what was also handed in again."""
    records = [record("a", "two", "a"), record("a", KILLED, "X"), record("a", KILLED, "X")]
    found = judge([Message("a", ("two", "a"), unanswered=[KILLED])], *records)
    assert (found.sent_again, found.handed_in_again, found.unexplained) == (["a"], ["a"], [])


def test_nobody_s_message() -> None:
    """Two copies of what no client knows are not explained."""
    assert judge([], record("a", KILLED, "A"), record("a", "two", "B")).unexplained == ["a"]
