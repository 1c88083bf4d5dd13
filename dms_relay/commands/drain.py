"""``dms-relay drain``: stop Postfix taking new mail, deliver what waits, and say what remains (``drain/``).

``--cancel`` makes it take mail again. Exit codes: 0 nothing remains; 1 something does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dms_relay.commands.queue import explanation, origins, relay_document, table
from dms_relay.drain.oneself import refuse_oneself
from dms_relay.drain.switch import Switch
from dms_relay.drain.work import LISTED_MAX, NOT_RUNNING, Drain
from dms_relay.errors import UsageError
from dms_relay.postfix.nexthop import SyntaxProblem, check_host, check_port, is_ipv6
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from dms_relay.commands import Context
    from dms_relay.drain.work import Result

#: The exit code if something remains.
EXIT_REMAINS = 1
_PORT = "25"
#: Not a relay, but the server that is to deliver what the relays do not take.
_HOST = "write the host name or address of another Postfix, with its port if that is not 25: HOST:PORT"
_TAKES_AGAIN = "dms-relay drain --cancel makes Postfix take mail again"


def run(arguments: Namespace, context: Context) -> int:
    """Drain the queue, or take that back."""
    is_to_hand_over = arguments.hand_over is not None
    if arguments.cancel and is_to_hand_over:
        raise UsageError("--cancel hands nothing over", "leave one of the two out")
    if arguments.cancel:
        return _cancel(arguments, context)
    nexthop = _nexthop(arguments.hand_over, context) if is_to_hand_over else ""
    result = Drain(context.paths, context.log, timeout=arguments.timeout, hand_over=nexthop).run(
        lambda: origins(context.paths, context.environ)
    )
    if arguments.json:
        context.say_json(_document(result, nexthop))
    else:
        context.say(*_text(result, nexthop, context))
    return EXIT_REMAINS if result.remaining else os.EX_OK


def _cancel(arguments: Namespace, context: Context) -> int:
    was_drained = Switch(Postfix(context.paths.postfix_dir), context.log).take_mail()
    if arguments.json:
        context.say_json({"takes_mail": True, "was_drained": was_drained})
    else:
        context.say("Postfix takes mail again" if was_drained else "nothing to do: Postfix is not drained")
    return os.EX_OK


def _nexthop(text: str, context: Context) -> str:
    """Return the nexthop of a server: the host itself, without an MX lookup."""
    host, port = _split(text)
    try:
        check_host(host)
        check_port(port)
    except SyntaxProblem as problem:
        raise UsageError(f"--hand-over: {problem.text}", _HOST) from None
    refuse_oneself(host, port, Postfix(context.paths.postfix_dir))
    return f"[{host}]:{port}"


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise UsageError("--hand-over: the bracket is not closed", _HOST)
        return host, rest.removeprefix(":") or _PORT
    if is_ipv6(text):
        return text, _PORT
    host, _, port = text.partition(":")
    return host, port or _PORT


def _document(result: Result, nexthop: str) -> dict[str, Any]:
    return {
        "empty": not result.remaining,
        "ended": result.ended,
        "seconds": round(result.seconds, 1),
        "waited": result.waited,
        "hand_over": nexthop if result.is_handed_over else None,
        "complete": not result.is_cut,
        "remaining": [relay_document(group) for group in result.remaining],
    }


def _text(result: Result, nexthop: str, context: Context) -> Iterator[str]:
    is_there = result.ended != NOT_RUNNING
    after = f"after {result.seconds:.0f} s"
    now = "Postfix takes no new mail" if is_there else NOT_RUNNING
    if not result.remaining:
        waited = "1 message" if result.waited == 1 else f"{result.waited} messages"
        yield f"nothing remains of {waited} that waited, {after}; {now}"
        return
    what = f"the first {LISTED_MAX} messages of what remains" if result.is_cut else "what remains"
    why = f"{result.ended}; {now}" if is_there else now
    yield f"{what} {after}: {why}"
    yield from table(result.remaining)
    for group in result.remaining:
        yield from explanation(group)
    yield ""
    yield from _next(result, nexthop, context)


def _next(result: Result, nexthop: str, context: Context) -> Iterator[str]:
    """Yield what a person can do next."""
    if result.is_handed_over:
        yield f"{nexthop} has not taken them all: the reasons above are its replies, or say why it cannot be reached"
    queue = Postfix(context.paths.postfix_dir).queue_directory()
    yield f"they stay in {queue}, and are delivered from there when Postfix is started again; {_TAKES_AGAIN}"
