"""``dms-relay show``: the merged configuration, each value with its origin, passwords masked. Reads the inputs only."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dms_relay.log import printable
from dms_relay.mask import mask_all
from dms_relay.merge import merge
from dms_relay.model import DIRECT, MAPS, MASK, TRANSPORTS
from dms_relay.model.relays import MECHANISMS, MECHANISMS_IN_CLEAR, mechanisms_of
from dms_relay.plan.indexes import as_planned
from dms_relay.render import render
from dms_relay.sources import read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from dms_relay.commands import Context
    from dms_relay.model import LoginEntry, Paths
    from dms_relay.model.configuration import RelayConfig
    from dms_relay.model.relays import RelayService, Transports


def run(arguments: Namespace, context: Context) -> int:
    """Print the configuration as a text, or with ``--json`` as one JSON object."""
    config = merge(read(context.paths, context.environ))
    context.log.problems(config.warnings)
    if arguments.json:
        context.say_json(_document(config, context.paths))
    else:
        context.say(*_text(config, context.paths))
    return os.EX_OK


def _document(config: RelayConfig, paths: Paths) -> dict[str, Any]:
    logins = config.logins
    parameters = dict(_parameters(config, paths))
    transports = {} if config.transports is None else _transports(config.transports, paths)
    return {
        "enabled": config.enabled,
        "routing": TRANSPORTS if config.transports else MAPS,
        "relayhost": parameters.get("relayhost"),
        "routes": [{"sender": r.key, "nexthop": r.nexthops.text, "origin": str(r.origin)} for r in config.routes],
        "opted_out": [{"domain": domain.name, "origin": str(domain.origin)} for domain in config.opted_out],
        "logins": None if logins is None else [_login(entry) for entry in logins],
        **transports,
        "parameters": parameters,
        "warnings": [{"origin": str(w.origin), "text": w.text, "remedy": w.remedy} for w in config.warnings],
    }


def _transports(transports: Transports, paths: Paths) -> dict[str, Any]:
    routes = {"senders": ("sender", transports.senders), "recipients": ("recipient", transports.recipients)}
    default = transports.default
    return {
        "relays": [_relay(service, paths) for service in transports.services],
        "default": default and {"relay": default[0] or DIRECT, "origin": str(default[1])},
        **{
            name: [{what: r.key, "relay": r.relay or DIRECT, "origin": str(r.origin)} for r in found]
            for name, (what, found) in routes.items()
        },
    }


def _relay(service: RelayService, paths: Paths) -> dict[str, Any]:
    relay = service.relay
    entries = (*service.logins, *service.sender_logins)
    return {
        "name": relay.name,
        "nexthop": relay.nexthops.text,
        "tls": {"level": relay.tls.level, "mode": "implicit" if relay.tls.implicit else "starttls"},
        "mechanisms": list(mechanisms_of(relay)),
        "logins": [_login(entry) | _oauth2(entry, relay.name, paths) for entry in entries],
        "origin": str(relay.origin),
    }


def _login(entry: LoginEntry) -> dict[str, Any]:
    username, origin = entry.login.shown_username, str(entry.origin)
    return {"key": entry.key, "username": username, "password": MASK, "origin": origin}


def _oauth2(entry: LoginEntry, relay: str, paths: Paths) -> dict[str, Any]:
    """Return how an access token is obtained, and until when the stored one is valid: ``None`` if there is none."""
    if not (oauth2 := entry.login.oauth2):
        return {}
    from dms_relay import tokens  # noqa: PLC0415 -- only if a login takes a token

    kept = tokens.load(paths.state_dir, tokens.login_id(relay, entry.login.username, oauth2))
    until = datetime.fromtimestamp(kept.expires_at, UTC) if tokens.is_valid(kept, time.time()) else None
    valid_until = until and until.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"oauth2": {"grant": oauth2.grant, "token_url": oauth2.token_url, "valid_until": valid_until}}


def _password(login: dict[str, Any]) -> str:
    if not (oauth2 := login.get("oauth2")):
        return f"{login['username']}:{login['password']}"
    token = f"valid until {oauth2['valid_until']}" if oauth2["valid_until"] else "no token yet"
    return f"{login['username']}  oauth2, {oauth2['grant']} at {oauth2['token_url']}, {token}"


def _transports_text(document: dict[str, Any]) -> Iterator[str]:
    relays = document["relays"]
    width = max((len(relay["nexthop"]) for relay in relays), default=0)
    values = [f"{r['nexthop']:{width}}  TLS {r['tls']['level']}, {r['tls']['mode']}{_chosen(r)}" for r in relays]
    yield from _block("relays", ((r["name"], v, r["origin"]) for r, v in zip(relays, values, strict=True)))
    yield from _block("senders", ((r["sender"], r["relay"], r["origin"]) for r in document["senders"]))
    if default := document["default"]:
        yield from _block("every other sender", [("*", default["relay"], default["origin"])])
    yield from _block("recipients", ((r["recipient"], r["relay"], r["origin"]) for r in document["recipients"]))
    for relay in relays:
        rows = ((e["key"], _password(e), e["origin"]) for e in relay["logins"])
        yield from _block(f"logins at {relay['name']}", rows)


def _chosen(relay: dict[str, Any]) -> str:
    """Return the mechanisms of a relay, if they are not the usual ones."""
    names = tuple(relay["mechanisms"])
    return "" if names in {MECHANISMS, MECHANISMS_IN_CLEAR} else f", AUTH {' '.join(names)}"


def _parameters(config: RelayConfig, paths: Paths) -> Iterator[tuple[str, dict[str, str]]]:
    wanted = as_planned(render(config, paths), paths)
    for name, value in mask_all({**wanted.parameters, **wanted.prepended_maps}).items():
        user = config.user_parameters.get(name) or config.own_parameters.get(name)
        origin = str(user.origin) if user else "dms-relay"
        if name == "relayhost" and config.default and not user:
            origin = str(config.default[1])
        yield name, {"value": value, "origin": origin}


def _text(config: RelayConfig, paths: Paths) -> Iterator[str]:
    if not config.enabled:
        yield "no relay is set: Postfix keeps its own configuration"
        if config.own_parameters:
            rows = ((name, p["value"], p["origin"]) for name, p in _parameters(config, paths))
            yield from _block("beside what postfix-main.cf says", rows)
        return
    document = _document(config, paths)
    if config.transports:
        yield from _transports_text(document)
    yield from _block("relays by sender", ((r["sender"], r["nexthop"], r["origin"]) for r in document["routes"]))
    if (default := document["relayhost"]) and not config.transports:
        yield from _block("every other sender", [("*", default["value"] or "no relay", default["origin"])])
    opted_out = ((f"@{d['domain']}", "not through RELAY_HOST", d["origin"]) for d in document["opted_out"])
    yield from _block("opted out", opted_out)
    logins = document["logins"] or []
    yield from _block("logins", ((e["key"], f"{e['username']}:{e['password']}", e["origin"]) for e in logins))
    parameters = document["parameters"].items()
    yield from _block("parameters", ((name, p["value"], p["origin"]) for name, p in parameters))


def _block(title: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a title and its rows in columns; nothing if there is no row."""
    found = [tuple(map(printable, row)) for row in rows]
    if not found:
        return
    widths = [max(len(row[column]) for row in found) for column in (0, 1)]
    yield f"{title}:"
    for key, value, origin in found:
        yield f"  {key:{widths[0]}}  {value:{widths[1]}}  {origin}"
