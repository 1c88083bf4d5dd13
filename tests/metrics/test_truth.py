"""The counters against the truth: what the relays wrote down, and what Postfix did, for a random mix of mail."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

from dms_relay.metrics.deliveries import TRIED, UNTRIED
from dms_relay.metrics.endpoint import VARIABLE
from testbed import Inputs, Postfix
from tests.metrics.copier import PATIENCE, Copier
from tests.metrics.relays import Relay
from tests.running.needs import require_postfix
from tests.support.amounts import Figures, amount
from tests.support.scene import wait_until

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MESSAGES = amount(40, 2000)
#: Messages for the relay that cannot be reached, before all others: the queue manager tries one, and puts off the rest.
AT_ONCE = 6
#: What the names of recipients begin with, so that a relay takes them or not.
KINDS = (
    "friend{}",
    "refused{}",
    "later{}",
    '"friend{}>, relay=x, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (x"',
    '"refused{}\\">, relay=x, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (x"',
)
SENDERS = ("anna@a.test", "bob@b.test", "carl@c.test", '"x>, status=sent (250 ok"@a.test')
PROGRAMS = {"smtp": TRIED, "error": UNTRIED}
#: Behind the address, whose domain no quoted part has, comes what is true.
_TRUE = re.compile(r"@[abcr]\.test>, relay=.*?, status=(\w+) ")
#: What the queue manager says of each message, first and last.
_ACTIVE, _REMOVED = (re.compile(rf"/qmgr\[\d+\]: (\w+): {said}", re.MULTILINE) for said in ("from=<", "removed$"))


@pytest.fixture
def relays() -> Iterator[dict[str, Relay]]:
    """Yield three relays, the last of which does not listen yet."""
    found = {name: Relay(name) for name in ("a", "b", "c")}
    for name in ("a", "b"):
        found[name].start()
    yield found
    for relay in found.values():
        relay.stop()


def write_inputs(inputs: Inputs, relays: dict[str, Relay], routing: str) -> dict[str, str]:
    """Have each sender's mail go through one relay, and bounces through the first one; return the relays' labels."""
    if routing == "maps":
        lines = [f"@{name}.test [{relay.host}]:{relay.port}\n" for name, relay in relays.items()]
        inputs.write("postfix-relaymap.cf", "".join(lines))
        inputs.settings["DEFAULT_RELAY_HOST"] = f"[{relays['a'].host}]:{relays['a'].port}"
        return {name: f"[{relay.host}]:{relay.port}" for name, relay in relays.items()}
    entries = {
        name: {"host": relay.host, "port": relay.port, "tls": {"level": "none"}} for name, relay in relays.items()
    }
    senders = {f"@{name}.test": name for name in relays}
    document = {"version": 1, "relays": entries, "senders": senders, "default": "a"}
    inputs.write("relay.yaml", yaml.safe_dump(document))
    inputs.settings["RELAY_ROUTING"] = "transports"
    return {name: name for name in relays}


@pytest.mark.soak
@pytest.mark.parametrize("routing", ["maps", "transports"])
def test_counters_are_true(
    relays: dict[str, Relay], tmp_path: Path, routing: str, drawn: random.Random, figures: Figures
) -> None:
    """Of each relay, as many recipients are counted as sent, deferred and bounced as it has taken, put off and refused.

    One relay cannot be reached at first: what Postfix puts off then, tried or not, is counted for it as well. Addresses and
    replies have parts that look like an outcome.
    """
    require_postfix()
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    inputs = Inputs(tmp_path / "config", **{VARIABLE: ":9154", "DMS_RELAY_STATE_DIR": str(state)})
    labels = write_inputs(inputs, relays, routing)
    # One failure is then enough for the queue manager to put a relay off.
    with Postfix(settings={"initial_destination_concurrency": "1"}) as postfix:
        with Copier(postfix.layout.log, state) as copier:
            inputs.apply(postfix)
            postfix.send("carl@c.test", ["friend@r.test"], "first", AT_ONCE)
            sent = AT_ONCE + _send(postfix, MESSAGES, drawn)
            relays["c"].start()
            postfix.wait_until_queue_empty(PATIENCE)
            wait_until(lambda: _is_all_logged(postfix.log()))
            log = postfix.log()
        found = Counter(copier.numbers())
    figures(sent, f"recipients by {routing}, counted and received")
    assert found["unparsed"] == 0
    for name, relay in relays.items():
        tried = _counted(found, TRIED, labels[name])
        assert +Counter({**relay.done, "deferred": tried["deferred"]}) == tried, name
        if name != "c":
            assert tried["deferred"] == relay.done["deferred"]
    assert _in_log(log) == {(kind, status): n for kind in PROGRAMS.values() for status, n in _all(found, kind).items()}
    untried = _all(found, UNTRIED)
    assert untried == _counted(found, UNTRIED, labels["c"])
    assert untried["deferred"] > 0


def _send(postfix: Postfix, count: int, drawn: random.Random) -> int:
    total = 0
    for number in range(count):
        kinds = [drawn.choice(KINDS) for _ in range(drawn.choice([1, 1, 1, 3]))]
        recipients = [f"{kind.format(f'{number}.{place}')}@r.test" for place, kind in enumerate(kinds)]
        postfix.send(drawn.choice(SENDERS), recipients, str(number))
        total += len(recipients)
    return total


def _counted(found: Mapping[str, float], kind: str, label: str) -> Counter[str]:
    """Return what is counted of one relay, by outcome."""
    names = (name.split("\t") for name in found)
    counts = {name[2]: found["\t".join(name)] for name in names if name[:2] == [kind, label]}
    return Counter({status: int(count) for status, count in counts.items()})


def _all(found: Mapping[str, float], kind: str) -> Counter[str]:
    """Return what is counted of all relays, by outcome."""
    labels = {name.split("\t")[1] for name in found if name.startswith(f"{kind}\t")}
    return sum((_counted(found, kind, label) for label in labels), Counter())


def _is_all_logged(log: str) -> bool:
    """Return True if the end of each message, and of each bounce, is in the log, which a process of its own writes."""
    removed = {*_REMOVED.findall(log)}
    return len(removed) > MESSAGES and removed == {*_ACTIVE.findall(log)}


def _in_log(log: str) -> Counter[tuple[str, str]]:
    """Count the outcomes in Postfix's log another way: each of a line's queue identifier and program, by its true words."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in log.splitlines():
        program, _, rest = line.partition("]: ")[0].rpartition("/")[2].partition("[")[0], "", line.partition("]: ")[2]
        if program in PROGRAMS and (outcome := _TRUE.search(rest)):
            counts[PROGRAMS[program], outcome[1]] += 1
    return counts
