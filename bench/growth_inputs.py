"""Inputs of each kind in any size, deterministic, to find costs that grow faster than the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ACCOUNTS, VHOST = "postfix-accounts.cf", "vhost"
RELAYMAP, LOGINS, RELAY_YAML = "postfix-relaymap.cf", "postfix-sasl-password.cf", "relay.yaml"
#: Number of relays of the kinds with few.
RELAYS = 10
#: Senders per relay of the kinds with many.
SENDERS_OF_EACH = 10
RELAY = {
    "RELAY_HOST": "smtp.relay-service.com",
    "RELAY_PORT": "587",
    "RELAY_USER": "user",
    "RELAY_PASSWORD": "password",
}
TRANSPORTS = {"RELAY_ROUTING": "transports"}


class Input(NamedTuple):
    """Files of the configuration directory by name, the environment, and parameters already in main.cf."""

    files: dict[str, str]
    env: dict[str, str]
    main_cf: str = ""


class Kind(NamedTuple):
    """A kind of inputs: the largest size, and the function that generates a size."""

    name: str
    largest: int
    make: Callable[[int], Input]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _accounts(size: int) -> str:
    return _lines(f"someone@domain{n}.com|{{SHA512-CRYPT}}x" for n in range(size))


def managed_domains(size: int) -> Input:
    """Return managed domains for one relay."""
    return Input({ACCOUNTS: _accounts(size)}, RELAY)


def _mapped(size: int, env: dict[str, str]) -> Input:
    lines = (f"@domain{n}.com [relay{n % RELAYS}.test]:587" for n in range(size))
    logins = (f"[relay{n}.test]:587 user{n}:password" for n in range(RELAYS))
    return Input({RELAYMAP: _lines(lines), LOGINS: _lines(logins)}, env)


def mapped_senders(size: int) -> Input:
    """Return domains that are mapped to one of a few relays."""
    return _mapped(size, {})


def mapped_senders_transports(size: int) -> Input:
    """Return the same with a transport for each relay."""
    return _mapped(size, TRANSPORTS)


def _opt_outs(size: int, env: dict[str, str]) -> Input:
    opt_outs = _lines(f"@domain{n}.com" for n in range(0, size, 2))
    return Input({ACCOUNTS: _accounts(size), RELAYMAP: opt_outs}, RELAY | env)


def opt_outs(size: int) -> Input:
    """Return managed domains, half of which opt out."""
    return _opt_outs(size, {})


def opt_outs_transports(size: int) -> Input:
    """Return the same with a transport for each relay."""
    return _opt_outs(size, TRANSPORTS)


def _own_logins(size: int, env: dict[str, str]) -> Input:
    logins = _lines(f"someone@domain{n}.com user{n}:password" for n in range(size))
    lines = _lines(f"someone@domain{n}.com [relay.test]:587" for n in range(size))
    return Input({RELAYMAP: lines, LOGINS: logins}, env)


def own_logins(size: int) -> Input:
    """Return senders that each have a login of their own at one relay."""
    return _own_logins(size, {})


def own_logins_transports(size: int) -> Input:
    """Return the same with a transport for the relay."""
    return _own_logins(size, TRANSPORTS)


def _unused_logins(size: int, env: dict[str, str]) -> Input:
    lines = _lines(f"@domain{n}.com [relay{n}.test]:587" for n in range(size))
    logins = _lines(f"[other{n}.test]:587 user{n}:password" for n in range(size))
    return Input({RELAYMAP: lines, LOGINS: logins}, env)


def unused_logins(size: int) -> Input:
    """Return logins at many relays, none of which is used."""
    return _unused_logins(size, {})


def misspelled_logins(size: int) -> Input:
    """Return logins whose keys are close to the nexthop of one of a few relays."""
    logins = _lines(f"[relay{n % RELAYS}.test]:{n + 1000} user{n}:password" for n in range(size))
    return Input({RELAYMAP: _mapped(RELAYS, {}).files[RELAYMAP], LOGINS: logins}, {})


def many_relays(size: int) -> Input:
    """Return relays of the ``.cf`` files, each with some senders, and a transport for each."""
    numbers = [(relay, sender) for relay in range(size) for sender in range(SENDERS_OF_EACH)]
    lines = _lines(f"@domain{sender}-{relay}.com [relay{relay}.test]:587" for relay, sender in numbers)
    return Input({RELAYMAP: lines}, TRANSPORTS)


# relay.yaml.


def _yaml(relays: Iterable[str], senders: Iterable[str], recipients: Iterable[str] = ()) -> str:
    parts = {"relays": relays, "senders": senders, "recipients": recipients}
    tables = (f"{name}:\n" + _lines(f"  {line}" for line in lines) for name, lines in parts.items() if lines)
    return "version: 1\n" + "".join(tables)


def _few_relays() -> list[str]:
    login = "{username: user, password: password}"
    return [f"r{n}: {{host: relay{n}.test, login: {login}}}" for n in range(RELAYS)]


def yaml_senders(size: int) -> Input:
    """Return senders of a few relays."""
    senders = [f"domain{n}.com: r{n % RELAYS}" for n in range(size)]
    return Input({RELAY_YAML: _yaml(_few_relays(), senders)}, {})


def yaml_relays(size: int) -> Input:
    """Return relays, each with some senders."""
    senders = [f"domain{n}.com: r{n % size}" for n in range(SENDERS_OF_EACH * size)]
    return Input({RELAY_YAML: _yaml([f"r{n}: {{host: relay{n}.test}}" for n in range(size)], senders)}, {})


def yaml_logins(size: int) -> Input:
    """Return senders that have a login of their own."""
    login = "login: {username: user, password: password}"
    senders = [f"domain{n}.com: {{relay: r{n % RELAYS}, {login}}}" for n in range(size)]
    return Input({RELAY_YAML: _yaml(_few_relays(), senders)}, {})


def _below(size: int, relay: str) -> list[str]:
    login = "login: {username: user, password: password}"
    domains = [f"domain{n}.com: {{relay: {relay}, {login}}}" for n in range(size // 2)]
    return [*domains, *(f"boss@domain{n}.com: {relay}" for n in range(size // 2))]


def yaml_addresses(size: int) -> Input:
    """Return domains with a login, and as many of their addresses without, at a relay that has a login."""
    return Input({RELAY_YAML: _yaml(_few_relays(), _below(size, "r0"))}, {})


def yaml_addresses_without(size: int) -> Input:
    """Return the same at a relay that has no login."""
    return Input({RELAY_YAML: _yaml(["r0: {host: relay.test}"], _below(size, "r0"))}, {})


def yaml_recipients(size: int) -> Input:
    """Return as many senders as recipients, of a few relays."""
    senders = [f"anna@domain{n}.com: r{n % RELAYS}" for n in range(size // 2)]
    recipients = [f"partner{n}.com: r{(n + 1) % RELAYS}" for n in range(size // 2)]
    return Input({RELAY_YAML: _yaml(_few_relays(), [*senders, *_below(size // 10, "r0")], recipients)}, {})


def yaml_recipients_below(size: int) -> Input:
    """Return recipients that cover all subdomains of a domain, and as many managed domains, and domains in main.cf."""
    recipients = [f".partner{n}.com: r{n % RELAYS}" for n in range(size)]
    local = ", ".join(f"local{n}.test" for n in range(size))
    files = {RELAY_YAML: _yaml(_few_relays(), ["domain.com: r0"], recipients), ACCOUNTS: _accounts(size)}
    return Input(files, {}, f"virtual_mailbox_domains = {local}\n")


KINDS = (
    Kind("maps: managed domains", 1_000_000, managed_domains),
    Kind("maps: mapped senders", 100_000, mapped_senders),
    Kind("maps: opt-outs", 100_000, opt_outs),
    Kind("maps: own logins", 100_000, own_logins),
    Kind("maps: unused logins", 30_000, unused_logins),
    Kind("maps: misspelled logins", 9_000, misspelled_logins),
    Kind("transports: managed domains", 100_000, lambda size: managed_domains(size)._replace(env=RELAY | TRANSPORTS)),
    Kind("transports: mapped senders", 100_000, mapped_senders_transports),
    Kind("transports: opt-outs", 100_000, opt_outs_transports),
    Kind("transports: own logins", 100_000, own_logins_transports),
    Kind("transports: relays", 3_000, many_relays),
    Kind("relay.yaml: senders", 100_000, yaml_senders),
    Kind("relay.yaml: own logins", 100_000, yaml_logins),
    Kind("relay.yaml: relays", 3_000, yaml_relays),
    Kind("relay.yaml: domains and addresses", 100_000, yaml_addresses),
    Kind("relay.yaml: the same, no login", 100_000, yaml_addresses_without),
    Kind("relay.yaml: recipients", 100_000, yaml_recipients),
    Kind("relay.yaml: recipients below", 30_000, yaml_recipients_below),
)
