"""Tells the counter of deliveries which relays there are (``known_relays``): their services, and their hosts.

Writes ``relays`` in the state directory, 0600, replaced by rename. Before a change it lists the relays of both
configurations, so that mail which leaves during the change is counted for its relay; afterwards only those in force.
Raises nothing: if it cannot be written that is logged, and the relays stay as before.

Known limits: relays that only the operator's own tables name are ``direct``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.errors import RelayError
from dms_relay.metrics.counters import trusted
from dms_relay.metrics.known_relays import LABELS_MAX, RELAYS
from dms_relay.postfix.master_cf import PREFIX
from dms_relay.postfix.nexthop import SyntaxProblem, host_and_port, is_address, parse_nexthops

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dms_relay.log import Log
    from dms_relay.model import Paths
    from dms_relay.model.configuration import RelayConfig

#: The port of a nexthop that names none (smtp(8), smtp_tcp_port), and of the services that one can name (services(5)).
_PORT = "25"
_PORTS = {"": _PORT, "smtp": _PORT, "smtps": "465", "ssmtp": "465", "submissions": "465", "submission": "587"}
_MODE = 0o600
#: Characters that separate the parts of a line, or that our file never contains.
_SEPARATORS = str.maketrans(dict.fromkeys('\t\n"\\', "?"))
#: Maximum number of lines: far more than there can be labels.
_LINES_MAX = 10 * LABELS_MAX


@contextmanager
def told(paths: Paths, config: RelayConfig, log: Log) -> Iterator[None]:
    """Keep the list of relays correct while a configuration comes into force, and afterwards."""
    new = list(dict.fromkeys(lines(config)))[:_LINES_MAX]
    old = _written(paths)
    if old != new:
        _write(paths, list(dict.fromkeys((*new, *old))), log)
    yield
    if old != new:
        _write(paths, new, log)


def lines(config: RelayConfig) -> Iterator[str]:
    """Yield a line for each service and each host."""
    if config.transports:
        for service in config.transports.services:
            yield f"service\t{PREFIX}{service.relay.name}\t{_label(service.relay.name)}"
        return
    for text in _nexthops(config):
        with suppress(SyntaxProblem):
            for member in parse_nexthops(text).members:
                yield _of_nexthop(member, text)


def _nexthops(config: RelayConfig) -> Iterable[str]:
    """Return the nexthops of the operator's own value, of the default relay, and of senders."""
    own = config.user_parameters.get("relayhost")
    default = [own.value] if own else [config.default[0].text] if config.default else []
    return filter(None, (*default, *config.routes.counts()))


def _of_nexthop(member: str, label: str) -> str:
    host, port = host_and_port(member)
    host = host.lower()
    is_domain = not member.startswith("[") and not is_address(host)
    return (
        f"{'domain' if is_domain else 'host'}\t{host.removeprefix('ipv6:')}:{_PORTS.get(port, port)}\t{_label(label)}"
    )


def _label(text: str) -> str:
    return text.translate(_SEPARATORS)


def _written(paths: Paths) -> list[str]:
    try:
        return trusted(str(paths.state_dir / RELAYS)).decode().splitlines()
    except (OSError, ValueError):
        return []


def _write(paths: Paths, found: list[str], log: Log) -> None:
    text = "".join(f"{line}\n" for line in found)
    try:
        paths.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.replace(paths.state_dir / RELAYS, text.encode(), _MODE, (os.geteuid(), os.getegid()), age=0)
    except (OSError, RelayError) as error:
        log.error("deliveries are still counted for the previous relays", reason=str(error))  # noqa: TRY400
