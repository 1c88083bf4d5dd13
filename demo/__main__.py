"""Shows the main job: from the page's example files to mail at the right relay, over TLS, with the right login.

Starts a private Postfix and four SMTP servers on loopback, runs `dms-relay
apply`, sends one message from each sender, and prints what the servers
received. Leaves no process and no file behind, also when it is interrupted.

Exit codes: 0 all as the rules say; 1 something else arrived, or something went
wrong; 69 no Postfix; 77 not root; 130 interrupted.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from demo import page
from stage import ApplyError, Inputs, Mode, NotReceivedError, Postfix, PostfixError, Received, Stage, why_unavailable
from stage.inputs import LOGINS, RELAYMAP

_INTERRUPTED = 130
_PATIENCE = 5.0
"""Seconds that the messages may take."""


def main() -> int:
    """Run the demo, and return its exit code."""
    if os.geteuid() != 0:
        sys.stderr.write("Postfix starts for root only -- run: sudo make demo\n")
        return os.EX_NOPERM
    if reason := why_unavailable():
        sys.stderr.write(f"{reason} -- run: make demo\n")
        return os.EX_UNAVAILABLE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with Stage() as stage:
            return _show(stage)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ApplyError, NotReceivedError, PostfixError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End in order; a second signal must not cut that short."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _show(stage: Stage) -> int:
    begin = time.monotonic()
    stage.world(page.WORLD)
    for name, (port, logins) in page.RELAYS.items():
        stage.relay(name, Mode(logins=logins), port)
    postfix = stage.postfix()
    _say(f"A private Postfix in {postfix.layout.base}, three relays and one plain mail server on loopback.")
    _configure(postfix)
    for rule in page.RULES:
        postfix.send(rule.sender, [page.RECIPIENT], rule.why)
    received = stage.ledger.wait_for(len(page.RULES), _PATIENCE)
    postfix.wait_until_queue_empty(_PATIENCE)
    code = judge(received)
    _say(f"Took {time.monotonic() - begin:.1f} s.")
    return code


def _configure(postfix: Postfix) -> None:
    inputs = Inputs(postfix.layout.base / "config", **page.SETTINGS)
    inputs.write(RELAYMAP, page.RELAYMAP)
    inputs.write(LOGINS, page.LOGINS)
    inputs.manage(postfix, page.DOMAINS)
    _say(f"The page's {RELAYMAP} and {LOGINS}; managed domains {', '.join(page.DOMAINS)}.")
    settings = " ".join(f"{name}={value}" for name, value in page.SETTINGS.items())
    _say(f"\n$ {settings} dms-relay apply")
    _say(inputs.apply(postfix).rstrip())


def judge(received: Sequence[Received]) -> int:
    """Print what arrived, and compare it with the rules."""
    _say("\nThe plain server offers STARTTLS, for with logins configured Postfix demands TLS of every server.")
    _say(f"What the servers received, each message to {page.RECIPIENT}:\n")
    _print_table(received)
    found = sorted((r.sender, r.relay, r.user or "", r.tls is not None) for r in received)
    expected = sorted((rule.sender, rule.relay, rule.user or "", True) for rule in page.RULES)
    if found == expected:
        _say("\nAll of it as the rules say.")
        return 0
    _say(f"\nNOT what the rules say, which is: {expected}")
    return 1


def _print_table(received: Sequence[Received]) -> None:
    order = [rule.sender for rule in page.RULES]
    rows = [("SENDER", "RELAY", "LOGIN", "TLS", "WHY")]
    for r in sorted(received, key=lambda r: order.index(r.sender) if r.sender in order else len(order)):
        relay = f"{r.relay}:{page.RELAYS[r.relay][0]}" if r.relay in page.RELAYS else r.relay
        rows.append((r.sender, relay, r.user or "none", r.tls or "none", r.message_id))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        _say("  ".join(field.ljust(width) for field, width in zip(row, widths, strict=True)).rstrip())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
