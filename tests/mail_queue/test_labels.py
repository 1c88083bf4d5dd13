"""Messages are counted for the relay of the configuration in force, with few processes, in a bounded number of groups.

``tests/running/test_queue.py`` holds the labels to what arrives where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.mail_queue import DIRECT, OTHER, UNKNOWN, Group, Recipient, Waiting, by_relay, groups
from dms_relay.mail_queue.senders import GROUPS_MAX
from dms_relay.model import Paths
from dms_relay.postfix.programs import Postfix
from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.sandbox import Sandbox

MASTER_CF = (
    "smtp unix - - n - - smtp\nlocal unix - n n - - local\nerror unix - - n - - error\nlmtp unix - - n - - lmtp\n"
)
COUNT = 6000
"""Messages of a long queue: more than one batch."""


def message(sender: str, *recipients: str, queue: str = "deferred", number: int = 1) -> Waiting:
    """Return a message that waits, not tried yet."""
    return Waiting(queue, f"{number:X}", float(number), 100, sender, tuple(Recipient(name, "") for name in recipients))


def grouped(sandbox: Sandbox, settings: str, waiting: Iterator[Waiting] | Sequence[Waiting]) -> dict[str, Group]:
    """Return what waits by label, with some settings of main.cf."""
    sandbox.write_main_cf(f"{BASE_MAIN_CF}recipient_delimiter = +\nmydestination = own.test\n{settings}\n")
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    return {group.relay: group for group in by_relay(Paths(sandbox.config_dir, sandbox.postfix_dir), waiting)}


def test_nothing_waits(sandbox: Sandbox) -> None:
    """An empty queue has no groups, and no program is asked."""
    assert by_relay(Paths(sandbox.config_dir, sandbox.postfix_dir), []) == []


def test_what_is_counted(sandbox: Sandbox) -> None:
    """Recipients are counted once; a message is counted once in the group of each relay, with its size, age and queue."""
    waiting = [
        message("a@d.test", "b@x.test", "c@x.test", "d@y.test", number=7),
        message("", "b@x.test", queue="active", number=9),
        message("e@d.test", "f@own.test", number=8),
    ]
    found = grouped(sandbox, "relayhost = [r.test]:587\ntransport_maps = inline:{ y.test=smtp:[s.test] }", waiting)
    assert {label: (group.waiting, group.messages, group.oldest, group.size) for label, group in found.items()} == {
        "[r.test]:587": (3, 2, 7.0, 200),
        "[s.test]": (1, 1, 7.0, 100),
        DIRECT: (1, 1, 8.0, 100),
    }
    assert found["[r.test]:587"].queues == {"deferred": 1, "active": 1}
    assert found["[r.test]:587"].senders == {"<>": 1, OTHER: 1}
    assert list(found) == ["[r.test]:587", "[s.test]", DIRECT]


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ("", DIRECT),
        ("relayhost = [r.test]", "[r.test]"),
        ("relayhost = b.test", "b.test"),
        ("relayhost = x.test", DIRECT),
        ("default_transport = lmtp:[r.test]:24", DIRECT),
        ("default_transport = error:no", DIRECT),
        ("default_transport = gone", UNKNOWN),
        ("transport_maps = texthash:/nowhere/table", UNKNOWN),
        ("sender_dependent_relayhost_maps = inline:{ @d.test=[q.test]:25 }\nrelayhost = [r.test]", "[q.test]:25"),
        ("transport_maps = inline:{ {.test = smtp:[p.test]} }\nparent_domain_matches_subdomains =", "[p.test]"),
    ],
)
def test_labels(sandbox: Sandbox, settings: str, label: str) -> None:
    """A label is a nexthop of the configuration, or says that there is none, or that it cannot be worked out."""
    assert list(grouped(sandbox, settings, [message("a@d.test", "b@x.test")])) == [label]


def test_quotes_and_new_messages(sandbox: Sandbox) -> None:
    """A user in quotes is looked up without them; what cleanup(8) has not seen yet is completed and rewritten first."""
    settings = (
        "myorigin = d.test\nsender_canonical_maps = inline:{ {root@d.test = boss@e.test} }\n"
        "sender_dependent_relayhost_maps = inline:{ {a b@d.test = [q.test]}, {@e.test = [e.test]} }"
    )
    waiting = [
        message('"a b"@d.test', "x@x.test"),
        message("root", "x@x.test", queue="maildrop"),
        message("root@d.test", "x@x.test"),
    ]
    found = grouped(sandbox, settings, waiting)
    assert {label: group.messages for label, group in found.items()} == {"[q.test]": 1, "[e.test]": 1, DIRECT: 1}


def test_without_recipients(sandbox: Sandbox) -> None:
    """A message whose recipients are not known yet waits, for nobody knows whom; one that all have got waits no more."""
    found = grouped(sandbox, "", [message("a@d.test", queue="maildrop"), message("a@d.test", queue="active")])
    assert {label: (group.messages, group.waiting) for label, group in found.items()} == {UNKNOWN: (1, 0)}


def test_few_processes(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long queue does not start a process for each key, of whatever type the tables are."""
    (sandbox.postfix_dir / "table").write_text("u7@d7.test [own.test]:25\n@d8.test [eight.test]\n")
    (sandbox.postfix_dir / "patterns").write_text("/^r9@x.test$/ smtp:[nine.test]\n")
    asked: list[str] = []
    lookup = Postfix.lookup

    def counted(self: Postfix, table: str, keys: Sequence[str]) -> dict[str, str]:
        asked.append(table)
        return lookup(self, table, keys)

    monkeypatch.setattr(Postfix, "lookup", counted)
    settings = (
        f"sender_dependent_relayhost_maps = texthash:{sandbox.postfix_dir}/table\n"
        f"transport_maps = regexp:{sandbox.postfix_dir}/patterns, texthash:{sandbox.postfix_dir}/table"
    )
    waiting = (message(f"u{at % 1000}@d{at % 1000}.test", f"r{at % 3000}@x.test") for at in range(COUNT))
    found = grouped(sandbox, settings, waiting)
    assert {label: group.messages for label, group in found.items()} == {
        DIRECT: COUNT - 2 * COUNT // 1000 - COUNT // 3000,
        "[own.test]:25": COUNT // 1000,
        "[eight.test]": COUNT // 1000,
        "[nine.test]": COUNT // 3000,
    }
    assert len(asked) < COUNT // 500


def test_bounded(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither relays nor senders make more groups than there may be: the rest is in one."""
    monkeypatch.setattr(groups, "LABELS_MAX", 3)
    domains = GROUPS_MAX + 10
    (sandbox.postfix_dir / "vhost").write_text("".join(f"d{at}.test\n" for at in range(domains)))
    routes = ", ".join(f"{{x{at} = smtp:[x{at}.test]}}" for at in range(9))
    settings = f"transport_maps = inline:{{ {routes} }}"
    waiting = [message(f"a@d{at}.test", f"b@x{at % 9}") for at in range(domains)] + [message("a@d5.test", "b@x1")]
    found = grouped(sandbox, settings, waiting)
    assert len(found) == 4
    assert OTHER in found
    senders = {name for group in found.values() for name in group.senders}
    assert len(senders) == GROUPS_MAX + 1
    assert "d5.test" in senders
    assert sum(group.messages for group in found.values()) == len(waiting)
