"""Shows both ways of routing: from inputs to mail at the right relay, over TLS, with the right login.

Starts a private Postfix and five SMTP servers on loopback. First it runs `dms-relay
apply` on the example of docker-mailserver's documentation, then, while Postfix runs, on a
`relay.yaml`. Each time it shows the inputs, sends one message by each rule, and prints what
the servers received.
Leaves no process and no file behind, even if it is interrupted.

Exit codes: 0 all mail followed the rules; 1 something else arrived, or something went
wrong; 69 no Postfix; 77 not root; 130 interrupted.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from demo import page, relays
from testbed import (
    ApplyError,
    Inputs,
    Mode,
    NotReceivedError,
    Postfix,
    PostfixError,
    Received,
    Testbed,
    Tls,
    why_unavailable,
)
from testbed.inputs import LOGINS, RELAYMAP

_INTERRUPTED = 130
_PATIENCE = 30.0
"""Seconds that the messages of one part may take."""
_QUIET = {"LOG_LEVEL": "warn"}
"""At the default level, `apply` names each table and parameter that it changes: forty lines."""
_NEXT = """
What to try next:
  make help                                          what else there is, such as the image
  .venv/bin/dms-relay --help                         all commands
  docs/start-image.md, start-docker-mailserver.md,   from here to the first message at your own relay
  kubernetes.md and start-host.md
  docs/relay-yaml.md                                 relay.yaml for well-known services"""
_PORTS = {name: port for name, (port, _) in (page.RELAYS | relays.IMPLICIT).items()}


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
        with Testbed() as testbed:
            return _show(testbed)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ApplyError, NotReceivedError, PostfixError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Shut down in order; a second signal must not interrupt that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _show(testbed: Testbed) -> int:
    begin = time.monotonic()
    postfix = _start(testbed)
    _say(f"A private Postfix in {postfix.layout.base}: it takes mail from nobody but this demo.")
    _say(
        "Four relays that demand TLS and a login, and one plain mail server, on loopback. No mail leaves this machine."
    )
    inputs = Inputs(postfix.layout.base / "config", **page.SETTINGS, **_QUIET)
    _configure_maps(postfix, inputs)
    code = judge(_deliver(testbed, postfix, page.RULES), page.RULES)
    _configure_relays(postfix, inputs)
    code |= judge(_deliver(testbed, postfix, relays.RULES), relays.RULES)
    _say(f"Took {time.monotonic() - begin:.1f} s. Nothing is left of it.")
    _say(_NEXT)
    return code


def _start(testbed: Testbed) -> Postfix:
    testbed.world(page.WORLD)
    for name, (port, logins) in page.RELAYS.items():
        testbed.relay(name, Mode(logins=logins | relays.SECOND if name == page.SES else logins), port)
    for name, (port, logins) in relays.IMPLICIT.items():
        testbed.relay(name, Mode(Tls.IMPLICIT, logins=logins), port)
    return testbed.postfix()


def _configure_maps(postfix: Postfix, inputs: Inputs) -> None:
    inputs.write(RELAYMAP, page.RELAYMAP)
    inputs.write(LOGINS, page.LOGINS)
    inputs.manage(postfix, page.DOMAINS)
    _say("\n1. Tables, as docker-mailserver has them: the example of its documentation")
    _show_file(RELAYMAP, page.RELAYMAP)
    _show_file(LOGINS, "".join(line for line in page.LOGINS.splitlines(keepends=True) if not line.startswith("#")))
    _say(f"\nThis server's own domains: {', '.join(page.DOMAINS)}")
    settings = " ".join(f"{name}={value}" for name, value in page.SETTINGS.items())
    _say(f"\n$ {settings} dms-relay apply")
    _say(inputs.apply(postfix).rstrip())


def _configure_relays(postfix: Postfix, inputs: Inputs) -> None:
    """Replace all other inputs with `relay.yaml` while Postfix runs."""
    inputs.write(RELAYMAP, None)
    inputs.write(LOGINS, None)
    inputs.settings = relays.PASSWORDS | _QUIET
    text = relays.TEXT.format(ca_file=postfix.layout.authority)
    inputs.write("relay.yaml", text)
    _say("\n2. Relays with names, in place of all that, while Postfix runs; the passwords are in variables")
    _show_file("relay.yaml", text)
    _say("\n$ dms-relay apply")
    _say(inputs.apply(postfix).rstrip())


def _show_file(name: str, text: str) -> None:
    """Print an input, without its passwords."""
    _say(f"\n{name}:")
    for line in text.replace(":secret", ":********").rstrip().splitlines():
        _say(f"    {line}".rstrip())


def _deliver(testbed: Testbed, postfix: Postfix, rules: Sequence[page.Rule]) -> tuple[Received, ...]:
    """Send a message for each rule, and return what arrived."""
    testbed.ledger.clear()
    for rule in rules:
        postfix.send(rule.sender, [rule.recipient], rule.why)
    received = testbed.ledger.wait_for(len(rules), _PATIENCE)
    postfix.wait_until_queue_empty(_PATIENCE)
    return received


def judge(received: Sequence[Received], rules: Sequence[page.Rule]) -> int:
    """Print what arrived, and compare it with the rules."""
    _say("\nWhat the servers received, a message by each rule:\n")
    _print_table(received, [(rule.sender, rule.recipient) for rule in rules])
    found = sorted((r.sender, *r.recipients, r.relay, r.user or "", r.tls is not None) for r in received)
    expected = sorted((rule.sender, rule.recipient, rule.relay, rule.user or "", rule.is_tls) for rule in rules)
    if found == expected:
        _say("\nAll of it as the rules say.")
        return 0
    _say(f"\nNOT what the rules say, which is: {expected}")
    return 1


def _print_table(received: Sequence[Received], order: Sequence[tuple[str, ...]]) -> None:
    """Print a line for each message, in the order of sending."""
    rows = [("SENDER", "RECIPIENT", "RELAY", "LOGIN", "TLS", "WHY")]
    places = {envelope: number for number, envelope in enumerate(order)}
    for r in sorted(received, key=lambda r: places.get((r.sender, *r.recipients), len(order))):
        relay = f"{r.relay}:{_PORTS[r.relay]}" if r.relay in _PORTS else r.relay
        rows.append((r.sender, ", ".join(r.recipients), relay, r.user or "none", r.tls or "none", r.message_id))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        _say("  ".join(field.ljust(width) for field, width in zip(row, widths, strict=True)).rstrip())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
