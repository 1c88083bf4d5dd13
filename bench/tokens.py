"""Prints the cost of replacing an access token while mail flows, by the type of its table: ``python -m bench.tokens``.

One run. For each type a private Postfix relays through the same relay with the SASL plugin; rounds with and without
replacements take turns. Exit codes: 0 measured, 69 no Postfix, or no C compiler for the plugin.

Known limits: the relay is a Python program on the same machine and takes as much time as Postfix does; each message takes
a login, so deliveries are short, and a replacement costs most.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dms_relay.postfix import sasl_plugin
from testbed import Mode, Testbed, why_unavailable
from testbed.lookup_table import replace

if TYPE_CHECKING:
    from testbed import Postfix, Relay

TYPES = ("hash", "cdb", "lmdb")
#: Rounds of each kind, messages and replacements per round, and seconds between two: far more than a token every half hour.
ROUNDS, MESSAGES, REPLACEMENTS, PAUSE = 4, 200, 10, 0.1
SASL = Path(__file__).parents[1] / "sasl"
USER = "me@example.com"


class Tokens:
    """The tokens of one relay: which is the newest, since when, and how long older ones were used."""

    def __init__(self) -> None:
        """Begin with token 1."""
        self.since = {1: time.monotonic()}
        self.late: list[float] = []

    @property
    def newest(self) -> int:
        """The number of the newest token."""
        return len(self.since)

    def next(self) -> int:
        """Return the number of the next token, not yet in force."""
        return self.newest + 1

    def take(self, _user: str, token: str) -> bool:
        """Accept any token, and record how long ago it was replaced."""
        followed = self.since.get(int(token[2:]) + 1)
        if followed is not None:
            self.late.append(time.monotonic() - followed)
        return True


class Kind:
    """A Postfix whose password table is of one type."""

    def __init__(self, name: str, testbed: Testbed, plugins: Path) -> None:
        """Create it and start it, with its own relay."""
        self.name, self.tokens = name, Tokens()
        self.relay: Relay = testbed.relay(f"{name}.test", Mode(tokens=self.tokens.take))
        self.postfix: Postfix = testbed.postfix(_settings(self.relay, plugins), start=False)
        table = self._write(1)
        with (self.postfix.config / "main.cf").open("a") as main_cf:
            main_cf.write(f"smtp_sasl_password_maps = {table}\n")
        self.postfix.start()
        self.rates: dict[bool, list[float]] = {True: [], False: []}

    def _write(self, number: int) -> str:
        return replace(self.postfix, self.name, self.postfix.config / "sasl", {self.relay.name: f"{USER}:t-{number}"})

    def round(self, *, replaces: bool) -> None:
        """Send messages, while tokens are replaced or not, and record how many left per second."""
        expected = len(self.relay.received) + MESSAGES
        begin = time.perf_counter()
        sender = threading.Thread(target=self.postfix.send, args=("a@example.com", ["b@example.org"], "m", MESSAGES))
        sender.start()
        for _ in range(REPLACEMENTS if replaces else 0):
            self._write(self.tokens.next())
            self.tokens.since[self.tokens.next()] = time.monotonic()
            time.sleep(PAUSE)
        sender.join()
        self.relay.wait_for(expected, 120)
        self.rates[replaces].append(MESSAGES / (time.perf_counter() - begin))

    def __str__(self) -> str:
        """Return the line of the table."""
        with_, without = median(self.rates[True]), median(self.rates[False])
        statuses = self.postfix.statuses()
        others = sum(statuses.values()) - statuses["sent"]
        ended = self.postfix.log().count("has changed -- restarting") / (ROUNDS * REPLACEMENTS)
        late = max(self.tokens.late, default=0)
        return f"{self.name:10}{with_ / without:8.2f}{others:10}{len(self.relay.received):10}{late:12.3f}{ended:12.1f}"


def _settings(relay: Relay, plugins: Path) -> dict[str, str]:
    path = ":".join((str(plugins), *sasl_plugin.directories()))
    return {
        "import_environment": f"MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE SASL_PATH={path}",
        "relayhost": f"[{relay.name}]:{relay.port}",
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_sasl_mechanism_filter": "xoauth2, oauthbearer",
        "smtp_tls_security_level": "encrypt",
    }


def main() -> int:
    """Measure and print."""
    if (reason := why_unavailable()) is not None:
        sys.stderr.write(f"{reason}\n")
        return os.EX_UNAVAILABLE
    with TemporaryDirectory(prefix="dms-relay-bench-") as name, Testbed() as testbed:
        if subprocess.run(["make", "-s", "-C", str(SASL), f"OUT={name}"], check=False).returncode:
            return os.EX_UNAVAILABLE
        kinds = [Kind(type_, testbed, Path(name)) for type_ in TYPES]
        for _ in range(ROUNDS):
            for kind in kinds:
                kind.round(replaces=True)
                kind.round(replaces=False)
        print(f"{'table':10}{'ratio':>8}{'not sent':>10}{'sent':>10}{'late s':>12}{'ended':>12}")
        print("\n".join(map(str, kinds)))
    print(
        "ratio: messages a second with replacements to without; late: how long after its replacement a token was used,"
    )
    print("at most; ended: smtp(8) processes that ended at each replacement, to read the table again.")
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
