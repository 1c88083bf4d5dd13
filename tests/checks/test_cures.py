"""What keeps mail from leaving is named with the line to remove, whichever program delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.checks.given import LOGIN
from tests.checks.way_cases import postfix
from tests.support.machine import MASTER_CF

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

SERVICES = f"{MASTER_CF}lmtp unix - - n - - lmtp\n"


@pytest.mark.parametrize("setting", ["lmtp_bind_address = 127.0.0.1", "lmtp_sasl_auth_enable = yes"])
def test_lmtp(sandbox: Sandbox, setting: str) -> None:
    """Parameters of lmtp(8) as those of smtp(8)."""
    more = f"default_transport = lmtp\nlmtp_sasl_password_maps =\n{setting}\n"
    run = postfix({}, {"DEFAULT_RELAY_HOST": "[192.0.2.1]:587"}, LOGIN, services=SERVICES, more=more)
    (remedy,) = (one.remedy for one in run(sandbox) if one.rule == "mail-does-not-leave")
    name = setting.partition(" ")[0]
    assert remedy.startswith(f"remove {name} from main.cf (postconf -X {name}); then run postfix reload")
