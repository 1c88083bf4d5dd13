"""Texts that somebody else wrote cost no more than their length: each pattern reads them once."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Characters of a text. A pattern that looks back at each would take hours, or for ever.
LENGTH = 1024 * 1024
#: Seconds of processor time after which the system ends a process that would not end: no measure of anything.
LIMIT = 120
CASES = {
    "a relay without a login": 'from dms_relay.mask import mask_parameter as f; f("relayhost", "a" * {n})',
    "tables without blanks": "from dms_relay.postfix.main_cf import may_hold_login as f;"
    ' f("smtp_sasl_password_maps", "hash:/a" + "texthash:/a" * ({n} // 11) + "!")',
    "tables with blanks": "from dms_relay.postfix.main_cf import may_hold_login as f;"
    ' f("smtp_sasl_password_maps", "texthash:/a, " * ({n} // 13) + "!")',
    "blanks of a server": 'from dms_relay.oauth2.refusals import shown as f; f(" " * {n} + "x" + " " * {n}, [])',
    "a word of a server": 'from dms_relay.oauth2.refusals import shown as f; f("x" * {n} + "!", [])',
}


@pytest.mark.parametrize("case", CASES)
def test_a_long_text(case: str) -> None:
    """It is read to its end."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({LIMIT}, {LIMIT}));"
    subprocess.run([sys.executable, "-c", limited + CASES[case].format(n=LENGTH)], check=True)
