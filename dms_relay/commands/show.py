"""``dms-relay show``: the merged configuration, each value with its origin, passwords masked. Reads the inputs only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dms_relay.mask import mask_parameter
from dms_relay.merge import merge
from dms_relay.model import MASK
from dms_relay.render import render
from dms_relay.sources import read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from dms_relay.commands import Context
    from dms_relay.model import Paths, RelayConfig


def run(arguments: Namespace, context: Context) -> int:
    """Print the configuration as a text, or with ``--json`` as one JSON object."""
    config = merge(read(context.paths, context.environ))
    context.log.problems(config.warnings)
    if arguments.json:
        from json import dumps  # noqa: PLC0415 -- only for programs

        context.say(dumps(_document(config, context.paths), indent=2, ensure_ascii=False))
    else:
        context.say(*_text(config, context.paths))
    return os.EX_OK


def _document(config: RelayConfig, paths: Paths) -> dict[str, Any]:
    logins = config.logins
    parameters = dict(_parameters(config, paths))
    return {
        "enabled": config.enabled,
        "relayhost": parameters.get("relayhost"),
        "routes": [{"sender": r.key, "nexthop": r.nexthops.text, "origin": str(r.origin)} for r in config.routes],
        "opted_out": [{"domain": domain.name, "origin": str(domain.origin)} for domain in config.opted_out],
        "logins": None
        if logins is None
        else [
            {"key": entry.key, "username": entry.login.shown_username, "password": MASK, "origin": str(entry.origin)}
            for entry in logins
        ],
        "parameters": parameters,
        "warnings": [{"origin": str(w.origin), "text": w.text, "remedy": w.remedy} for w in config.warnings],
    }


def _parameters(config: RelayConfig, paths: Paths) -> Iterator[tuple[str, dict[str, str]]]:
    for name, value in render(config, paths).parameters.items():
        user = config.user_parameters.get(name)
        origin = str(user.origin) if user else "dms-relay"
        if name == "relayhost" and config.default and not user:
            origin = str(config.default[1])
        yield name, {"value": mask_parameter(name, value), "origin": origin}


def _text(config: RelayConfig, paths: Paths) -> Iterator[str]:
    if not config.enabled:
        yield "no relay is set: mail leaves as Postfix is configured without us"
        return
    document = _document(config, paths)
    yield from _block("relays by sender", ((r["sender"], r["nexthop"], r["origin"]) for r in document["routes"]))
    if default := document["relayhost"]:
        yield from _block("every other sender", [("*", default["value"] or "no relay", default["origin"])])
    opted_out = ((f"@{d['domain']}", "not by RELAY_HOST", d["origin"]) for d in document["opted_out"])
    yield from _block("opted out", opted_out)
    logins = document["logins"] or []
    yield from _block("logins", ((e["key"], f"{e['username']}:{e['password']}", e["origin"]) for e in logins))
    parameters = document["parameters"].items()
    yield from _block("parameters", ((name, p["value"], p["origin"]) for name, p in parameters))


def _block(title: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Give a title and its rows in columns; nothing where there is no row."""
    found = list(rows)
    if not found:
        return
    widths = [max(len(row[column]) for row in found) for column in (0, 1)]
    yield f"{title}:"
    for key, value, origin in found:
        yield f"  {key:{widths[0]}}  {value:{widths[1]}}  {origin}"
