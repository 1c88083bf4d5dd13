"""What a send-only Postfix in a container needs: the step ``postfix`` of ``boot``, before Postfix starts.

Reads ``PERMIT_DOCKER``, ``RELAY_PERMIT``, ``POSTFIX_MYHOSTNAME``, ``NETWORK_INTERFACE``, ``RELAY_WATCH``, ``RELAY_DRAIN``
and ``RELAY_METRICS`` from the environment, the host name, the addresses of the network interfaces, and main.cf and master.cf
in ``MAIL_CONFIG`` (``/etc/postfix``). Writes the parameters that ``parameters`` names, all at once and without starting a
program of Postfix (main.cf is replaced by rename), and takes every service out of the chroot through postconf(1); the
image's own master.cf had that done when it was built. Each parameter is set, never appended to. Correct values are not
written, so a restart changes nothing. Does not touch the parameters of relays.

Reports all wrong values at once and exits with 78, with nothing written; with 66 if main.cf cannot be read; with 69 if
master.cf cannot be read or postconf fails; with 73 if main.cf cannot be replaced.

Known limits: a network connected to a running container counts only from the next start; a link-local IPv6
address never counts; a main.cf or master.cf that is itself a mount point cannot be written (it is replaced by rename).
"""

from __future__ import annotations

import os
import socket
import time
from ipaddress import IPv4Network, ip_network
from pathlib import Path

from dms_relay import files
from dms_relay.apply import LOCK_TIMEOUT
from dms_relay.container import state_directory
from dms_relay.errors import InputError, RelayError
from dms_relay.interfaces import IPV4, IPV6, InterfaceAddress, addresses
from dms_relay.log import log_of
from dms_relay.model import Origin, Paths, Problem, sort_problems
from dms_relay.model.values import frozen
from dms_relay.postfix import main_cf
from dms_relay.postfix.drained import MARKER
from dms_relay.postfix.nexthop import is_domain
from dms_relay.postfix.programs import Postfix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from ipaddress import IPv6Network

    from dms_relay.log_lines import Writer

    Network = IPv4Network | IPv6Network

#: The highest level that both Postfix 3.7 and 3.10 know (COMPATIBILITY_README).
COMPATIBILITY_LEVEL = "3.6"
#: Where Debian's ca-certificates keeps the system's authorities.
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
#: What Postfix appends to a host name that has no domain (postconf(5), mydomain).
DEFAULT_DOMAIN = "localdomain"
#: The interface of PERMIT_DOCKER=host, as in docker-mailserver.
DEFAULT_INTERFACE = "eth0"
#: Prefix length of the network of PERMIT_DOCKER=host, and the network of PERMIT_DOCKER=network, as in docker-mailserver.
HOST_PREFIX = 16
DOCKER_NETWORK = ip_network("172.16.0.0/12")
#: The values of PERMIT_DOCKER.
PERMITS = ("none", "container", "host", "network", "connected-networks")
#: The values of RELAY_WATCH, which docker-entrypoint.sh acts on. Empty counts as yes.
WATCHES = ("yes", "no")
#: Where metrics are served (``metrics.endpoint``).
METRICS = "RELAY_METRICS"
#: May always send.
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
#: Seconds for which Postfix treats a main.cf as still being written ("hot", see files.MTIME_BACK).
HOT = 2
#: The column of master.cf, counted from 0, that says whether a service runs in the chroot (master(5)).
CHROOT_COLUMN = 4


@frozen
class ContainerHost:
    """The container's host name and the addresses of its interfaces, without loopback and link-local ones."""

    hostname: str
    addresses: tuple[InterfaceAddress, ...]


class _WrongError(ValueError):
    """One wrong value: what is wrong with it, and what to write instead."""


def parameters(environ: Mapping[str, str], machine: ContainerHost) -> dict[str, str]:
    """Return the parameters of main.cf. Raises ``InputError`` with every wrong value. An empty value counts as not set."""
    problems: list[Problem] = []
    hostname = _checked("POSTFIX_MYHOSTNAME", lambda: myhostname(environ, machine), problems)
    more = _more_networks(environ, problems)
    networks = _checked("PERMIT_DOCKER", lambda: mynetworks(environ, machine, more), problems)
    _checked("RELAY_WATCH", lambda: _watch(environ), problems)
    _checked("RELAY_DRAIN", lambda: _drain(environ), problems)
    _checked(METRICS, lambda: _metrics(environ), problems)
    if problems:
        raise InputError(sort_problems(problems))
    return {
        "compatibility_level": COMPATIBILITY_LEVEL,
        "maillog_file": "/dev/stdout",
        "myhostname": hostname,
        "myorigin": "$myhostname",
        "mydestination": "",
        "inet_interfaces": "all",
        "inet_protocols": _protocols(machine),
        "mynetworks": networks,
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtp_tls_CAfile": CA_FILE,
        # Otherwise a name in /etc/hosts (extra_hosts, hostAliases, --add-host) is not found.
        "smtp_host_lookup": "dns, native",
    }


def _checked(name: str, work_out: Callable[[], str], problems: list[Problem]) -> str:
    try:
        return work_out()
    except _WrongError as wrong:
        text, remedy = wrong.args
        problems.append(Problem(Origin(f"env {name}"), text, remedy))
        return ""


def _watch(environ: Mapping[str, str]) -> str:
    value = environ.get("RELAY_WATCH", "")
    if value not in {"", *WATCHES}:
        raise _WrongError(f'"{_printable(value)}" is not one of those allowed', f"write one of {', '.join(WATCHES)}")
    return value


def _drain(environ: Mapping[str, str]) -> str:
    """Return how long the drain may take that docker-entrypoint.sh runs when it is told to stop."""
    value = environ.get("RELAY_DRAIN", "")
    if value:
        from dms_relay.drain.times import REMEDY, seconds  # noqa: PLC0415 -- only if it is set

        if seconds(value) is None:
            raise _WrongError(f'"{_printable(value)}" is not a time that a drain can have', REMEDY)
    return value


def _metrics(environ: Mapping[str, str]) -> str:
    value = environ.get(METRICS, "")
    if not value:
        return ""
    from dms_relay.metrics.endpoint import REMEDY, endpoint  # noqa: PLC0415 -- only if there are metrics

    try:
        found = endpoint(value)
    except ValueError as error:
        raise _WrongError(str(error), REMEDY) from None
    if found and environ.get("RELAY_WATCH") == "no":
        raise _WrongError("with RELAY_WATCH=no nothing serves metrics", f"remove RELAY_WATCH, or {METRICS}")
    return value


def _protocols(machine: ContainerHost) -> str:
    """Use IPv6 only if there is an address for it: otherwise each delivery would try it in vain."""
    return "all" if any(address.value.version == IPV6 for address in machine.addresses) else "ipv4"


def myhostname(environ: Mapping[str, str], machine: ContainerHost) -> str:
    """Return ``POSTFIX_MYHOSTNAME`` or the host name; one without a domain gets the one that Postfix would append."""
    told = environ.get("POSTFIX_MYHOSTNAME", "")
    hostname = told or machine.hostname
    if not told and "." not in hostname:
        hostname += f".{DEFAULT_DOMAIN}"
    if not _is_hostname(hostname):
        whose = "" if told else "is not set, and the container's host name "
        text = f'{whose}"{_printable(hostname)}" is not a host name'
        raise _WrongError(text, "write a full name, such as mail.example.com")
    return hostname


def _is_hostname(name: str) -> bool:
    """Return True if Postfix accepts it (valid_hostname.c): an ASCII domain, neither an address nor only digits."""
    return name.isascii() and not name.replace(".", "").isdigit() and is_domain(name)


def _printable(value: str) -> str:
    return value.encode("unicode_escape").decode("ascii")


def _more_networks(environ: Mapping[str, str], problems: list[Problem]) -> list[Network]:
    """Return the networks of ``RELAY_PERMIT``."""
    value = environ.get("RELAY_PERMIT", "")
    if not value:
        return []
    from dms_relay.container.permits import permitted  # noqa: PLC0415 -- only if it is set

    return permitted(value, problems)


def mynetworks(environ: Mapping[str, str], machine: ContainerHost, more: Iterable[Network] = ()) -> str:
    """Return the clients that may send: loopback, those of ``PERMIT_DOCKER``, and ``more``."""
    value = environ.get("PERMIT_DOCKER", "") or "none"
    networks = _permitted(value, machine, environ.get("NETWORK_INTERFACE", "") or DEFAULT_INTERFACE)
    return " ".join([*map(_pattern, LOOPBACK), *sorted(set(map(_pattern, [*networks, *more])))])


def _pattern(network: Network) -> str:
    """Return a network in the syntax of mynetworks: an IPv6 address in brackets."""
    if isinstance(network, IPv4Network):
        return str(network)
    return f"[{network.network_address}]/{network.prefixlen}"


def _permitted(value: str, machine: ContainerHost, interface: str) -> Iterable[Network]:
    match value:
        case "none":
            return ()
        case "container":
            return (ip_network(address.value.ip) for address in machine.addresses)
        case "host":
            return _hosts(machine, interface)
        case "network":
            return (DOCKER_NETWORK,)
        case "connected-networks":
            return (address.value.network for address in machine.addresses)
    raise _WrongError(f'"{_printable(value)}" is not one of those allowed', f"write one of {', '.join(PERMITS)}")


def _hosts(machine: ContainerHost, interface: str) -> list[Network]:
    own = [address.value.ip for address in machine.addresses if address.interface == interface]
    networks = [ip_network((ip, HOST_PREFIX), strict=False) for ip in own if ip.version == IPV4]
    if not networks:
        text = f'"host" needs an IPv4 address, and the interface "{_printable(interface)}" has none'
        raise _WrongError(text, "name the interface in NETWORK_INTERFACE, or write connected-networks")
    return networks


def this_machine() -> ContainerHost:
    """Return the facts of this machine, from the kernel."""
    return ContainerHost(socket.gethostname(), tuple(addresses()))


def set_up(postfix: Postfix, wanted: Mapping[str, str]) -> list[str]:
    """Set the wanted parameters in Postfix's configuration; return the names of what had to change.

    Raises ``PostfixError``, and ``MissingInputError`` for main.cf.
    """
    found = main_cf.values(postfix.read_main_cf())
    changes: dict[str, str | None] = {name: value for name, value in wanted.items() if found.get(name) != value}
    for name in _overridden(postfix.directory, found, wanted):
        changes.pop(name, None)
    if changes:
        postfix.edit(changes)
    if os.path.lexists(postfix.queue_directory(found) / MARKER):
        from dms_relay.drain.switch import forget  # noqa: PLC0415 -- only after a drain

        forget(postfix.directory)
    if chrooted := has_chroot(postfix.read_master_cf()):
        postfix.edit_services("*/*/chroot = n")
    cool(postfix)
    return [*changes, *(["chroot"] if chrooted else [])]


def _overridden(directory: Path, found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Return the parameters that the operator sets (``postfix-main.cf``), and remember the values beneath them."""
    path = Paths(postfix_dir=directory).state
    data = path.read_bytes() if path.exists() else b""
    if not any(f'"{name}"'.encode() in data for name in wanted):
        return []
    from dms_relay.plan.own import with_below  # noqa: PLC0415 -- only if it names one of them
    from dms_relay.plan.state import load, remember  # noqa: PLC0415 -- the same

    state = load(data, str(path))
    remember(path, state, with_below(state, wanted), (os.geteuid(), os.getegid()))
    return [name for name in wanted if name in state.parameters and found.get(name) in state.parameters[name].values]


def cool(postfix: Postfix) -> None:
    """Make Postfix read main.cf at once, even if another hook has just written it: that hook has ended by now."""
    if time.time() - postfix.main_cf.stat().st_mtime < HOT:
        files.set_back(postfix.main_cf)


def has_chroot(text: str) -> bool:
    """Return True if a service in master.cf runs in the chroot; ``-`` counts, as its meaning depends on the level."""
    services = (line.split() for line in text.splitlines() if line[:1].strip(" \t#"))
    return any(service[CHROOT_COLUMN : CHROOT_COLUMN + 1] != ["n"] for service in services)


def run(environ: Mapping[str, str], writer: Writer | None = None) -> int:
    """Run the step and return its exit code. ``writer``, if given, writes the log lines."""
    log = log_of(environ, writer=writer)
    state_directory.own(environ, log.warn)
    try:
        wanted = parameters(environ, this_machine())
        directory = Path(environ.get("MAIL_CONFIG") or Paths().postfix_dir)
        with files.lock(directory, LOCK_TIMEOUT):
            changed = set_up(Postfix(directory), wanted)
    except InputError as error:
        log.problems(error.problems)
        return error.exit_code
    except RelayError as error:
        log.error(str(error))  # noqa: TRY400 -- Log is ours, not logging's
        return error.exit_code
    if changed:
        log.info("Postfix is set up", myhostname=wanted["myhostname"], mynetworks=wanted["mynetworks"])
        log.debug("changed", parameters=" ".join(changed))
    return os.EX_OK
