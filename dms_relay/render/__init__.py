"""Turns a ``RelayConfig`` into the text of each table and the value of each parameter of Postfix. Pure.

Tables are ``texthash:`` (DATABASE_README): one ``key value`` line per entry, in the order of the configuration. The same
configuration always gives the same bytes. ``plan``, which knows the types that Postfix has, gives a big table another type.
"""

from __future__ import annotations

from itertools import islice

from dms_relay.model import MECHANISM_FILTER, PARAMETERS, RELAYHOST_MAP, SASL_PASSWD, PostfixConfig
from dms_relay.model.collection import uncollected
from dms_relay.model.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dms_relay.model import Paths
    from dms_relay.model.configuration import RelayConfig

#: Lines of a table that are joined at once.
_LINES_AT_ONCE = 4096
#: The parameters that name our tables.
_NAMES = {"sender_dependent_relayhost_maps": RELAYHOST_MAP, "smtp_sasl_password_maps": SASL_PASSWD}


@uncollected
def render(config: RelayConfig, paths: Paths) -> PostfixConfig:
    """Return the wanted tables, parameters and services; a value in the operator's ``postfix-main.cf`` wins over ours."""
    wanted = _render(config, paths)
    if not (config.own_parameters or config.service_parameters):
        return wanted
    own = {name: parameter.value for name, parameter in config.own_parameters.items()}
    # These already have the operator's tables after ours.
    merged = {
        n: wanted.parameters[n]
        for n in ("sender_dependent_default_transport_maps", "transport_maps")
        if n in own and n in wanted.parameters
    }
    parameters = wanted.parameters | own | merged
    return replace(wanted, parameters=parameters, service_parameters=config.service_parameters)


def _render(config: RelayConfig, paths: Paths) -> PostfixConfig:
    if not config.enabled:
        return PostfixConfig()
    if config.transports:
        from dms_relay.render.transports import render_transports  # noqa: PLC0415 -- only with this way of routing

        return render_transports(config, config.transports, paths)
    tables = {RELAYHOST_MAP: _table(config.routes.lines())}
    parameters = {"sender_dependent_relayhost_maps": f"texthash:{paths.table(RELAYHOST_MAP)}"}
    if config.default:
        parameters["relayhost"] = config.default[0].text
    if config.logins is not None:
        tables[SASL_PASSWD] = _table((entry.key, entry.login.table_value) for entry in config.logins)
        parameters |= _login_parameters(config, paths)
        if own := config.user_parameters.get(MECHANISM_FILTER):
            parameters[MECHANISM_FILTER] = own.value
    for name in parameters.keys() & config.user_parameters.keys():
        parameters[name] = config.user_parameters[name].value
    return PostfixConfig(
        tables,
        {name: parameters[name] for name in PARAMETERS if name in parameters},
        references={n: t for n, t in _NAMES.items() if t in tables and n not in config.user_parameters},
        table_type=config.table_type,
    )


def _login_parameters(config: RelayConfig, paths: Paths) -> dict[str, str]:
    parameters = {
        "smtp_sasl_password_maps": f"texthash:{paths.table(SASL_PASSWD)}",
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_tls_security_level": "encrypt",
    }
    if config.login_file:
        parameters["smtp_sender_dependent_authentication"] = "yes"
    return parameters


def _table(entries: Iterable[tuple[str, str]]) -> str:
    """Return the text, joined a piece at a time: a list of all lines takes twice the memory of the text."""
    lines = (f"{key}\t{value}\n" for key, value in entries)
    return "".join(iter(lambda: "".join(islice(lines, _LINES_AT_ONCE)), ""))
