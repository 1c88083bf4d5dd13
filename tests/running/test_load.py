"""Reconfiguring under load: mail keeps flowing while `apply` moves every sender from one set of relays to another.

Four relays, which demand TLS and a login (530 without, so that a message which
comes without would bounce). In configuration one, all mail goes to relays a and
c, in configuration two to b and d, and each configuration knows the logins of
its own two relays alone. `apply` runs 30 times between the two, while four
connections hand in mail, so much that some is always on its way.
"""

from pathlib import Path

import pytest

from testbed import Inputs, Postfix, Testbed
from testbed.inputs import LOGINS, RELAYMAP
from tests.running.load import SLOW, check, run_load
from tests.support.amounts import Figures


@pytest.fixture
def postfix(testbed: Testbed) -> Postfix:
    """Return a running Postfix and the relays a to d."""
    for name in "abcd":
        testbed.relay(name, SLOW)
    return testbed.postfix({"smtp_tls_security_level": "may"})


@pytest.fixture
def configurations(testbed: Testbed, postfix: Postfix, tmp_path: Path) -> tuple[Inputs, Inputs]:
    """Return configuration one, with relays a and c, and configuration two, with b and d; routes and ENV login only."""
    (postfix.config / "vhost").write_text("managed.test\nbox.test\nmapped.test\n")
    return _configuration(testbed, tmp_path / "one", "a", "c"), _configuration(testbed, tmp_path / "two", "b", "d")


def _configuration(testbed: Testbed, directory: Path, default: str, other: str) -> Inputs:
    first, second = testbed.relays[default], testbed.relays[other]
    inputs = Inputs(
        directory,
        DEFAULT_RELAY_HOST=first.nexthop,
        RELAY_USER=f"user-{default}",
        RELAY_PASSWORD="pw",
        RELAY_HOST=second.host,
        RELAY_PORT=str(second.port),
    )
    inputs.write(RELAYMAP, f"@mapped.test {second.nexthop}\nvip@box.test {first.nexthop}\n")
    return inputs


@pytest.mark.long
@pytest.mark.soak
def test_logins_by_nexthop(
    testbed: Testbed,
    postfix: Postfix,
    configurations: tuple[Inputs, Inputs],
    figures: Figures,
) -> None:
    """Every message arrives exactly once, none without TLS, and no relay is offered the login of another."""
    for inputs, name in zip(configurations, "cd", strict=True):
        inputs.write(LOGINS, f"{testbed.relays[name].nexthop} user-{name}:pw\n")
    outcome = run_load(testbed, postfix, *configurations)
    check(outcome, figures)
    assert outcome.crossings == []


@pytest.mark.long
@pytest.mark.soak
def test_logins_by_sender(
    testbed: Testbed,
    postfix: Postfix,
    configurations: tuple[Inputs, Inputs],
    figures: Figures,
) -> None:
    """Every message arrives exactly once over TLS; a login by sender may cross in that moment, one by nexthop does not."""
    for inputs, first, second in zip(configurations, "ab", "cd", strict=True):
        inputs.write(
            LOGINS,
            f"@managed.test by-sender-{second}:pw\n@mapped.test by-sender-{second}:pw\n"
            f"vip@box.test by-sender-{first}:pw\n",
        )
    outcome = run_load(testbed, postfix, *configurations)
    check(outcome, figures)
    assert [user for _, user in outcome.crossings if not user.startswith("by-sender-")] == []
