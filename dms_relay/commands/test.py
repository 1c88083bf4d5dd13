"""``dms-relay test``: test each relay with each login that is used there, without sending mail.

Reads the inputs, and main.cf through Postfix. Writes only the access tokens that it had to request: to the state
directory, and to the tables in force. Shows its progress on standard error if that is a terminal.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from dms_relay.errors import UsageError
from dms_relay.explain.values import Values
from dms_relay.merge import merge
from dms_relay.model import NULL_SENDER
from dms_relay.model.relays import mechanisms_of
from dms_relay.model.times import FORMS, shown
from dms_relay.postfix import main_cf, master_cf, sasl_plugin
from dms_relay.postfix.mechanism_filter import PARAMETER, filter_words
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.tls_policy import policy_keys
from dms_relay.relay_test import demand
from dms_relay.relay_test.access import TokenSource
from dms_relay.relay_test.attempt import attempt
from dms_relay.relay_test.message import is_address
from dms_relay.relay_test.parallel import run_all
from dms_relay.relay_test.report import document, table
from dms_relay.relay_test.settings import settings
from dms_relay.relay_test.targets import selected, targets, unknown
from dms_relay.render import render
from dms_relay.sources import read
from dms_relay.sources.managed_domains import read_domains

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence

    from dms_relay.assignments import Assignment
    from dms_relay.commands import Context
    from dms_relay.model import Paths
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.relay_test.outcome import Result
    from dms_relay.relay_test.targets import Target
    from dms_relay.tokens.in_force import InForce

_ADDRESS = "write user@example.com, in ASCII, without <>"
_UNUSED = "no mail goes to a relay, so there is nothing to test; dms-relay check says why"
#: The exit code if a relay failed.
EXIT_FAILED = 1
#: The longest timeout, in seconds: Postfix itself waits no longer for a greeting (postconf(5), smtp_helo_timeout).
TIMEOUT_MAX = 300
#: Clears the line on a terminal (ECMA-48, EL).
_CLEAR = "\r\x1b[K"


def run(arguments: Namespace, context: Context) -> int:
    """Test the relays named in the arguments, or all; print the results."""
    _check(arguments)
    config = merge(read(context.paths, context.environ))
    context.log.problems(config.warnings)
    how = (arguments.timeout, arguments.send_to, arguments.send_from)
    results = try_relays(config, context.paths, how, arguments.relay, _progress, environ=context.environ)
    _say(results, context, is_json=arguments.json, is_enabled=config.enabled)
    return EXIT_FAILED if any(result.error for result in results) else os.EX_OK


def try_relays(  # noqa: PLR0913 -- each is a fact of its own
    config: RelayConfig,
    paths: Paths,
    how: tuple[float, str | None, str | None],
    names: Sequence[str] = (),
    progress: Callable[[int], Callable[[int], None]] = lambda _: lambda _: None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Sequence[Result]:
    """Try each relay in ``names``, or all, with each login that is used there, and return the results.

    ``how`` is the timeout in seconds, and the recipient and the sender of the message to send, or ``None``.
    ``progress`` gets the number of tests, and returns a function that is called with the number done. ``environ`` names
    the proxies for requests of access tokens. Raises ``UsageError`` if a name is unknown.
    """
    if not config.enabled:
        _chosen((), names)
        return ()
    postfix = Postfix(paths.postfix_dir)
    # As main.cf will be after ``apply``.
    parameters = _parameters(postfix, config, paths)
    # Errors in these files do not matter here: they only supply a sender for the test.
    managed = read_domains(paths, [])
    domains = [managed.name(key) or key for key in managed.lookup_keys()]
    tried = _chosen(targets(config, _demands(config, parameters, postfix), domains), names)
    _look_for_plugins(parameters.get("import_environment", ""))
    services = postfix.read_master_cf() if paths.master_cf.exists() else ""
    told = replace(settings(parameters, *how, services), access=_token_source(paths, environ or {}, how[0]))
    return run_all(lambda target: attempt(target, told), tried, progress(len(tried)))


def _look_for_plugins(import_environment: str) -> None:
    """Make Cyrus SASL look for its plugins where smtp(8) does, if main.cf names another place."""
    if sasl_plugin.SASL_PATH in import_environment:
        with suppress(ImportError):  # a Python without ctypes has no library to ask
            from dms_relay.relay_test import sasl  # noqa: PLC0415 -- the same

            sasl.look_in(sasl_plugin.directories(import_environment, os.environ))


def _token_source(paths: Paths, environ: Mapping[str, str], timeout: float) -> TokenSource:
    """Return the source of access tokens; it also writes a new token of a login in force to Postfix's table."""

    def hand_over(login: InForce, token: str) -> None:
        from dms_relay.token_tables import write_tokens  # noqa: PLC0415 -- only if a token is new

        write_tokens(paths, {login.id: token})

    return TokenSource(paths.state_dir, environ, timeout, hand_over)


def _check(arguments: Namespace) -> None:
    """Raise ``UsageError`` for arguments that cannot be used, before the first connection."""
    for option, address in (("--send-to", arguments.send_to), ("--send-from", arguments.send_from)):
        is_null = option == "--send-from" and address == NULL_SENDER
        if address is not None and not is_null and not is_address(address):
            raise UsageError(
                f"{option}: this is not an address", _ADDRESS if option == "--send-to" else f"{_ADDRESS}; or '<>' alone"
            )
    if arguments.send_from is not None and arguments.send_to is None:
        raise UsageError("--send-from without --send-to: no message is sent", "add --send-to user@example.com")
    if not 0 < arguments.timeout <= TIMEOUT_MAX:
        raise UsageError("--timeout is out of range", f"write more than 0, up to {shown(TIMEOUT_MAX)}: {FORMS}")


def _parameters(postfix: Postfix, config: RelayConfig, paths: Paths) -> dict[str, str]:
    """Return the parameters of the default transport after ``apply``: its service may override main.cf."""
    raw = postfix.parameters()
    values = Values(raw, postfix.expanded()).with_changes(render(config, paths).parameters)
    if config.transports is None and paths.master_cf.exists():
        service = values.get("default_transport").partition(":")[0]
        found = master_cf.command(postfix.read_master_cf(), service)
        values = values.with_overrides({**found[1], "service_name": service}) if found else values
    return {name: values.get(name) for name in raw}


def _demands(
    config: RelayConfig, parameters: dict[str, str], postfix: Postfix
) -> Callable[[Assignment], demand.Demand]:
    """Return the function from an assignment to what Postfix demands there."""
    services = config.transports.services if config.transports else ()
    mechanisms = {service.relay.name: mechanisms_of(service.relay) for service in services}
    if not services:
        parameters[PARAMETER] = ", ".join(filter_words(parameters.get(PARAMETER, ""), postfix))
    policies = cache(lambda nexthop: _policy(parameters, postfix, nexthop))

    def demand_of(use: Assignment) -> demand.Demand:
        if use.tls:
            return demand.of_relay(use.tls, parameters, mechanisms.get(use.relay, ()))
        return demand.of_main_cf(parameters, policies(use.nexthop))

    return demand_of


def _policy(parameters: dict[str, str], postfix: Postfix, nexthop: str) -> str:
    """Return the entry of a nexthop in ``smtp_tls_policy_maps``; empty if it has none."""
    keys = policy_keys(nexthop)
    found = [postfix.lookup(table, keys) for table in main_cf.split(parameters.get("smtp_tls_policy_maps", ""))]
    return next((table[key] for key in keys for table in found if key in table), "")


def _chosen(found: Sequence[Target], words: Sequence[str]) -> tuple[Target, ...]:
    if names := unknown(found, words):
        known = ", ".join(dict.fromkeys(name for t in found for name in (t.relay, t.nexthop)))
        remedy = f"write one of {known}" if known else "set a relay first"
        raise UsageError(f"no relay in use has the name {', '.join(names)}", remedy)
    return selected(found, words)


def _progress(count: int) -> Callable[[int], None]:
    """Return the function that shows the progress on a terminal; elsewhere it does nothing."""
    terminal = sys.stderr
    if terminal is None or not terminal.isatty():
        return lambda _: None

    def show(done: int) -> None:
        terminal.write(_CLEAR if done == count else f"{_CLEAR}{done} of {count} tried")
        terminal.flush()

    if count:
        show(0)
    return show


def _say(results: Sequence[Result], context: Context, *, is_json: bool, is_enabled: bool) -> None:
    if is_json:
        context.say_json(document(results))
    elif results:
        context.say(*table(results))
    else:
        context.say(_UNUSED if is_enabled else "no relay is set, so there is nothing to test")
