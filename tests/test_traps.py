"""The traps that keep the tests from the machine that they run on."""

from __future__ import annotations

from dms_relay.sources.environment import OURS
from tests.conftest import own_settings


def test_no_setting_of_the_machine_reaches_a_test() -> None:
    """Each variable that the command knows, also one that names a secret file, is taken away; no other is."""
    known = [*OURS, "MAIL_CONFIG", "LOG_LEVEL", "LOG_FORMAT"]
    assert own_settings(["PATH", *known, "HOME", "REQUIRE_ROOT_TESTS", "BENCH_RELAY_SH"]) == known
