"""Login tests on a timer: their results are recorded, and each change of one is said once."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from testbed import Auth, Mode, Testbed, Tls
from tests.watch.keeping import program, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.watch.keeping import Keeping


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """Yield an empty testbed."""
    with Testbed() as testbed:
        yield testbed


def results_of(keeping: Keeping, before: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Return the results of one test after others, and what is said."""
    fed = {"config_dir": str(keeping.sandbox.config_dir), "is_named": True, "before": before}
    done = subprocess.run(
        program(keeping.sandbox, "keep", "test"),
        env=keeping.env,
        input=json.dumps(fed),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["results"], done.stderr


def test_each_change_is_said_once(keeping: Keeping, testbed: Testbed) -> None:
    """A relay that refuses a login which it took before is an error, once; one that takes it again is said once."""
    taken = {"u": "one"}
    relay = testbed.relay("relay", Mode(Tls.OFFERED, Auth.DEMANDED, logins=taken))
    keeping.env["DEFAULT_RELAY_HOST"] = relay.nexthop
    first, said = results_of(keeping, [])
    assert ([found["result"] for found in first], "login test" in said) == (["ok"], False)
    taken["u"] = "another"
    second, said = results_of(keeping, first)
    assert said.count("[error") == 1
    assert "login test: wrong login: " in said
    assert " -- " in said
    third, said = results_of(keeping, second)
    assert (third[0]["result"], "login test" in said) == ("wrong login", False)
    taken["u"] = "one"
    fourth, said = results_of(keeping, third)
    assert (fourth[0]["result"], said.count("login test: the relay works again")) == ("ok", 1)


def test_on_a_timer(keeping: Keeping) -> None:
    """The keeper tests when it has applied; a failure shows in status, and is no reason to start the container again."""
    keeping.env |= {"RELAY_TEST_INTERVAL": "1h", "DEFAULT_RELAY_HOST": "[127.0.0.1]:1"}
    keeping.start()
    wait_until(lambda: keeping.record()["tests"]["results"], "results")
    assert keeping.health() == ["ok"]
    wait_until(lambda: "login test: refused" in keeping.log(), "the error")
    code, status = keeping.status()
    assert (code, status["tests"]["results"][0]["result"]) == (1, "refused")
    assert status["troubles"][0].startswith(
        "test: [127.0.0.1]:1, u (env RELAY_USER, env RELAY_PASSWORD__FILE): refused: "
    )
    keeping.restart()
    assert keeping.log().count("login test:") == 1
