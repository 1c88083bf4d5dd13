"""``dms-relay apply``: make Postfix match the inputs.

Reads the inputs only once it holds the lock: of two concurrent runs, the one that writes last has also read last.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import nullcontext, suppress

from dms_relay import files
from dms_relay.apply import LOCK_TIMEOUT, apply
from dms_relay.errors import InputError, WriteError
from dms_relay.files.leftovers import clean_up_if_free
from dms_relay.merge import merge
from dms_relay.model import DIRECT
from dms_relay.model.values import frozen
from dms_relay.plan import plan
from dms_relay.plan.found import find, leftovers
from dms_relay.postfix.drained import MARKER
from dms_relay.postfix.programs import QUEUE_DIRECTORY, Postfix
from dms_relay.render import render
from dms_relay.sources import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from dms_relay.commands import Context
    from dms_relay.log import Log
    from dms_relay.model import PostfixConfig, Problem
    from dms_relay.model.configuration import Inputs, RelayConfig
    from dms_relay.model.relays import Transports
    from dms_relay.plan import Plan
    from dms_relay.tokens.in_force import InForce

#: The OAuth2 logins in force, in the state directory (``tokens.in_force``).
_IN_FORCE = "logins.json"
#: Turns metrics on (``metrics.endpoint``).
_METRICS = "RELAY_METRICS"
#: The value of ``inet_protocols`` that excludes nothing, and the other parameters that can keep mail from leaving.
_PROTOCOLS, _ALL = "inet_protocols", "all"
_STOPPING = frozenset({"smtp_bind_address", "smtp_bind_address6", "relay_transport"})


def run(arguments: Namespace, context: Context) -> int:
    """Make Postfix match the inputs."""
    return apply_inputs(
        context, reload=arguments.reload, lock_timeout=arguments.lock_timeout, from_scratch=arguments.from_scratch
    )


def apply_inputs(
    context: Context,
    *,
    reload: bool = True,
    lock_timeout: float = LOCK_TIMEOUT,
    is_own_only: bool = False,
    from_scratch: bool = False,
) -> int:
    """Read, merge, render, plan and apply under one lock, and log what was done. ``from_scratch``: see ``plan``.

    ``is_own_only``: apply only what ``postfix-main.cf`` and ``postfix-master.cf`` say, and log nothing if Postfix has it
    already.
    """
    for left in clean_up_if_free(context.paths.config_dir):
        context.log.info("file of an interrupted run removed", file=str(left))
    if not os.path.isdir(context.paths.postfix_dir):  # noqa: PTH112 -- is_dir() raises where a parent may not be searched
        Postfix(context.paths.postfix_dir).read_main_cf()  # raises, and says what to do
    once = _Once(context, lock_timeout, reload=reload, is_own_only=is_own_only, from_scratch=from_scratch)
    if logins := once.run():
        from dms_relay.commands.token_logins import ask  # noqa: PLC0415 -- only if an access token is missing

        ask(context, logins)
        once.run(is_asked=True)
    return os.EX_OK


@frozen
class _Once:
    """One run under the lock, by the options of ``apply_inputs``."""

    context: Context
    lock_timeout: float
    reload: bool
    is_own_only: bool
    from_scratch: bool

    def run(self, *, is_asked: bool = False) -> tuple[InForce, ...]:
        """Do it all. If logins lack an access token and none was requested yet, do nothing and return those logins."""
        context = self.context
        with files.lock(context.paths.postfix_dir, self.lock_timeout), context.log.hold():
            inputs = read(context.paths, context.environ)
            try:
                config = merge(inputs)
                if not is_asked and not self.is_own_only and (logins := _lacking(config)):
                    return logins
                changes = self._planned(config)
                _forget_drain(context, changes.found.parameters)
            except InputError as error:
                _remove_leftovers(context)
                raise _refused(error, inputs, context) from None
            is_all = not self.is_own_only
            with (
                _noted(config, context) if is_all else nullcontext(),
                _told(config, context) if is_all else nullcontext(),
            ):
                changed = apply(changes, context.paths, log=context.log, reload=self.reload, locked=True)
        if changed or not self.is_own_only:
            context.say(_summary(config, changes) if changed else nothing(config))
        return ()

    def _planned(self, config: RelayConfig) -> Plan:
        """Report on the plan, then return it."""
        context = self.context
        wanted = render(config, context.paths)
        changes = plan(wanted, find(context.paths), from_scratch=self.from_scratch)
        if config.own_parameters:
            _refuse_wrong_values(config, changes, context)
        if self.is_own_only:
            return _only_own(config, changes)
        warned = _sure(config, changes) if config.warnings else []
        context.log.problems((*warned, *changes.warnings, *may_stay(config, changes)))
        if not changes.is_empty:
            _report(config, wanted, context.log)
        return changes


def _forget_drain(context: Context, parameters: Mapping[str, str]) -> None:
    """Make Postfix accept mail again if it was stopped during a drain."""
    queue = parameters.get("queue_directory") or QUEUE_DIRECTORY
    if os.path.lexists(f"{queue}/{MARKER}"):
        from dms_relay.drain.switch import forget  # noqa: PLC0415 -- seldom

        forget(context.paths.postfix_dir)


def _lacking(config: RelayConfig) -> tuple[InForce, ...]:
    if not (config.transports and config.transports.has_tokens):
        return ()
    from dms_relay.commands.token_logins import lacking  # noqa: PLC0415 -- only if a login takes a token

    return lacking(config)


def _noted(config: RelayConfig, context: Context) -> AbstractContextManager[None]:
    """Record the OAuth2 logins, if there are or were any."""
    is_any = config.transports and config.transports.has_tokens
    if not is_any and not os.path.lexists(context.paths.state_dir / _IN_FORCE):
        return nullcontext()
    from dms_relay.commands.token_logins import noted  # noqa: PLC0415 -- only if a login takes a token

    return noted(context.paths, config, context.log)


def _told(config: RelayConfig, context: Context) -> AbstractContextManager[None]:
    """Tell the counter of deliveries which relays there are, if metrics are on."""
    if not context.environ.get(_METRICS):
        return nullcontext()
    from dms_relay.metrics.hints import told  # noqa: PLC0415 -- only if there are metrics

    return told(context.paths, config, context.log)


def _refuse_wrong_values(config: RelayConfig, changes: Plan, context: Context) -> None:
    from dms_relay.postfix.trial import refuse_wrong_values  # noqa: PLC0415 -- only if an operator has such

    changed = {change.name: change.new for change in changes.parameters}
    refuse_wrong_values(context.paths.postfix_dir, changed, config.own_parameters)


def _sure(config: RelayConfig, changes: Plan) -> list[Problem]:
    from dms_relay.plan.complaints import sure  # noqa: PLC0415 -- only if there are warnings

    return sure(config, changes)


def may_stay(config: RelayConfig, changes: Plan) -> list[Problem]:
    """Return what keeps mail from leaving. Looks only if a parameter is set that can do so."""
    own, given = changes.found.parameters, config.own_parameters
    is_any = own.get(_PROTOCOLS, _ALL) != _ALL or _PROTOCOLS in given
    if not is_any and _STOPPING.isdisjoint(own) and _STOPPING.isdisjoint(given):
        return []
    from dms_relay.plan.obstacles import obstacles  # noqa: PLC0415 -- seldom

    return list(obstacles(config, changes))


def _only_own(config: RelayConfig, changes: Plan) -> Plan:
    from dms_relay.plan.own import only_own  # noqa: PLC0415 -- only if a hook runs between ours

    return only_own(changes, config.own_parameters.keys())


def _remove_leftovers(context: Context) -> None:
    """Remove what a killed run has left behind, even if nothing else changes: it may contain logins."""
    for path in leftovers(context.paths):
        with suppress(WriteError):
            files.remove_leftover(path)


def _refused(error: InputError, inputs: Inputs, context: Context) -> InputError:
    """Return the error; if a previous configuration stays in force, add the senders that now bypass the relay."""
    from dms_relay.checks.in_force import left_out  # noqa: PLC0415 -- only if the inputs are wrong

    problem = left_out(context.paths, inputs)
    return type(error)([*error.problems, problem]) if problem else error


def _report(config: RelayConfig, wanted: PostfixConfig, log: Log) -> None:
    """Log which relays are used and for whom, one event each."""
    if config.default and "relayhost" not in config.user_parameters:
        log.info("default relay", nexthop=config.default[0].text, origin=str(config.default[1]))
    for nexthop, senders in config.routes.counts().items():
        log.info("senders mapped", nexthop=nexthop, senders=senders)
    for route in config.routes if log.shows("trace") else ():
        log.trace("sender mapped", sender=route.key, nexthop=route.nexthops.text, origin=str(route.origin))
    if config.transports:
        _report_transports(config.transports, log)
    for domain in config.opted_out:
        log.info("domain opted out", domain=domain.name, origin=str(domain.origin))
    for entry in (config.logins or ()) if log.shows("debug") else ():
        log.debug("login", key=entry.key, username=entry.login.shown_username, origin=str(entry.origin))
    for name in wanted.parameters.keys() & config.user_parameters.keys():
        origin = str(config.user_parameters[name].origin)
        log.info("postfix-main.cf overrides a managed parameter", parameter=name, origin=origin)


def _report_transports(transports: Transports, log: Log) -> None:
    """Log the same for relays with their own transport."""
    if transports.default:
        log.info("default relay", relay=transports.default[0] or DIRECT, origin=str(transports.default[1]))
    for relay, senders in Counter(route.relay or DIRECT for route in transports.senders).items():
        log.info("senders mapped", relay=relay, senders=senders)
    for relay, recipients in Counter(route.relay or DIRECT for route in transports.recipients).items():
        log.info("recipients mapped", relay=relay, recipients=recipients)
    for service in transports.services if log.shows("debug") else ():
        for entry in (*service.logins, *service.sender_logins):
            username, origin = entry.login.shown_username, str(entry.origin)
            log.debug("login", relay=service.relay.name, key=entry.key, username=username, origin=origin)


def _summary(config: RelayConfig, changes: Plan) -> str:
    tables, parameters = _count(len(changes.tables), "table"), _count(len(changes.parameters), "parameter")
    services = f"{_count(len(changes.services), 'service')}, " if changes.services else ""
    own = ", and what postfix-master.cf says" if changes.overlay and changes.overlay.is_changed else ""
    counts = f"{services}{tables} and {parameters} changed{own}"
    if config.enabled:
        return f"applied: {counts}"
    is_own = config.own_parameters or config.service_parameters
    return f"no relay is set: {counts}" + ("" if is_own else ", previous values restored")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def nothing(config: RelayConfig) -> str:
    """Return the line to print if nothing would change."""
    return "nothing to do" if config.enabled else "nothing to do: no relay is set"
