"""Plans the operator's settings in ``postfix-main.cf`` and ``postfix-master.cf``, if it is our task to apply them. Pure.

Parameters of main.cf are planned like those that relays need. A service's parameters are an overlay on master.cf: it is
removed when master.cf is read, so that all other code sees the file without it, and added whenever it is written.
"""

from __future__ import annotations

from dms_relay.errors import InputError
from dms_relay.model import PARAMETERS, Problem
from dms_relay.model.values import frozen, replace
from dms_relay.plan import ParameterChange
from dms_relay.plan.interim import interim_name
from dms_relay.plan.state import ManagedParameter, without
from dms_relay.postfix.service_parameters import services, split_key, with_words, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from dms_relay.model import PostfixConfig, ServiceParameter
    from dms_relay.plan import Plan
    from dms_relay.plan.found import Found
    from dms_relay.plan.state import State
    from dms_relay.postfix.master_cf import Service

#: Services that a message names.
_SHOWN = 12


@frozen
class Overlay:
    """The overlay on master.cf, before and after: by key, the argument of ``-o``; and if it changes."""

    given: dict[str, ManagedParameter]
    wanted: dict[str, str]

    is_changed: bool

    def off(self, text: str) -> str:
        """Return master.cf without the overlay."""
        return without(text, self.given)

    def on(self, text: str) -> str:
        """Return master.cf with the wanted overlay, on interim services too."""
        interim = {
            f"{interim_name(service.removesuffix('/unix'))}/unix/{name}": word
            for key, word in self.wanted.items()
            for service, name in [split_key(key)]
        }
        return with_words(with_words(text, self.wanted), interim)


def plan_services(
    wanted: PostfixConfig, found: Found, managed: Mapping[str, Service]
) -> tuple[Overlay, dict[str, ManagedParameter]]:
    """Return the overlay on master.cf, and what to remember. Raises ``InputError`` for a service that does not exist."""
    own, given = wanted.service_parameters, found.state.service_parameters
    _refuse_missing(own.values(), found, managed)
    new = {key: f"{parameter.name}={parameter.value}" for key, parameter in own.items()}
    before = words(found.master, new) | {key: given[key].before for key in new if key in given}
    final = {key: ManagedParameter(_of_service(managed, key, before), (word,)) for key, word in new.items()}
    is_changed = any(
        found.words.get(key, None if key in given else before.get(key)) != word for key, word in new.items()
    )
    is_left = any(key not in new and word in given[key].values for key, word in found.words.items())
    intent = given | {key: ManagedParameter(own.before, _both(given.get(key), own)) for key, own in final.items()}
    return Overlay(intent, new, is_changed or is_left), final


def _of_service(managed: Mapping[str, Service], key: str, before: Mapping[str, str | None]) -> str | None:
    """Return the argument of ``-o`` without the overlay; for a service of ours, the one that we write."""
    service, name = split_key(key)
    if made := managed.get(service.removesuffix("/unix")):
        value = dict(made.overrides).get(name)
        return None if value is None else f"{name}={value}"
    return before.get(key)


def _both(old: ManagedParameter | None, new: ManagedParameter) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(old.values if old else ()), *new.values)))


def _refuse_missing(own: Iterable[ServiceParameter], found: Found, managed: Mapping[str, Service]) -> None:
    there = [*services(found.master), *(f"{name}/unix" for name in managed)]
    gone = {f"{name}/unix" for name in found.state.services if name not in managed}
    known = [service for service in dict.fromkeys(there) if service not in gone]
    problems = [
        Problem(
            parameter.origin,
            f"there is no service {parameter.service} in master.cf",
            f"write one of {', '.join(known[:_SHOWN])}{', …' if len(known) > _SHOWN else ''}",
        )
        for parameter in own
        if parameter.service not in known
    ]
    if problems:
        raise InputError(problems)


def only_own(plan: Plan, named: Iterable[str]) -> Plan:
    """Return the part of a plan from the operator's files; relays do not change. ``named`` are parameters in these files."""
    state = plan.found.state
    known = plan.final.parameters.keys() | state.parameters.keys()
    names = {*named, *known.difference(PARAMETERS)}
    # Without relays of ours, every remembered parameter was the operator's.
    gone = set() if state.tables or state.services else state.parameters.keys() - names
    return replace(
        plan,
        tables=(),
        services=(),
        parameters=(*(c for c in plan.parameters if c.name in names), *_put_back(plan.found, gone)),
        intent=_with_own(state, plan.intent, names),
        final=_with_own(_without(state, gone), plan.final, names),
        warnings=(),
    )


def _put_back(found: Found, names: Iterable[str]) -> Iterator[ParameterChange]:
    for name in sorted(names):
        given, value = found.state.parameters[name], found.parameters.get(name)
        if value in given.values and value != given.before:
            yield ParameterChange(name, value, given.before, put_back=True)


def _without(state: State, names: AbstractSet[str]) -> State:
    return replace(state, parameters={name: own for name, own in state.parameters.items() if name not in names})


def _with_own(state: State, planned: State, names: set[str]) -> State:
    rest = {name: given for name, given in state.parameters.items() if name not in names}
    own = {name: given for name, given in planned.parameters.items() if name in names}
    return replace(state, parameters=rest | own, service_parameters=planned.service_parameters)


def with_below(state: State, below: Mapping[str, str]) -> State:
    """Return the state to remember if parameters now have other values beneath those of the operator."""
    given = state.parameters
    new = {name: ManagedParameter(value, given[name].values) for name, value in below.items() if name in given}
    return replace(state, parameters=given | new)
