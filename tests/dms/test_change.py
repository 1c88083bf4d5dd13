"""Changes while docker-mailserver runs: what its change detector hands on to `_process_relayhost_configs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.dms.conftest import DEFAULT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dms.conftest import Boot, Relays

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(2)
MAP = "postfix-relaymap.cf"


@pytest.mark.long
def test_changed_files_are_taken_up(boot: Boot, relays: Relays, config: Path) -> None:
    """A new login, a new line of postfix-relaymap.cf and a new account count for the messages after."""
    server = boot.ready(**DEFAULT)
    assert relays.taker(server, "example.test") == "user at relay.test"
    server.change("postfix-sasl-password.cf", "@example.test mine:secret\n")
    server.change(MAP, "@example.test [other.test]:587\n")
    assert relays.taker(server, "example.test") == "mine at other.test"
    accounts = (config / "postfix-accounts.cf").read_text()
    server.change("postfix-accounts.cf", f"{accounts}user@new.test|{{SHA512-CRYPT}}x\n")
    assert relays.taker(server, "new.test") == "user at relay.test"


def test_a_wrong_edit_changes_nothing(boot: Boot, relays: Relays, config: Path) -> None:
    """A wrong line is reported where it stands; the configuration before goes on, and correcting the line heals.

    With LOG_LEVEL=error nothing but that is in the log.
    """
    (config / MAP).write_text("@example.test [other.test]:587\n")
    (config / "postfix-sasl-password.cf").write_text("@example.test mine:secret\n")
    server = boot.ready(LOG_LEVEL="error", **DEFAULT)
    said = server.change(MAP, "@example.test [relay.test:587\n")
    assert len([line for line in said.splitlines() if not line.startswith("postfix/")]) == 3
    assert f'{MAP}:1: nexthop "[relay.test:587" has no closing bracket -- write [relay.test]:587' in said
    assert "The relays were not changed: fix what the lines above name" in said
    assert server.state()["State"]["Running"]
    assert relays.taker(server, "example.test") == "mine at other.test"
    assert "ERROR" not in server.change(MAP, "@example.test [relay.test]:587\n")
    assert "table written" not in server.log() + server.detector_log()
    assert relays.taker(server, "example.test") == "mine at relay.test"


def test_a_new_domain_after_a_wrong_edit(boot: Boot, relays: Relays, config: Path) -> None:
    """While a wrong line stands there, an account's new domain has no relay: each error says so, and fixing it ends it."""
    server = boot.ready(**DEFAULT)
    assert "directly" not in server.change(MAP, "@example.test [relay.test:587\n")
    accounts = (config / "postfix-accounts.cf").read_text()
    said = server.change("postfix-accounts.cf", f"{accounts}user@new.test|{{SHA512-CRYPT}}x\n")
    assert "until the inputs are fixed, no relay is set for @new.test: that mail goes directly" in said
    assert "directly" not in server.change(MAP, "@example.test [relay.test]:587\n")
    assert relays.taker(server, "new.test") == "user at relay.test"
