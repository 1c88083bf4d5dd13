"""Tells which plans change only access tokens, so that a running Postfix needs no reload. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model.values import replace
from dms_relay.postfix.table_types import split_index

if TYPE_CHECKING:
    from dms_relay.plan import Plan, TableChange
    from dms_relay.plan.state import TableFile


def is_renewal(plan: Plan) -> bool:
    """Return True if only tokens in tables change, with the same keys and user names."""
    others = plan.parameters or plan.services or (plan.overlay and plan.overlay.is_changed)
    known = plan.found.state.token_tables & plan.final.token_tables
    return bool(plan.tables) and not others and all(_is_token_change(change, known) for change in plan.tables)


def _is_token_change(change: TableChange, known: frozenset[str]) -> bool:
    if change.old is None or change.new is None or split_index(change.name)[0] not in known:
        return False
    return _without_tokens(change.old) == _without_tokens(change.new)


def _without_tokens(table: TableFile) -> TableFile:
    logins = (line.partition(b"\t") for line in table.content.split(b"\n"))
    return replace(table, content=b"\n".join(key + tab + value.partition(b":")[0] for key, tab, value in logins))
