"""``apply`` warns where main.cf or master.cf keeps mail from every relay, and not where relays have their own transports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.checks.given import DEFAULT, LOGIN, TRANSPORTS
from tests.checks.operator_cases import FILE
from tests.support.machine import MASTER_CF
from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

WARNED = {
    "default_transport = error\n": "the transport error (default_transport) hands no mail to a relay",
    "default_transport = discard:\n": "the transport discard (default_transport) hands no mail to a relay",
    "default_transport = retry:later\n": "the transport retry (default_transport) hands no mail to a relay",
    "defer_transports = local, smtp\n": "no mail leaves: defer_transports in main.cf names smtp",
}


@pytest.mark.parametrize("more", WARNED)
def test_warned(sandbox: Sandbox, more: str) -> None:
    """It is said at each run, and only while it is so."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    for text, said in ((more, True), ("", False), (more, True)):
        sandbox.write_main_cf(BASE_MAIN_CF + text)
        result = sandbox.apply(**DEFAULT, **LOGIN)
        assert (WARNED[more] in result.err) == said


def test_no_service(sandbox: Sandbox) -> None:
    """A master.cf without ``smtp unix`` is said; where there is no master.cf, nothing is known."""
    for text, said in ((MASTER_CF, False), ("smtp inet n - y - - smtpd\n", True), (None, False)):
        path = sandbox.postfix_dir / "master.cf"
        path.unlink(missing_ok=True) if text is None else path.write_text(text)
        assert ("no mail leaves" in sandbox.apply(**DEFAULT, **LOGIN).err) == said


def test_transports_of_their_own(sandbox: Sandbox) -> None:
    """With transports, or without any relay, ``default_transport`` is the operator's own business."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    sandbox.write_main_cf(f"{BASE_MAIN_CF}default_transport = error\n")
    assert "hands no mail" not in sandbox.run("apply", env={}).err
    for name, text in FILE.items():
        sandbox.write(name, text)
    assert "hands no mail" not in sandbox.apply(**TRANSPORTS).err
