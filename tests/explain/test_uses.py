"""Who uses which relay with which login: what follows from the inputs is what Postfix finds in what they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from dms_relay.assignments import assignments
from dms_relay.explain.report import route_document
from dms_relay.explain.views import view_now
from dms_relay.merge import merge
from dms_relay.model import Paths
from dms_relay.postfix.programs import Postfix
from dms_relay.sources import read
from testbed import STRANGER, Inputs, Relay
from tests.explain.test_command import MASTER_CF
from tests.running.leaks import RECIPIENTS, SENDERS, SERVERS, Config, configs, write_cf, write_yaml
from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

DIRECTLY = ""
"""The nexthop of a use where mail goes without a relay."""
EXAMPLES = 15
"""Configurations for each way of routing; each takes a tenth of a second."""

PHASES = [Phase.explicit, Phase.generate]
DIRECT_WITH_LOGIN = Config(
    ("a",), logins=frozenset(), default=None, routes={}, own=frozenset(), stray=frozenset({"@d1.test"})
)
"""With maps, a stranger is offered this login: mail of the domain goes directly, and Postfix finds the login by sender."""


@pytest.fixture(scope="module")
def relays() -> dict[str, Relay]:
    """Return relays that are not started: their names alone count."""
    return {name: Relay(name, STRANGER, host=f"127.0.0.{10 + at}", port=587) for at, name in enumerate(SERVERS)}


@pytest.mark.parametrize("routing", ["maps", "transports", "yaml"])
def test_uses_are_what_postfix_finds(sandbox: Sandbox, relays: dict[str, Relay], routing: str) -> None:
    """No mail is offered a login that is not among the uses, at a nexthop or directly: ``check`` and ``test`` rely on it."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    # As Debian and docker-mailserver have it; which sign it is, the inputs do not say.
    sandbox.write_main_cf(f"{BASE_MAIN_CF}recipient_delimiter = +\n")
    inputs = Inputs(sandbox.config_dir)
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=slow, database=None, phases=PHASES)
    @example(config=DIRECT_WITH_LOGIN, sender=SENDERS[0], other=SENDERS[0])
    @given(config=configs(is_cf=routing != "yaml"), sender=st.sampled_from(SENDERS), other=st.sampled_from(SENDERS))
    def check(config: Config, sender: str, other: str) -> None:
        if routing == "yaml":
            write_yaml(config, inputs, relays)
        else:
            write_cf(config, inputs, relays, routing)
        assert sandbox.run("--log-level", "error", "apply", env=inputs.settings).code == 0
        found = merge(read(Paths(sandbox.config_dir, sandbox.postfix_dir), inputs.settings))
        known = {(use.nexthop, use.entry.login.username if use.entry else None) for use in assignments(found)}
        known.add((DIRECTLY, None))  # nobody is named who goes directly and has no login
        view = view_now(Postfix(sandbox.postfix_dir))
        for address, recipient in ((sender, RECIPIENTS[0]), (other, RECIPIENTS[2])):
            way = route_document(view, None, "" if address == "<>" else address, recipient)
            nexthops = [DIRECTLY if way["is_direct"] else hop["nexthop"] for hop in way["hops"]]
            users = [hop["login"] and hop["login"]["username"] for hop in way["hops"]]
            assert nexthops
            assert set(zip(nexthops, users, strict=True)) <= known

    check()
