"""Decides which value wins: turns everything that was read into one ``RelayConfig``. Pure; every warning names its origins.

Mail finds its relay in one of two ways: ``maps.py`` (as docker-mailserver's relay.sh does it) and ``transports.py``.
"""

from __future__ import annotations

from dms_relay.errors import InputError, MissingInputError
from dms_relay.merge.maps import MapsMerger
from dms_relay.model import RECIPIENT_TRANSPORT, SENDER_TRANSPORT, TRANSPORTS, Problem, sort_problems
from dms_relay.model.collection import uncollected
from dms_relay.model.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dms_relay.merge.transports import TransportsMerger
    from dms_relay.model.configuration import Inputs, RelayConfig


@uncollected
def merge(inputs: Inputs) -> RelayConfig:
    """Return the configuration, with every conflict resolved (docs/rules.md).

    Raises ``InputError`` with all problems of all inputs if one of them is an error.
    """
    errors = [problem for problem in inputs.problems if problem.is_error]
    if errors:
        raise (MissingInputError if all(p.is_missing for p in errors) else InputError)(inputs.problems)
    given, unused = inputs, list[Problem]()
    if (inputs.own_parameters or inputs.service_parameters) and not (
        inputs.is_user_file_ours or inputs.is_user_file_last
    ):
        from dms_relay.merge.user_parameters import believe  # noqa: PLC0415 -- only where nobody applies such a file

        inputs, unused = believe(inputs)
    merger = _transports(inputs) if inputs.routing == TRANSPORTS else MapsMerger(inputs)
    config = merger.config()
    found = [] if config.transports else _orphans(given)
    problems = sort_problems([*inputs.problems, *unused, *merger.warnings, *found])
    if any(problem.is_error for problem in problems):
        raise InputError(problems)
    config = replace(config, table_type=inputs.table_type, warnings=problems)
    if not inputs.is_user_file_ours:
        return config
    return replace(config, own_parameters=inputs.own_parameters, service_parameters=inputs.service_parameters)


def _orphans(inputs: Inputs) -> list[Problem]:
    """Reject a line that names a table which only exists with transports: Postfix would defer all mail."""
    missing = ", which does not exist with these inputs"
    remedy = "remove that table from the line, or set up relays with RELAY_ROUTING=transports"
    return [
        Problem(own.origin, f"{name} names {table}{missing}", remedy, rule="user-file-conflict")
        for name, own in inputs.user_parameters.items()
        for table in (SENDER_TRANSPORT, RECIPIENT_TRANSPORT)
        if table in own.value
    ]


def _transports(inputs: Inputs) -> TransportsMerger:
    from dms_relay.merge.transports import TransportsMerger  # noqa: PLC0415 -- only with this way of routing

    return TransportsMerger(inputs)
